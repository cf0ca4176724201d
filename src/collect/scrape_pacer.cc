#include "collect/scrape_pacer.h"

#include <algorithm>

namespace gw {

void ScrapePacer::OnAnswer(Duration took, bool idle) {
  answers_[answer_count_++ % kAnswers] = took;
  const auto end =
      answers_.begin() + static_cast<std::ptrdiff_t>(std::min(answer_count_, kAnswers));
  const auto [least, longest] = std::minmax_element(answers_.begin(), end);
  least_answer_ = *least;
  longest_answer_ = *longest;
  failures_ = 0;
  idle_ = idle;
}

void ScrapePacer::OnFailure() { ++failures_; }

Duration ScrapePacer::IntervalWithoutFailures(bool in_use, Duration age_max) const {
  const Duration interval =
      std::max(options_.interval, std::chrono::duration_cast<Duration>(
                                      least_answer_ * options_.gateways / options_.load_ratio_max));
  if (!idle_ || in_use) return interval;
  return std::max(interval, std::min(options_.idle_interval, age_max / 2));
}

Duration ScrapePacer::Interval(bool in_use, Duration age_max) const {
  Duration interval = IntervalWithoutFailures(in_use, age_max);
  if (failures_ > 0) {
    Duration wait = options_.failure_interval;
    for (uint32_t i = 1; i < failures_ && wait < options_.failure_interval_max; ++i) wait *= 2;
    interval = std::max(interval, std::min(wait, options_.failure_interval_max));
  }
  return interval;
}

Duration ScrapePacer::PacedAge(Duration age_max, Duration turn) const {
  return 2 * std::max(IntervalWithoutFailures(false, age_max), turn) + longest_answer_;
}

}  // namespace gw
