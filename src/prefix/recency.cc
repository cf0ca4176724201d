#include "prefix/recency.h"

#include <algorithm>

namespace gw::internal {

size_t Recency::Find(uint64_t number) const {
  return static_cast<size_t>(std::lower_bound(until_, until_ + closed_, number) - until_);
}

void Recency::Add(uint64_t number, int64_t blocks, uint64_t blocks_max) {
  if (number <= gone_) return;
  const size_t bucket = Find(number);
  blocks_[bucket] += static_cast<int32_t>(blocks);
  held_ += blocks;
  newest_ = std::max(newest_, number);
  const auto full = static_cast<int64_t>(std::max<uint64_t>(blocks_max / kBuckets, 1));
  if (bucket == closed_ && blocks_[bucket] >= full) Close();
}

void Recency::Close() {
  if (closed_ + 1 == kBuckets) MergeSmallest();
  until_[closed_++] = newest_;
  blocks_[closed_] = 0;
}

// The two neighbours that hold the least together become one: buckets that were used again since
// are nearly empty.
void Recency::MergeSmallest() {
  size_t least = 0;
  for (size_t i = 1; i + 1 < closed_; ++i) {
    if (blocks_[i] + blocks_[i + 1] < blocks_[least] + blocks_[least + 1]) least = i;
  }
  blocks_[least] += blocks_[least + 1];
  until_[least] = until_[least + 1];
  std::copy(until_ + least + 2, until_ + closed_, until_ + least + 1);
  std::copy(blocks_ + least + 2, blocks_ + closed_ + 1, blocks_ + least + 1);
  --closed_;
}

void Recency::DropOldest(size_t count) {
  for (size_t i = 0; i < count; ++i) held_ -= blocks_[i];
  gone_ = until_[count - 1];
  std::copy(until_ + count, until_ + closed_, until_);
  std::copy(blocks_ + count, blocks_ + closed_ + 1, blocks_);
  closed_ -= count;
}

uint64_t Recency::Trim(uint64_t blocks_max) {
  const auto max = static_cast<int64_t>(blocks_max);
  if (held_ <= max) return gone_;
  // The open bucket alone holds more only if there was room for more until now.
  if (blocks_[closed_] > max) Close();
  size_t count = 0;
  for (int64_t left = held_; left > max && count < closed_; ++count) left -= blocks_[count];
  if (count > 0) DropOldest(count);
  return gone_;
}

void Recency::Forget(uint64_t number) {
  if (number <= gone_) return;
  size_t count = 0;
  while (count < closed_ && until_[count] <= number) ++count;
  if (count > 0) DropOldest(count);
  gone_ = number;
  if (closed_ == 0 && newest_ <= number) {
    held_ = 0;
    blocks_[0] = 0;
  }
}

}  // namespace gw::internal
