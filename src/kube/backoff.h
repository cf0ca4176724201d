// Backoff: how long to wait before the next try. The span doubles with each, from 2 s to 30 s, and
// the wait is drawn from its upper half: many gateways that lost the same server do not come back
// in step.

#pragma once

#include <algorithm>

#include "base/clock.h"
#include "base/random.h"

namespace gw::kube {

// Uniform between `from` and `to`.
inline Duration Between(Duration from, Duration to, Random& random) {
  return from + std::chrono::duration_cast<Duration>((to - from) * random.Unit());
}

class Backoff {
 public:
  static constexpr Duration kSpanMin = std::chrono::seconds(2);
  static constexpr Duration kSpanMax = std::chrono::seconds(30);

  Duration Next(Random& random) {
    const Duration span = span_;
    span_ = std::min(span_ * 2, kSpanMax);
    return Between(span / 2, span, random);
  }
  void Reset() { span_ = kSpanMin; }

 private:
  Duration span_ = kSpanMin;
};

}  // namespace gw::kube
