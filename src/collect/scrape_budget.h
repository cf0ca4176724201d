// ScrapeBudget: how many pages the scraper reads in a second, whatever the number of endpoints. A
// token bucket; what it refuses is asked again in the next round, in turn (look_plan.h).
//
// A page takes the gateway some 8 us to read, a real vLLM's more, and where it comes alone a
// wake-up besides: 500 busy endpoints at the usual interval took as much as the requests that they
// served, and more of their own host. Own requests are counted exactly without any page: what a
// page adds is what others have there, and how full the cache is.
//
// One thread; time is passed in.

#pragma once

#include <algorithm>
#include <cstddef>

#include "base/clock.h"

namespace gw {

class ScrapeBudget {
 public:
  explicit ScrapeBudget(double pages_per_second_max)
      : rate_(pages_per_second_max), burst_(std::max(1.0, rate_ * kBurstSeconds)), left_(burst_) {}

  void Refill(TimePoint now) {
    const double passed = ToSeconds(now - refilled_at_);
    refilled_at_ = now;
    left_ = std::min(burst_, left_ + std::max(0.0, passed) * rate_);
  }

  bool Take() {
    if (left_ < 1) return false;
    left_ -= 1;
    return true;
  }

  void set_endpoints(size_t count) { endpoints_ = count; }
  // The time in which each endpoint gets its turn while all of them are due.
  Duration Turn() const {
    return std::chrono::duration_cast<Duration>(
        std::chrono::duration<double>(static_cast<double>(endpoints_) / rate_));
  }

 private:
  // What a tick that comes late may catch up.
  static constexpr double kBurstSeconds = 0.02;

  const double rate_;
  const double burst_;
  double left_;
  size_t endpoints_ = 0;
  TimePoint refilled_at_{};
};

}  // namespace gw
