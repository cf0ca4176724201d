// ReleasePlan: how requests go over from one version of a model to another, as it was asked for.
//
// A value: what is shifted (a stable and a candidate destination), in which steps, what counts as a
// breach and what follows from it. release/run.h walks it; nothing here knows how far it came.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"

namespace gw::release {

struct Step {
  double weight_percent = 0;  // of the candidate, above 0 and at most 100
  Duration pause{0};          // for which this weight is kept at least
  int64_t samples_min = 0;    // ended requests of each version that has a share

  bool operator==(const Step&) const = default;
};

// By how much the candidate may be worse than the stable version at the same time. What is unset is
// not compared. Whatever is set here, a candidate that answers (nearly) nothing is a breach.
struct Criteria {
  std::optional<double> error_rate;  // difference of shares, in [0, 1): 0.01 is a percentage point
  std::optional<double> ttft;        // ratio of geometric means, at least 1: 1.2 is a fifth slower
  std::optional<double> tpot;        // the same
  // Difference of shares, in [0, 1), for each reason that is a bad sign: answers that end since
  // they are too long, and those that end abnormally.
  std::optional<double> finish_reasons;

  bool operator==(const Criteria&) const = default;
};

enum class OnBreach : uint8_t { kHold, kRollBack };

// What the plan asks for beside its course. It is done once, when it is new.
enum class Request : uint8_t { kNone, kPromote, kAbort };

struct ReleasePlan {
  std::string name;
  std::string stable;     // destinations, by the names that people know them by
  std::string candidate;  //
  std::vector<Step> steps;
  Criteria criteria;
  // Of releases whose candidate is as much worse as it may be, and no more, at most this share is
  // stopped: over all steps, criteria and however many looks. A step that somebody has begin anew
  // (resumed after a breach, another weight) has its part of it once more.
  double false_alarm_rate = 0.01;
  OnBreach on_breach = OnBreach::kRollBack;
  bool paused = false;
  Request request = Request::kNone;

  bool operator==(const ReleasePlan&) const = default;
};

inline constexpr size_t kStepsMax = 50;
inline constexpr int64_t kSamplesMinMax = 1'000'000'000;
inline constexpr Duration kPauseMax = std::chrono::hours(24 * 30);

// InvalidArgument names the field as an object's author wrote it ("steps[1].weight: ...").
absl::Status Validate(const ReleasePlan& plan);

// The plan as lines for people, each ended by a line feed. REQUIRES: it is valid
std::string PlanText(const ReleasePlan& plan);

// Of each test of each step: the plan's rate in equal parts (union bound). A test is one comparison
// (release/verdict.h).
double TestFalseAlarmRate(const ReleasePlan& plan);

// "1h30m", "90s" as "1m30s", "0s"; fractions of a second as "0.25s".
std::string DurationText(Duration duration);
// "20 %", "0.5 %".
std::string PercentText(double percent);

}  // namespace gw::release
