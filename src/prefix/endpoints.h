// Endpoints: which of the insertions at an endpoint still count: those since it was last removed.
//
// Each insertion has a number, its touch, and a block's holders stand with theirs (prefix/run.h).
// Removing an endpoint moves its cut: whatever was touched up to now is gone, O(1).
//
// Any thread may call; without locks.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace gw::internal {

class Endpoints {
 public:
  explicit Endpoints(size_t slots);

  bool Holds(uint32_t slot, uint64_t touch) const {
    return touch > cuts_[slot].load(std::memory_order_relaxed);
  }
  // The touch of an insertion that begins now.
  uint64_t Touch() const { return clock_.load(); }
  // Removals among the 64 slots of a group. What Holds says after this counts them all.
  uint32_t Removals(uint32_t group) const {
    return removals_[group].load(std::memory_order_acquire);
  }
  void Remove(uint32_t slot);

  static size_t FixedBytes(size_t slots);

 private:
  struct Free {
    void operator()(void* memory) const;
  };
  template <class T>
  using Table = std::unique_ptr<std::atomic<T>[], Free>;

  std::atomic<uint64_t> clock_{1};
  Table<uint64_t> cuts_;      // by slot: touches up to here are gone
  Table<uint32_t> removals_;  // by slot / 64
};

}  // namespace gw::internal
