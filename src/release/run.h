// ReleaseRun: how far a release came, and what is next. A state machine without a clock of its own.
//
//   Waiting ---> Progressing (step by step) ---> Promoted
//                 |   ^ \                          |
//          Paused-+---+  +--> Holding, RolledBack  +--> Aborted
//
// A step is over when its pause is, enough requests of each version have ended, and no criterion is
// breached. What is not yet known of a criterion does not hold a step up: a candidate that is as
// good as the stable version would else wait for a proof that may need more requests than come. It
// is in the verdict for people to see; a larger `samples_min` makes steps wait for more.
//
// A breach ends the way up in Progressing and in Paused: a pause stops steps, not the watch.
// Holding keeps the step's weight until somebody decides. Time that the release is paused, held,
// waits, or has a version that is not ready, is no part of a step's pause. No look counts for more
// than kElapsedMax, so that neither a clock that jumps nor an hour without a gateway ends a step;
// a clock that goes back counts nothing.
//
// Once started, a candidate that is not ready has no requests: the release waits, and goes on in
// the same step and window, so that a candidate that crashes again and again is found; what it was
// still answering may be a breach meanwhile. A stable version that is not ready keeps its share: it
// is no reason to give the candidate more than its step allows.
//
// Commands fit some states and are refused, with a message, in others:
//
//               Waiting  Progressing  Paused    Holding     RolledBack, Aborted  Promoted
//   Pause       Paused   Paused       (same)    no          no                   no
//   Resume      no       no           goes on   same step,  from the first step  no
//                                               new window
//   Promote *   yes      yes          yes       yes         yes                  no
//   Abort       yes      yes          yes       yes         no                   yes
//   * a candidate that is ready
//
// One thread at a time.

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/status.h"
#include "release/plan.h"
#include "release/samples.h"
#include "release/verdict.h"

namespace gw::release {

enum class Phase : uint8_t {
  kWaiting,
  kProgressing,
  kPaused,
  kHolding,
  kRolledBack,
  kPromoted,
  kAborted
};
inline constexpr Phase kPhases[] = {Phase::kWaiting, Phase::kProgressing, Phase::kPaused,
                                    Phase::kHolding, Phase::kRolledBack,  Phase::kPromoted,
                                    Phase::kAborted};
std::string_view Name(Phase phase);

struct Transition {
  int64_t unix_ns = 0;
  Phase from = Phase::kWaiting;
  Phase to = Phase::kWaiting;
  size_t step = 0;     // where it led to, from 0
  std::string reason;  // in words, with the figures

  bool operator==(const Transition&) const = default;
};

// All that outlives a restart. Plain, to be written and read as a whole.
struct RunState {
  Phase phase = Phase::kWaiting;
  bool is_started = false;  // the candidate has had a share
  size_t step = 0;
  Duration spent{0};          // of the step's pause
  double weight_percent = 0;  // of the step, as it began
  int64_t generation = 0;     // of the plan
  std::string stable;         // its destinations
  std::string candidate;
  bool paused_done = false;  // what of the plan was carried out, as it is done once
  Request request_done = Request::kNone;
  Samples samples;  // of the window
  std::deque<Transition> history;
  uint64_t history_dropped = 0;

  bool operator==(const RunState&) const = default;
};

struct Weights {
  double stable_percent = 100;
  double candidate_percent = 0;
  uint64_t window = 0;  // that requests routed by these weights count in; 0: in none

  bool operator==(const Weights&) const = default;
};

// What there is to be seen at a moment.
struct Look {
  int64_t now_unix_ns = 0;
  bool stable_ready = true;
  bool candidate_ready = true;
  Samples samples = {};  // since the last look; those of another window are left out
};

class ReleaseRun {
 public:
  static constexpr size_t kHistoryMax = 50;
  static constexpr Duration kElapsedMax = std::chrono::minutes(1);

  // Goes on from `state`, which may be of an older plan, or say anything: what cannot be is mended.
  // REQUIRES: the plan is valid, as of those of SetPlan
  ReleaseRun(ReleasePlan plan, int64_t generation, int64_t now_unix_ns, RunState state = {});

  // Often, as every second: a breach is seen at a look.
  void Tick(const Look& look);

  // Another generation of the plan. With another destination everything begins anew, since what was
  // seen of the old ones says nothing of it. Else the release goes on, in the last step whose
  // weight is not above the present one's, or in the first; with a new window if its weight is
  // another one. Held, ended and promoted releases stay so. A change of `paused` and `request` is a
  // command; to promote waits for a candidate that is
  // not ready.
  void SetPlan(ReleasePlan plan, int64_t generation, int64_t now_unix_ns);

  // FailedPrecondition: it does not fit the state, and nothing changes.
  absl::Status Pause(int64_t now_unix_ns);
  absl::Status Resume(int64_t now_unix_ns);
  absl::Status Promote(int64_t now_unix_ns);
  absl::Status Abort(int64_t now_unix_ns);

  Weights weights() const;
  const ReleasePlan& plan() const { return plan_; }
  const RunState& state() const { return state_; }
  // Of the window so far, as of the last look.
  const Verdict& verdict() const { return verdict_; }
  // What it is doing or waiting for, one line.
  std::string StatusText() const;

 private:
  const Step& step() const { return plan_.steps[state_.step]; }
  bool HasStable() const { return step().weight_percent < 100; }
  bool IsEnded() const;
  void Mend();
  void FitStep(int64_t now_unix_ns);
  void StartAnew();
  void ApplyPlan(int64_t now_unix_ns);
  void EnterStep(size_t step);
  void Go(Phase to, int64_t now_unix_ns, std::string reason);
  void Watch(const Look& look);
  void Advance(const Look& look);
  std::string MissingSamples() const;
  absl::Status Refuse(std::string_view what, std::string_view why) const;

  ReleasePlan plan_;
  RunState state_;
  Verdict verdict_;
  // As of the last look. Whoever restarts has not looked yet, and goes on as it was.
  bool stable_ready_ = true;
  bool candidate_ready_ = true;
  std::optional<int64_t> looked_unix_ns_;
};

}  // namespace gw::release
