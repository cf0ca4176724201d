// Debounce: many events close together are one change. Time is passed in.

#pragma once

#include <algorithm>
#include <optional>

#include "base/clock.h"

namespace gw::config {

class Debounce {
 public:
  Debounce(Duration quiet, Duration quiet_max, Duration writing_max)
      : quiet_(quiet), quiet_max_(quiet_max), writing_max_(writing_max) {}

  void Note(TimePoint now) {
    if (!first_) first_ = now;
    last_ = now;
  }

  // When the change is to be acted upon: `quiet` after the last event, but no later than
  // `quiet_max` after the first. While somebody still writes (`writing`) the half is not taken for
  // the whole, up to `writing_max` after the first event. Nothing if there was no event.
  std::optional<TimePoint> due(bool writing = false) const {
    if (!first_) return std::nullopt;
    if (writing) return *first_ + writing_max_;
    return std::min(last_ + quiet_, *first_ + quiet_max_);
  }

  void Clear() { first_.reset(); }

 private:
  const Duration quiet_;
  const Duration quiet_max_;
  const Duration writing_max_;
  std::optional<TimePoint> first_;
  TimePoint last_{};
};

}  // namespace gw::config
