// BusyTime: how busy one endpoint has been with prompts, lately: 10 s times the share of time in
// which at least one was pending there, where what was t ago counts by exp(-t / 20 s). It tells
// endpoints apart that have nothing to do at this moment.
//
// Any thread may call anything at any time; no lock is taken. The caller's time is taken as it is:
// of two threads' times the later one holds.

#pragma once

#include <atomic>
#include <cstdint>

#include "base/clock.h"

namespace gw {

class BusyTime {
 public:
  static constexpr float kSecondsMax = 10;
  static constexpr Duration kDecay = std::chrono::seconds(20);

  // A prompt is pending from Begin to End, which comes once for each Begin.
  void Begin(TimePoint now) { Add(1, now); }
  void End(TimePoint now) { Add(-1, now); }
  // So many begin, or end if it is negative.
  void Add(int32_t prompts, TimePoint now);
  int32_t pending() const { return pending_.load(std::memory_order_relaxed); }
  float SecondsAt(TimePoint now) const;  // 0 to kSecondsMax

 private:
  void Follow(TimePoint now);

  // The share as of a time, whether any was pending from then on, and that time: the share in the
  // highest 31 bits, one bit, milliseconds in 32 bits.
  std::atomic<uint64_t> word_{0};
  std::atomic<int32_t> pending_{0};
};

}  // namespace gw
