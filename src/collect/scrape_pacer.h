// ScrapePacer: how long to wait between two scrapes of one endpoint. Pure; time is passed in.
//
//   interval = max(options.interval, answer * gateways / load_ratio_max)           while in use
//              the same, but at least options.idle_interval                        while idle
//              the same, but at least failure_interval * 2^(failures in a row - 1) after failures
//
// The gateways know nothing of each other but their number, so each takes its part of the load.
//
// `answer` is the least of the last eight answering times: a model server answers its metrics from
// the one process that also serves requests, so the shortest time is what the page costs it and the
// rest is waiting for its turn. Idle means that the last page showed nothing running or waiting and
// that we have nothing in flight there; the latter is asked anew each time, so that the first
// request dispatched ends it as soon as it is noticed (look_plan.h).
//
// How old metrics get is our own doing, then, and says nothing about the endpoint up to
//
//   PacedAge = 2 * max(interval, turn) + longest of the last eight answering times
//
// so that one failed scrape between two good ones does not make it stale either. `turn` is how long
// it takes until everyone has been asked, where there are more than the budget has pages for
// (collect/scrape_budget.h).

#pragma once

#include <array>
#include <cstddef>

#include "base/clock.h"
#include "collect/scrape_options.h"

namespace gw {

class ScrapePacer {
 public:
  // `options` outlive it, and are looked at anew each time.
  explicit ScrapePacer(const ScrapeOptions& options) : options_(options) {}

  // `idle`: the page shows nothing running or waiting.
  void OnAnswer(Duration took, bool idle);
  void OnFailure();

  // From the beginning of the last scrape to the next. `in_use`: we have requests in flight there.
  // `age_max`: metrics older than this are not used, so even an idle endpoint is looked at twice in
  // it.
  Duration Interval(bool in_use, Duration age_max) const;

  // The age that metrics may reach by this pace: of an idle endpoint, which is the slower one.
  // Failures do not stretch it.
  Duration PacedAge(Duration age_max, Duration turn) const;

 private:
  static constexpr size_t kAnswers = 8;

  Duration IntervalWithoutFailures(bool in_use, Duration age_max) const;

  const ScrapeOptions& options_;
  std::array<Duration, kAnswers> answers_{};
  size_t answer_count_ = 0;
  Duration least_answer_{0};
  Duration longest_answer_{0};
  uint32_t failures_ = 0;
  bool idle_ = false;
};

}  // namespace gw
