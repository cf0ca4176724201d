// Which endpoints left, and when: what makes removing one O(1). Each removal has a number (its
// epoch). A block remembers the newest epoch it has taken account of and, when next met, drops the
// holders that were removed after it.
//
// Any thread may call.

#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

namespace gw::internal {

class Removals {
 public:
  explicit Removals(size_t slots) : removed_at_(new std::atomic<uint32_t>[slots]()) {}

  void Remove(uint32_t slot) {
    const std::lock_guard lock(mutex_);
    const uint32_t epoch = epoch_.load(std::memory_order_relaxed) + 1;
    // In this order: who sees the new epoch must see the removal.
    removed_at_[slot].store(epoch, std::memory_order_relaxed);
    epoch_.store(epoch, std::memory_order_release);
  }

  uint32_t epoch() const { return epoch_.load(std::memory_order_acquire); }
  bool RemovedAfter(uint32_t epoch, uint32_t slot) const {
    return removed_at_[slot].load(std::memory_order_relaxed) > epoch;
  }

 private:
  std::mutex mutex_;
  std::atomic<uint32_t> epoch_{0};
  std::unique_ptr<std::atomic<uint32_t>[]> removed_at_;
};

}  // namespace gw::internal
