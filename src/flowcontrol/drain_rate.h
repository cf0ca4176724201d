// DrainRate: how many events a second there were lately: each counts less the longer it is ago, to
// 1/e after kMemorySeconds. What came before the first event does not count as idle.

#pragma once

#include <algorithm>
#include <cmath>

#include "base/clock.h"

namespace gw {

class DrainRate {
 public:
  static constexpr double kMemorySeconds = 10;

  void Count(TimePoint now) {
    if (!began_) {
      began_ = true;
      first_ = last_ = now;
    }
    Forget(now);
    weight_ += 1;
  }
  // 0: there was none.
  double PerSecond(TimePoint now) const {
    if (!began_) return 0;
    const double decayed = weight_ * std::exp(-Since(last_, now) / kMemorySeconds);
    // So much of the memory has been seen; not less than a tenth of a second's, or the first few
    // events would make any rate.
    const double seen =
        kMemorySeconds * (1 - std::exp(-std::max(0.1, Since(first_, now)) / kMemorySeconds));
    return decayed / seen;
  }

 private:
  static double Since(TimePoint then, TimePoint now) {
    return std::max(0.0, ToSeconds(now - then));
  }
  void Forget(TimePoint now) {
    weight_ *= std::exp(-Since(last_, now) / kMemorySeconds);
    last_ = std::max(last_, now);
  }

  bool began_ = false;
  TimePoint first_{};
  TimePoint last_{};
  double weight_ = 0;
};

}  // namespace gw
