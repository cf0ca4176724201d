#include "prefix/endpoints.h"

#include <algorithm>
#include <cstdlib>
#include <new>
#include <type_traits>

#include "base/check.h"
#include "prefix/run.h"

namespace gw::internal {
namespace {

constexpr size_t GroupsOf(size_t slots) {
  return (slots + HolderGroup::kSlots - 1) / HolderGroup::kSlots;
}

// From the system as zeros, so that what is never used costs no memory.
template <class T>
std::atomic<T>* NewTable(size_t count) {
  static_assert(sizeof(std::atomic<T>) == sizeof(T));
  void* memory = std::calloc(std::max<size_t>(count, 1), sizeof(T));
  CHECK(memory != nullptr);
  return static_cast<std::atomic<T>*>(memory);
}

// Of the insertion under way, so that none allocates.
std::vector<Move>& ThreadMoves() {
  static thread_local std::vector<Move> moves;
  return moves;
}

}  // namespace

void Endpoints::Free::operator()(void* memory) const { std::free(memory); }

Endpoints::Endpoints(size_t slots, size_t counts_bytes_max)
    : cuts_(NewTable<uint64_t>(slots)),
      group_cuts_(NewTable<uint32_t>(GroupsOf(slots))),
      counted_(NewTable<uint16_t>(slots)),
      counts_max_(std::min<size_t>(counts_bytes_max / sizeof(Counted), UINT16_MAX)),
      counts_(static_cast<Counted*>(std::calloc(counts_max_ + 1, sizeof(Counted)))) {
  static_assert(std::is_trivially_destructible_v<Recency>);
  CHECK(counts_ != nullptr);
}

size_t Endpoints::FixedBytes(size_t slots) {
  return slots * (sizeof(uint64_t) + sizeof(uint16_t)) + GroupsOf(slots) * sizeof(uint32_t);
}

size_t Endpoints::CountsBytes(size_t slots) { return slots * sizeof(Counted); }

Endpoints::Counted* Endpoints::CountedOf(uint32_t slot) const {
  const uint16_t place = counted_[slot].load(std::memory_order_acquire);
  return place == 0 ? nullptr : &counts_[place - 1];
}

// What was inserted before anything was known is let go: nobody has counted it.
Endpoints::Counted* Endpoints::MakeCounted(uint32_t slot) {
  const MutexLock lock(make_mutex_);
  if (Counted* counted = CountedOf(slot)) return counted;
  const size_t made = made_.load();
  if (made == counts_max_) return nullptr;
  Counted* counted = new (&counts_[made]) Counted();
  made_.store(made + 1);
  counted_[slot].store(static_cast<uint16_t>(made + 1), std::memory_order_release);
  Remove(slot);
  return counted;
}

Touch Endpoints::Begin(uint32_t slot, size_t blocks, uint64_t blocks_max) {
  Counted* counted = CountedOf(slot);
  if (counted == nullptr && blocks_max != 0) counted = MakeCounted(slot);
  std::vector<Move>* moves = counted != nullptr ? &ThreadMoves() : nullptr;
  if (moves != nullptr) moves->clear();
  return {slot, clock_.fetch_add(blocks) + blocks, moves};
}

void Endpoints::End(const Touch& touch, uint64_t blocks_max) {
  if (touch.moves == nullptr || touch.moves->empty()) return;
  // The oldest first, so that buckets end in the midst of a long prompt.
  std::sort(touch.moves->begin(), touch.moves->end(),
            [](const Move& a, const Move& b) { return a.number < b.number; });
  Counted& counted = *CountedOf(touch.slot);
  const MutexLock lock(counted.mutex);
  const uint64_t max = blocks_max == 0 ? INT32_MAX : blocks_max;
  for (const Move& move : *touch.moves) counted.recency.Add(move.number, move.blocks, max);
  Cut(touch.slot, counted.recency.Trim(max));
}

void Endpoints::Cut(uint32_t slot, uint64_t number) {
  uint64_t before = cuts_[slot].load(std::memory_order_relaxed);
  do {
    if (before >= number) return;
  } while (!cuts_[slot].compare_exchange_weak(before, number));
  // Last, so that who sees the count sees the cut.
  group_cuts_[slot / HolderGroup::kSlots].fetch_add(1, std::memory_order_release);
}

void Endpoints::Remove(uint32_t slot) {
  const uint64_t number = clock_.load();
  Counted* counted = CountedOf(slot);
  if (counted == nullptr) return Cut(slot, number);
  const MutexLock lock(counted->mutex);
  counted->recency.Forget(number);
  Cut(slot, number);
}

}  // namespace gw::internal
