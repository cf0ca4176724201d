// RunTable: where the runs of one shard are, by name.
//
// Open addressing: a slot has 32 bits of the name, mixed, beside the number of the run's cell, so
// that what is not there is told by one line of memory, and no run is looked at but the one that is
// sought. What is taken out is closed up, so no slot is ever marked. Under the shard's lock, but
// for Prefetch.

#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "base/check.h"
#include "prefix/cell_pool.h"

namespace gw::internal {

class RunTable {
 public:
  static constexpr size_t kSlotBytes = sizeof(uint64_t);

  // `cells` outlives this one. With less than two slots there is room for no run.
  void Reserve(size_t slots, const CellPool* cells) {
    cells_ = cells;
    count_ = std::min<size_t>(slots, UINT32_MAX);
    max_ = count_ * 7 / 8;
    if (count_ == 0) return;
    // As zeros from the system: backed when first written.
    slots_.reset(static_cast<Slot*>(std::calloc(count_, sizeof(Slot))));
    CHECK(slots_ != nullptr);
  }

  size_t unused() const { return max_ - used_; }
  size_t bytes() const { return count_ * kSlotBytes; }

  // The cell of the run; 0: there is none.
  uint32_t Find(uint64_t name) const {
    const uint64_t tag = TagOf(name);
    for (size_t i = Home(tag);; i = Next(i)) {
      const uint64_t slot = Get(i);
      if (slot == 0) return 0;
      const auto cell = static_cast<uint32_t>(slot);
      if (slot >> 32 == tag && (*cells_)[cell].run.name == name) return cell;
    }
  }

  // REQUIRES: unused() > 0; no run of that name is here
  void Put(uint64_t name, uint32_t cell) {
    DCHECK(unused() > 0);
    const uint64_t tag = TagOf(name);
    size_t i = Home(tag);
    while (Get(i) != 0) i = Next(i);
    Set(i, tag << 32 | cell);
    ++used_;
  }

  // REQUIRES: it is here
  void Erase(uint64_t name, uint32_t cell) {
    const uint64_t tag = TagOf(name);
    size_t hole = Home(tag);
    while (Get(hole) != (tag << 32 | cell)) hole = Next(hole);
    for (size_t i = Next(hole); Get(i) != 0; i = Next(i)) {
      // One whose home is behind the hole is found without what stands there.
      if (Distance(Home(Get(i) >> 32), i) < Distance(hole, i)) continue;
      Set(hole, Get(i));
      hole = i;
    }
    Set(hole, 0);
    --used_;
  }

  // Any thread, without the lock: what Find is going to look at comes nearer.
  void PrefetchSlot(uint64_t name) const { __builtin_prefetch(&slots_[Home(TagOf(name))]); }
  void PrefetchRun(uint64_t name) const {
    const uint64_t tag = TagOf(name);
    const uint64_t slot = Get(Home(tag));
    if (slot >> 32 == tag) __builtin_prefetch(&(*cells_)[static_cast<uint32_t>(slot)]);
  }

 private:
  using Slot = std::atomic<uint64_t>;
  static_assert(sizeof(Slot) == kSlotBytes);
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };

  // The product spreads hashes that are not random (tests, counters) as well.
  static uint64_t TagOf(uint64_t name) { return (name * 0x9E3779B97F4A7C15) >> 32; }
  // Multiplying instead of dividing by the count (Lemire, 2016).
  size_t Home(uint64_t tag) const { return (tag * count_) >> 32; }
  size_t Next(size_t i) const { return i + 1 == count_ ? 0 : i + 1; }
  size_t Distance(size_t from, size_t to) const {
    return to >= from ? to - from : to + count_ - from;
  }
  uint64_t Get(size_t i) const { return slots_[i].load(std::memory_order_relaxed); }
  void Set(size_t i, uint64_t slot) { slots_[i].store(slot, std::memory_order_relaxed); }

  const CellPool* cells_ = nullptr;
  std::unique_ptr<Slot[], Free> slots_;
  size_t count_ = 0;
  size_t used_ = 0;
  size_t max_ = 0;
};

}  // namespace gw::internal
