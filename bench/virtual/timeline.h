// What is to happen, in virtual time: one thing after the other, those of one moment in the order
// in which they were asked for. Nothing takes time but what says so.

#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/clock.h"

namespace gw::bench {

// One thread at a time.
class Timeline {
 public:
  const Clock& clock() const { return clock_; }
  TimePoint now() const { return clock_.Now(); }

  // REQUIRES: not in the past
  void At(TimePoint at, std::function<void()> run) {
    CHECK(at >= now());
    events_.push_back({at, ++made_, std::move(run)});
    std::push_heap(events_.begin(), events_.end());
  }
  void After(Duration time, std::function<void()> run) { At(now() + time, std::move(run)); }

  bool empty() const { return events_.empty(); }
  // Lets the next thing happen. REQUIRES: !empty()
  void Step() {
    std::pop_heap(events_.begin(), events_.end());
    const Event event = std::move(events_.back());
    events_.pop_back();
    clock_.Set(event.at);
    event.run();
  }

 private:
  struct Event {
    TimePoint at;
    uint64_t order = 0;
    std::function<void()> run;

    bool operator<(const Event& other) const {  // the heap's first is the largest
      return at != other.at ? at > other.at : order > other.order;
    }
  };

  ManualClock clock_;
  std::vector<Event> events_;
  uint64_t made_ = 0;
};

}  // namespace gw::bench
