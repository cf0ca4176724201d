// Verdict: what the samples of a window say about each criterion.
//
// Three answers: the candidate is worse than it may be (the lower bound of the difference is above
// what is allowed), it is not (the upper bound is not above it), or that is not yet known. Bounds
// are those of release/confidence.h, which hold at every look; samples are of one window, which
// begins anew with each step. Sums over several steps would compare the stable version's night with
// the candidate's day, as the candidate has most of its requests in the late steps, and the bounds
// of durations want one probability throughout. A price of it is that each step has its own part of
// the rate of false alarms.
//
// Compared are the share of errors, TTFT and TPOT by their geometric means (what slows only one
// request in a hundred hardly moves them), and the shares of answers cut for their length and of
// those that end abnormally. Fewer of these are no breach.
//
// Beside the criteria there is a guard, always on: errors more than half of all requests above the
// stable version's. It stops a candidate that answers nothing, where a step has no requests
// of the stable version too: there, more than half being errors.
//
// Pure functions, any thread.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "release/confidence.h"
#include "release/plan.h"
#include "release/samples.h"

namespace gw::release {

enum class Compared : uint8_t { kAnswersNothing, kErrors, kTtft, kTpot, kLength, kAbnormal };
enum class Finding : uint8_t { kNotYetKnown, kWithin, kBreached };

// Durations in seconds and their ratio; shares and their difference.
struct TestVerdict {
  Compared compared = Compared::kErrors;
  Finding finding = Finding::kNotYetKnown;
  double candidate = 0;
  double stable = 0;
  Bounds difference;
  double allowed = 0;
};

struct Verdict {
  std::vector<TestVerdict> tests;  // in the order of Compared, those that are made

  // The first one, null where there is none.
  const TestVerdict* breach() const;
};

// `alpha` is for each test and each bound. Of a window in which the candidate has all requests
// (`has_stable` is false) only the guard is judged. REQUIRES: 0 < alpha < 1
Verdict Judge(const Criteria& criteria, double alpha, const Samples& samples, bool has_stable);

std::string_view Name(Compared compared);
// "TTFT of the candidate is 1.42 times the stable's (at least 1.31 with false alarm rate 1 %), at
// most 1.2 is allowed"; the rate is the plan's. Of what is within, or not yet known, both bounds.
std::string VerdictText(const TestVerdict& verdict, double false_alarm_rate);

}  // namespace gw::release
