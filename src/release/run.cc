#include "release/run.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "fmt/format.h"

namespace gw::release {

std::string_view Name(Phase phase) {
  switch (phase) {
    case Phase::kWaiting:
      return "Waiting";
    case Phase::kProgressing:
      return "Progressing";
    case Phase::kPaused:
      return "Paused";
    case Phase::kHolding:
      return "Holding";
    case Phase::kRolledBack:
      return "RolledBack";
    case Phase::kPromoted:
      return "Promoted";
    case Phase::kAborted:
      return "Aborted";
  }
  return "";
}

ReleaseRun::ReleaseRun(ReleasePlan plan, int64_t generation, int64_t now_unix_ns, RunState state)
    : plan_(std::move(plan)), state_(std::move(state)) {
  CHECK(Validate(plan_).ok());
  Mend();
  // A release that is not known yet waits for its versions: nothing says that they are ready.
  candidate_ready_ = state_.is_started;
  stable_ready_ = state_.is_started;
  SetPlan(std::move(plan_), generation, now_unix_ns);
}

// State out of a file may be of another release, or be nonsense.
void ReleaseRun::Mend() {
  if (state_.phase == Phase::kProgressing || state_.phase == Phase::kHolding) {
    state_.is_started = true;
  }
  if (!(state_.weight_percent >= 0 && state_.weight_percent <= 100)) state_.weight_percent = 0;
  state_.spent = std::clamp(state_.spent, Duration(0), kPauseMax);
  state_.step = std::min(state_.step, plan_.steps.size() - 1);
  if (!state_.samples.stable.IsSane() || !state_.samples.candidate.IsSane()) {
    state_.samples.stable = {};
    state_.samples.candidate = {};
  }
  while (state_.history.size() > kHistoryMax) {
    state_.history.pop_front();
    ++state_.history_dropped;
  }
}

bool ReleaseRun::IsEnded() const {
  return state_.phase == Phase::kRolledBack || state_.phase == Phase::kAborted ||
         state_.phase == Phase::kPromoted;
}

void ReleaseRun::SetPlan(ReleasePlan plan, int64_t generation, int64_t now_unix_ns) {
  CHECK(Validate(plan).ok());
  plan_ = std::move(plan);
  const bool is_new = state_.stable.empty();
  const bool is_other = state_.stable != plan_.stable || state_.candidate != plan_.candidate;
  if (is_other) {
    StartAnew();
    if (!is_new) {
      Go(Phase::kWaiting, now_unix_ns,
         fmt::format("the plan is now from {} to {}", plan_.stable, plan_.candidate));
    }
    state_.phase = Phase::kWaiting;
  } else {
    // With the same steps, as after a restart, this finds the same one.
    FitStep(now_unix_ns);
  }
  state_.generation = generation;
  ApplyPlan(now_unix_ns);
}

void ReleaseRun::StartAnew() {
  state_.stable = plan_.stable;
  state_.candidate = plan_.candidate;
  state_.is_started = false;
  state_.paused_done = false;
  // A request of the plan is only done again if it is another one: who changes the candidate and
  // leaves an old `promote` in place does not mean the new one.
  EnterStep(0);
}

void ReleaseRun::FitStep(int64_t now_unix_ns) {
  const std::vector<Step>& steps = plan_.steps;
  size_t fit = 0;
  // Nothing is kept of a release that has not started.
  for (size_t i = 0;
       state_.is_started && i < steps.size() && steps[i].weight_percent <= state_.weight_percent;
       ++i) {
    fit = i;
  }
  if (steps[fit].weight_percent == state_.weight_percent) {
    state_.step = fit;
    return;
  }
  EnterStep(fit);
  if (!state_.is_started || IsEnded()) return;
  Go(state_.phase, now_unix_ns,
     fmt::format("the plan's steps are others: goes on in step {} of {}, {} of requests", fit + 1,
                 steps.size(), PercentText(steps[fit].weight_percent)));
}

void ReleaseRun::EnterStep(size_t step) {
  state_.step = step;
  state_.spent = Duration(0);
  state_.weight_percent = plan_.steps[step].weight_percent;
  ++state_.samples.window;
  state_.samples.stable = {};
  state_.samples.candidate = {};
  verdict_ = {};
}

void ReleaseRun::Go(Phase to, int64_t now_unix_ns, std::string reason) {
  const Phase from = std::exchange(state_.phase, to);
  state_.history.push_back({now_unix_ns, from, to, state_.step, std::move(reason)});
  if (state_.history.size() > kHistoryMax) {
    state_.history.pop_front();
    ++state_.history_dropped;
  }
}

// What the plan asks for beside its course, as far as it is not done.
void ReleaseRun::ApplyPlan(int64_t now_unix_ns) {
  if (plan_.paused != state_.paused_done) {
    state_.paused_done = plan_.paused;
    // Where it does not fit there is nothing to pause or to resume, and it is done. Taking a pause
    // back resumes nothing but a pause: what was held or ended wants to be told by itself.
    if (plan_.paused) {
      Pause(now_unix_ns).IgnoreError();
    } else if (state_.phase == Phase::kPaused) {
      Resume(now_unix_ns).IgnoreError();
    }
  }
  if (plan_.request == state_.request_done) return;
  // One that does not fit a state is as good as done, or it would fall upon a later one. Only a
  // candidate that is not ready is waited for.
  if (plan_.request == Request::kAbort) {
    Abort(now_unix_ns).IgnoreError();
  } else if (plan_.request == Request::kPromote) {
    if (!candidate_ready_) return;
    Promote(now_unix_ns).IgnoreError();
  }
  state_.request_done = plan_.request;
}

void ReleaseRun::Tick(const Look& look) {
  Duration elapsed{0};
  if (looked_unix_ns_ && look.now_unix_ns > *looked_unix_ns_) {
    elapsed = std::min(Duration(look.now_unix_ns - *looked_unix_ns_), kElapsedMax);
  }
  looked_unix_ns_ = look.now_unix_ns;
  const bool ran = stable_ready_ && candidate_ready_;
  stable_ready_ = look.stable_ready;
  candidate_ready_ = look.candidate_ready;
  ApplyPlan(look.now_unix_ns);
  Watch(look);
  const bool runs = ran && look.stable_ready && look.candidate_ready;
  if (state_.phase == Phase::kProgressing && runs) state_.spent += elapsed;
  Advance(look);
}

// Takes the samples in and looks for a breach.
void ReleaseRun::Watch(const Look& look) {
  if (!state_.is_started || IsEnded()) return;
  if (look.samples.window == state_.samples.window) state_.samples.Merge(look.samples);
  verdict_ = Judge(plan_.criteria, TestFalseAlarmRate(plan_), state_.samples, HasStable());
  if (state_.phase == Phase::kHolding) {
    // Held under a plan that now wants breaches rolled back.
    if (plan_.on_breach == OnBreach::kRollBack) {
      Go(Phase::kRolledBack, look.now_unix_ns, "was held, and the plan rolls breaches back");
    }
    return;
  }
  const TestVerdict* const breach = verdict_.breach();
  if (breach == nullptr) return;
  Go(plan_.on_breach == OnBreach::kRollBack ? Phase::kRolledBack : Phase::kHolding,
     look.now_unix_ns, VerdictText(*breach, plan_.false_alarm_rate));
}

void ReleaseRun::Advance(const Look& look) {
  const auto requests = [this] {
    return fmt::format("step {} of {}: {} of requests to {}", state_.step + 1, plan_.steps.size(),
                       PercentText(step().weight_percent), plan_.candidate);
  };
  if (state_.phase == Phase::kWaiting && look.stable_ready && look.candidate_ready) {
    const bool is_back = std::exchange(state_.is_started, true);
    Go(Phase::kProgressing, look.now_unix_ns,
       absl::StrCat(is_back ? "both versions are ready again; " : "both versions are ready; ",
                    requests()));
    return;
  }
  if (state_.phase != Phase::kProgressing) return;
  if (!look.candidate_ready) {
    Go(Phase::kWaiting, look.now_unix_ns, fmt::format("{} is not ready", plan_.candidate));
    return;
  }
  if (!look.stable_ready || state_.spent < step().pause || !MissingSamples().empty()) return;
  if (state_.step + 1 == plan_.steps.size()) {
    Go(Phase::kPromoted, look.now_unix_ns, "all steps passed without a breach");
    return;
  }
  EnterStep(state_.step + 1);
  Go(Phase::kProgressing, look.now_unix_ns,
     absl::StrCat("the step before passed without a breach; ", requests()));
}

// Empty if there are enough of all versions that have requests.
std::string ReleaseRun::MissingSamples() const {
  const int64_t wanted = step().samples_min;
  std::string text;
  const auto look = [&](std::string_view name, const VersionSamples& samples) {
    if (samples.requests >= wanted) return;
    text += fmt::format("{}{} of {} samples of {}", text.empty() ? "" : ", ", samples.requests,
                        wanted, name);
  };
  look(plan_.candidate, state_.samples.candidate);
  if (HasStable()) look(plan_.stable, state_.samples.stable);
  return text;
}

absl::Status ReleaseRun::Refuse(std::string_view what, std::string_view why) const {
  return absl::FailedPreconditionError(
      fmt::format("release {} cannot be {}: {}", plan_.name, what, why));
}

absl::Status ReleaseRun::Pause(int64_t now_unix_ns) {
  switch (state_.phase) {
    case Phase::kPaused:
      return absl::OkStatus();
    case Phase::kWaiting:
    case Phase::kProgressing:
      Go(Phase::kPaused, now_unix_ns, "paused");
      return absl::OkStatus();
    default:
      return Refuse("paused", fmt::format("it is {}", Name(state_.phase)));
  }
}

absl::Status ReleaseRun::Resume(int64_t now_unix_ns) {
  switch (state_.phase) {
    case Phase::kPaused:
      if (state_.is_started && candidate_ready_) {
        Go(Phase::kProgressing, now_unix_ns, "resumed");
      } else {
        Go(Phase::kWaiting, now_unix_ns, "resumed");
      }
      return absl::OkStatus();
    case Phase::kHolding:
      // In the old window the breach would be there at once.
      EnterStep(state_.step);
      Go(Phase::kProgressing, now_unix_ns, "resumed after a breach, with a new window");
      return absl::OkStatus();
    case Phase::kRolledBack:
    case Phase::kAborted:
      StartAnew();
      state_.paused_done = plan_.paused;
      Go(Phase::kWaiting, now_unix_ns, "resumed, from the first step");
      return absl::OkStatus();
    default:
      return Refuse("resumed", fmt::format("it is {}", Name(state_.phase)));
  }
}

absl::Status ReleaseRun::Promote(int64_t now_unix_ns) {
  if (state_.phase == Phase::kPromoted) return Refuse("promoted", "it is Promoted");
  if (!candidate_ready_) return Refuse("promoted", fmt::format("{} is not ready", plan_.candidate));
  Go(Phase::kPromoted, now_unix_ns, "promoted by hand");
  return absl::OkStatus();
}

absl::Status ReleaseRun::Abort(int64_t now_unix_ns) {
  if (state_.phase == Phase::kRolledBack || state_.phase == Phase::kAborted) {
    return Refuse("aborted", fmt::format("it is {}", Name(state_.phase)));
  }
  Go(Phase::kAborted, now_unix_ns, "aborted by hand");
  return absl::OkStatus();
}

Weights ReleaseRun::weights() const {
  double candidate = 0;
  switch (state_.phase) {
    case Phase::kPromoted:
      candidate = 100;
      break;
    case Phase::kProgressing:
    case Phase::kPaused:
    case Phase::kHolding:
      if (state_.is_started && candidate_ready_) candidate = step().weight_percent;
      break;
    case Phase::kWaiting:
    case Phase::kRolledBack:
    case Phase::kAborted:
      break;
  }
  // What the stable version answers alone is compared with nothing.
  return {100 - candidate, candidate, candidate > 0 ? state_.samples.window : 0};
}

std::string ReleaseRun::StatusText() const {
  const std::string place =
      fmt::format("step {} of {}, {} of requests to {}", state_.step + 1, plan_.steps.size(),
                  PercentText(weights().candidate_percent), plan_.candidate);
  switch (state_.phase) {
    case Phase::kWaiting:
      if (stable_ready_ && candidate_ready_) return "starts at the next look";
      return fmt::format("waits for {}{}{} to be ready", stable_ready_ ? "" : plan_.stable,
                         stable_ready_ || candidate_ready_ ? "" : " and ",
                         candidate_ready_ ? "" : plan_.candidate);
    case Phase::kProgressing: {
      if (!stable_ready_) return fmt::format("{}: {} is not ready", place, plan_.stable);
      const Duration left = std::max(Duration(0), step().pause - state_.spent);
      const std::string missing = MissingSamples();
      return fmt::format("{}: {} to go{}{}", place,
                         DurationText(std::chrono::ceil<std::chrono::seconds>(left)),
                         missing.empty() ? "" : ", ", missing);
    }
    case Phase::kPaused:
      return fmt::format("paused in {}", place);
    case Phase::kHolding:
      return fmt::format("held in {}: {}", place,
                         state_.history.empty() ? "" : state_.history.back().reason);
    case Phase::kPromoted:
      return fmt::format("promoted: all requests to {}", plan_.candidate);
    case Phase::kRolledBack:
    case Phase::kAborted:
      return fmt::format("{}: all requests to {}; {}", Name(state_.phase), plan_.stable,
                         state_.history.empty() ? "" : state_.history.back().reason);
  }
  return "";
}

}  // namespace gw::release
