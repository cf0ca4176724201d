#include "prefix/block_names.h"

#include <algorithm>

namespace gw::internal {
namespace {

// Blocks in front of a run that its place can tell of; no prompt is as long.
constexpr uint32_t kBaseMax = (1u << 24) - 1;

}  // namespace

BlockNames::BlockNames(size_t bytes_max) : buckets_(bytes_max / sizeof(Bucket)) {}

size_t BlockNames::IndexOf(uint64_t name) const {
  const uint64_t mixed = (name * 0x9E3779B97F4A7C15) >> 32;
  return static_cast<size_t>((mixed * buckets_.size()) >> 32);
}

bool BlockNames::Put(uint64_t name, const BlockPlace& place) {
  if (buckets_.empty() || name == 0 || place.base > kBaseMax) return false;
  const size_t index = IndexOf(name);
  const MutexLock lock(stripes_[index % kStripes]);
  Entry* entries = buckets_[index].entries;
  Entry* at = std::find_if(entries, entries + kWays - 1,
                           [name](const Entry& entry) { return entry.name == name; });
  const Entry entry{name, place.run, place.base << 8 | place.offset, place.hash};
  const bool known = *at == entry;
  std::move_backward(entries, at, at + 1);
  entries[0] = entry;
  return !known;
}

bool BlockNames::Find(uint64_t name, BlockPlace* place) const {
  if (buckets_.empty() || name == 0) return false;
  const size_t index = IndexOf(name);
  const MutexLock lock(stripes_[index % kStripes]);
  for (const Entry& entry : buckets_[index].entries) {
    if (entry.name != name) continue;
    *place = PlaceOf(entry);
    return true;
  }
  return false;
}

}  // namespace gw::internal
