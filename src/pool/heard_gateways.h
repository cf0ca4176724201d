// HeardGateways: how many other gateways' sums are part of the endpoints' accounting
// (EndpointState::others), and how old what they say may be: for people who ask why a decision was
// made.
//
// One writer, the mesh, every few milliseconds; any thread reads. What is read while it is written
// may be the number of one moment and the time of another.

#pragma once

#include <algorithm>
#include <atomic>

#include "base/clock.h"

namespace gw {

struct HeardGateways {
  struct Seen {
    int count = 0;
    Duration oldest{};  // since the last word of the one that has been quiet longest
  };

  void Store(int heard, TimePoint oldest_word) {
    count.store(heard, std::memory_order_relaxed);
    oldest.store(oldest_word.time_since_epoch().count(), std::memory_order_relaxed);
  }
  Seen At(TimePoint now) const {
    const TimePoint word{Duration(oldest.load(std::memory_order_relaxed))};
    return {count.load(std::memory_order_relaxed), std::max(now - word, Duration(0))};
  }

  std::atomic<int> count{0};
  std::atomic<Duration::rep> oldest{0};  // of TimePoint
};

}  // namespace gw
