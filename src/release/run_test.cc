#include "release/run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"

namespace gw::release {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;

ReleasePlan Plan() {
  return {
      .name = "qwen",
      .stable = "pool-a",
      .candidate = "pool-b",
      .steps = {{5, minutes(2), 50}, {20, minutes(2), 50}, {50, minutes(2), 0}},
      .criteria = {
          .error_rate = 0.01, .ttft = 1.2, .tpot = std::nullopt, .finish_reasons = std::nullopt}};
}

// A release with a clock, and requests as they are asked for.
class Release {
 public:
  explicit Release(ReleasePlan plan = Plan(), RunState state = {})
      : run_(std::move(plan), 1, now_unix_ns_, std::move(state)) {}

  ReleaseRun* operator->() { return &run_; }
  int64_t now() const { return now_unix_ns_; }
  Phase phase() const { return run_.state().phase; }
  const std::string& reason() const { return run_.state().history.back().reason; }

  void Look(Duration after, Samples samples = {}) {
    now_unix_ns_ += after.count();
    samples.window = run_.weights().window;
    run_.Tick({now_unix_ns_, stable_ready, candidate_ready, samples});
  }
  // Looks each half minute.
  void Wait(Duration time) {
    for (Duration left = time; left > Duration(0); left -= seconds(30)) Look(seconds(30));
  }
  // That many of each, alike, at once.
  static Samples Good(int requests) {
    Random random(5);
    Samples samples;
    for (int i = 0; i < requests; ++i) {
      samples.stable.AddAnswer(0.2 + 0.1 * random.Unit(), 0.02, Finish::kStop);
      samples.candidate.AddAnswer(0.2 + 0.1 * random.Unit(), 0.02, Finish::kStop);
    }
    return samples;
  }
  static Samples Bad(int requests) {
    Samples samples = Good(requests);
    for (int i = 0; i < requests; ++i) samples.candidate.AddError();
    return samples;
  }
  // To the step of that index.
  void GoTo(size_t step) {
    Look(Duration(0));
    while (run_.state().step < step) {
      Look(Duration(0), Good(100));
      Wait(minutes(2));
    }
  }

  bool stable_ready = true;
  bool candidate_ready = true;

 private:
  int64_t now_unix_ns_ = 1'700'000'000'000'000'000;
  ReleaseRun run_;
};

TEST(ReleaseRun, WaitsUntilBothVersionsAreReady) {
  Release release;
  EXPECT_EQ(release->weights(), (Weights{100, 0, 0}));
  release.stable_ready = false;
  release.candidate_ready = false;
  release.Look(seconds(1));
  EXPECT_EQ(release.phase(), Phase::kWaiting);
  EXPECT_EQ(release->StatusText(), "waits for pool-a and pool-b to be ready");
  release.stable_ready = true;
  release.Look(seconds(1));
  EXPECT_EQ(release->StatusText(), "waits for pool-b to be ready");
  release.candidate_ready = true;
  release.Look(seconds(1));
  EXPECT_EQ(release.phase(), Phase::kProgressing);
  EXPECT_EQ(release.reason(), "both versions are ready; step 1 of 3: 5 % of requests to pool-b");
  EXPECT_EQ(release->weights().candidate_percent, 5);
  EXPECT_EQ(release->weights().stable_percent, 95);
}

TEST(ReleaseRun, AStepWantsItsPauseAndItsSamples) {
  Release release;
  release.Look(seconds(1));
  release.Wait(minutes(2));
  EXPECT_EQ(release->state().step, 0u);
  EXPECT_EQ(release->StatusText(),
            "step 1 of 3, 5 % of requests to pool-b: 0s to go, 0 of 50 samples of pool-b, 0 of 50 "
            "samples of pool-a");
  const uint64_t window = release->weights().window;
  release.Look(seconds(1), Release::Good(50));
  EXPECT_EQ(release->state().step, 1u);
  EXPECT_EQ(release->weights().candidate_percent, 20);
  EXPECT_EQ(release->weights().window, window + 1);
  EXPECT_EQ(release->state().samples.stable.requests, 0);
  release.Look(seconds(1), Release::Good(50));
  release.Wait(seconds(90));
  EXPECT_EQ(release->state().step, 1u);
  release.Wait(seconds(30));
  EXPECT_EQ(release->state().step, 2u);
  release.Wait(minutes(2));
  EXPECT_EQ(release.phase(), Phase::kPromoted);
  EXPECT_EQ(release->weights().candidate_percent, 100);
  EXPECT_EQ(release.reason(), "all steps passed without a breach");
  release.Look(seconds(1), Release::Bad(100));
  EXPECT_EQ(release.phase(), Phase::kPromoted);
}

TEST(ReleaseRun, ABreachInAnyStepEndsIt) {
  for (const OnBreach on_breach : {OnBreach::kRollBack, OnBreach::kHold}) {
    for (size_t step = 0; step < 3; ++step) {
      ReleasePlan plan = Plan();
      plan.on_breach = on_breach;
      Release release(plan);
      release.GoTo(step);
      release.Look(seconds(1), Release::Bad(100));
      const bool is_held = on_breach == OnBreach::kHold;
      EXPECT_EQ(release.phase(), is_held ? Phase::kHolding : Phase::kRolledBack);
      EXPECT_EQ(release->weights().candidate_percent,
                is_held ? plan.steps[step].weight_percent : 0);
      EXPECT_THAT(release.reason(), HasSubstr("errors: 50 % of the candidate's, 0 % of the"));
      const RunState before = release->state();
      release.Wait(minutes(5));
      EXPECT_EQ(release->state(), before);
    }
  }
}

TEST(ReleaseRun, TheLastStepOfAllRequestsNeedsNoneOfTheStableVersion) {
  ReleasePlan plan = Plan();
  plan.steps = {{100, seconds(30), 10}};
  Release release(plan);
  release.Look(seconds(1));
  Samples samples = Release::Good(20);
  samples.stable = {};
  release.Look(seconds(1), samples);
  release.Wait(seconds(30));
  EXPECT_EQ(release.phase(), Phase::kPromoted);

  Release failing(plan);
  failing.Look(seconds(1));
  samples.candidate = {};
  for (int i = 0; i < 36; ++i) samples.candidate.AddError();
  failing.Look(seconds(1), samples);
  EXPECT_EQ(failing.phase(), Phase::kRolledBack);
}

TEST(ReleaseRun, APauseStopsTheTimeButNotTheWatch) {
  Release release;
  release.GoTo(1);
  EXPECT_TRUE(release->Pause(release.now()).ok());
  EXPECT_EQ(release->weights().candidate_percent, 20);
  release.Look(seconds(30), Release::Good(100));
  release.Wait(minutes(10));
  EXPECT_EQ(release.phase(), Phase::kPaused);
  EXPECT_EQ(release->state().spent, Duration(0));
  EXPECT_EQ(release->state().samples.candidate.requests, 100);
  EXPECT_TRUE(release->Resume(release.now()).ok());
  release.Wait(seconds(90));
  EXPECT_EQ(release->state().step, 1u);
  EXPECT_TRUE(release->Pause(release.now()).ok());
  release.Look(seconds(1), Release::Bad(100));
  EXPECT_EQ(release.phase(), Phase::kRolledBack);
}

TEST(ReleaseRun, ACandidateThatIsLostHasNoRequestsAndItsErrorsStay) {
  Release release;
  release.GoTo(1);
  Samples errors = Release::Good(40);
  for (int i = 0; i < 4; ++i) errors.candidate.AddError();
  release.Look(seconds(30), errors);
  const uint64_t window = release->weights().window;
  release.candidate_ready = false;
  release.Look(seconds(1));
  EXPECT_EQ(release.phase(), Phase::kWaiting);
  EXPECT_EQ(release->weights(), (Weights{100, 0, 0}));
  release.Wait(minutes(5));
  EXPECT_EQ(release->state().spent, seconds(30));
  release.candidate_ready = true;
  release.Look(seconds(1));
  EXPECT_EQ(release.phase(), Phase::kProgressing);
  EXPECT_EQ(release->state().step, 1u);
  EXPECT_EQ(release->weights().window, window);
  EXPECT_EQ(release->state().samples.candidate.errors, 4);
}

TEST(ReleaseRun, NoTimeRunsWithoutTheStableVersion) {
  Release release;
  release.GoTo(2);
  release.stable_ready = false;
  release.Wait(minutes(5));
  EXPECT_EQ(release.phase(), Phase::kProgressing);
  EXPECT_EQ(release->weights().candidate_percent, 50);
  EXPECT_THAT(release->StatusText(), HasSubstr("pool-a is not ready"));
}

TEST(ReleaseRun, AClockThatJumpsEndsNoStep) {
  Release release;
  release.GoTo(2);
  release.Look(std::chrono::hours(24));
  EXPECT_EQ(release->state().spent, minutes(1));
  release.Look(-std::chrono::hours(48));
  EXPECT_EQ(release->state().spent, minutes(1));
  release.Look(seconds(30));
  EXPECT_EQ(release->state().spent, seconds(90));
  release.Look(seconds(30));
  EXPECT_EQ(release.phase(), Phase::kPromoted);
}

TEST(ReleaseRun, SamplesOfAnotherWindowAreLeftOut) {
  Release release;
  release.GoTo(1);
  Samples late = Release::Bad(100);
  late.window = release->weights().window - 1;
  release->Tick({release.now(), true, true, late});
  EXPECT_EQ(release.phase(), Phase::kProgressing);
  EXPECT_EQ(release->state().samples.candidate.requests, 0);
}

// The table in the header, row by row: what each command leads to; none: it is refused.
TEST(ReleaseRun, CommandsInEveryPhase) {
  struct Row {
    Phase from;
    std::optional<Phase> pause, resume, promote, abort;
  };
  using enum Phase;
  const std::vector<Row> rows = {
      {kWaiting, kPaused, {}, kPromoted, kAborted},
      {kProgressing, kPaused, {}, kPromoted, kAborted},
      {kPaused, kPaused, kProgressing, kPromoted, kAborted},
      {kHolding, {}, kProgressing, kPromoted, kAborted},
      {kRolledBack, {}, kWaiting, kPromoted, {}},
      {kAborted, {}, kWaiting, kPromoted, {}},
      {kPromoted, {}, {}, {}, kAborted},
  };
  using Command = absl::Status (ReleaseRun::*)(int64_t);
  for (const Row& row : rows) {
    const std::vector<std::pair<Command, std::optional<Phase>>> commands = {
        {&ReleaseRun::Pause, row.pause},
        {&ReleaseRun::Resume, row.resume},
        {&ReleaseRun::Promote, row.promote},
        {&ReleaseRun::Abort, row.abort}};
    for (const auto& [command, wanted] : commands) {
      Release made;
      made.GoTo(1);
      RunState state = made->state();
      state.phase = row.from;
      ReleaseRun run(Plan(), 1, made.now(), state);
      const size_t transitions = run.state().history.size();
      const absl::Status status = (run.*command)(made.now());
      EXPECT_EQ(status.ok(), wanted.has_value()) << Name(row.from) << status.ToString();
      EXPECT_EQ(run.state().phase, wanted.value_or(row.from)) << Name(row.from);
      const bool is_same = run.state().phase == row.from;
      EXPECT_EQ(run.state().history.size(), transitions + (is_same ? 0 : 1));
      if (!status.ok()) {
        EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
        EXPECT_THAT(std::string(status.message()), HasSubstr("release qwen cannot be "));
      }
    }
  }
}

TEST(ReleaseRun, APausedStartResumesToWaiting) {
  ReleasePlan plan = Plan();
  plan.paused = true;
  Release release(plan);
  EXPECT_EQ(release.phase(), Phase::kPaused);
  release.Wait(minutes(5));
  EXPECT_EQ(release->weights().candidate_percent, 0);
  plan.paused = false;
  release->SetPlan(plan, 2, release.now());
  EXPECT_EQ(release.phase(), Phase::kWaiting);
  release.Look(seconds(1));
  EXPECT_EQ(release.phase(), Phase::kProgressing);
}

TEST(ReleaseRun, ACandidateThatIsNotReadyIsNotPromoted) {
  ReleasePlan plan = Plan();
  plan.request = Request::kPromote;
  Release release(plan);
  EXPECT_FALSE(release->Promote(release.now()).ok());
  release.candidate_ready = false;
  release.Look(seconds(1));
  EXPECT_EQ(release.phase(), Phase::kWaiting);
  // The plan's request waits for it.
  release.candidate_ready = true;
  release.Look(seconds(1));
  EXPECT_EQ(release.phase(), Phase::kPromoted);
  // And is done once: what follows by hand stays.
  EXPECT_TRUE(release->Abort(release.now()).ok());
  release.Wait(minutes(1));
  EXPECT_EQ(release.phase(), Phase::kAborted);
}

TEST(ReleaseRun, AnAbortOfWhatIsOverDoesNotFallUponWhatComesThen) {
  Release release;
  release.GoTo(0);
  release.Look(seconds(1), Release::Bad(100));
  ReleasePlan plan = Plan();
  plan.request = Request::kAbort;
  release->SetPlan(plan, 2, release.now());
  EXPECT_EQ(release.phase(), Phase::kRolledBack);
  EXPECT_TRUE(release->Resume(release.now()).ok());
  release.Look(seconds(1));
  EXPECT_EQ(release.phase(), Phase::kProgressing);
  EXPECT_EQ(release->state().step, 0u);
}

TEST(ReleaseRun, WhoResumesWhatIsHeldHasANewWindow) {
  ReleasePlan plan = Plan();
  plan.on_breach = OnBreach::kHold;
  Release release(plan);
  release.GoTo(1);
  release.Look(seconds(1), Release::Bad(100));
  EXPECT_TRUE(release->Resume(release.now()).ok());
  release.Look(seconds(1), Release::Good(100));
  EXPECT_EQ(release.phase(), Phase::kProgressing);
  release.Look(seconds(1), Release::Bad(100));
  EXPECT_EQ(release.phase(), Phase::kHolding);
  plan.on_breach = OnBreach::kRollBack;
  release->SetPlan(plan, 2, release.now());
  release.Look(seconds(1));
  EXPECT_EQ(release.phase(), Phase::kRolledBack);
}

TEST(ReleaseRun, OtherStepsGoOnInTheLastOneThatIsNotAbove) {
  const auto after = [](std::vector<Step> steps, Release& release) {
    ReleasePlan plan = Plan();
    plan.steps = std::move(steps);
    release->SetPlan(plan, 2, release.now());
    return release->weights().candidate_percent;
  };
  const Step rest = {90, minutes(2), 0};
  Release release;
  release.GoTo(1);
  release.Look(seconds(30), Release::Good(10));
  const uint64_t window = release->weights().window;
  EXPECT_EQ(after({{1, minutes(1), 0}, {20, minutes(9), 0}, rest}, release), 20);
  EXPECT_EQ(release->weights().window, window);
  EXPECT_EQ(release->state().spent, seconds(30));
  EXPECT_EQ(after({{10, minutes(1), 0}, {30, minutes(1), 0}, rest}, release), 10);
  EXPECT_EQ(release->weights().window, window + 1);
  EXPECT_EQ(release->state().spent, Duration(0));
  EXPECT_THAT(release.reason(), HasSubstr("the plan's steps are others: goes on in step 1 of 3"));
  EXPECT_EQ(after({rest}, release), 90);
}

TEST(ReleaseRun, StepsOfAReleaseThatHasNotStartedBeginWithTheFirst) {
  Release release;
  ReleasePlan plan = Plan();
  plan.steps.insert(plan.steps.begin(), {1, minutes(1), 0});
  release->SetPlan(plan, 2, release.now());
  EXPECT_EQ(release->state().step, 0u);
  release.Look(seconds(1));
  EXPECT_EQ(release->weights().candidate_percent, 1);
}

TEST(ReleaseRun, AnotherDestinationBeginsAnew) {
  for (const Phase phase : {Phase::kProgressing, Phase::kPromoted, Phase::kRolledBack}) {
    Release release;
    release.GoTo(2);
    if (phase == Phase::kPromoted) {
      EXPECT_TRUE(release->Promote(release.now()).ok());
    }
    if (phase == Phase::kRolledBack) release.Look(seconds(1), Release::Bad(100));
    EXPECT_EQ(release.phase(), phase);
    ReleasePlan plan = Plan();
    plan.candidate = "pool-c";
    release->SetPlan(plan, 2, release.now());
    EXPECT_EQ(release.phase(), Phase::kWaiting);
    EXPECT_EQ(release.reason(), "the plan is now from pool-a to pool-c");
    EXPECT_EQ(release->weights().candidate_percent, 0);
    release.Look(seconds(1));
    EXPECT_EQ(release->weights().candidate_percent, 5);
  }
}

TEST(ReleaseRun, GoesOnAfterARestartWhereItWas) {
  Release release;
  release.GoTo(1);
  release.Look(seconds(30), Release::Good(40));
  Release again(Plan(), release->state());
  EXPECT_EQ(again->state(), release->state());
  EXPECT_EQ(again->weights(), release->weights());
  // Nothing is known of how long nobody looked.
  again.Look(std::chrono::hours(1), Release::Good(40));
  EXPECT_EQ(again->state().spent, seconds(30));
  EXPECT_EQ(again->state().samples.candidate.requests, 80);
  again.Wait(seconds(90));
  EXPECT_EQ(again->state().step, 2u);
  // What came before still counts for a breach.
  Release with_errors;
  with_errors.GoTo(1);
  Samples some = Release::Good(100);
  for (int i = 0; i < 8; ++i) some.candidate.AddError();
  with_errors.Look(seconds(1), some);
  EXPECT_EQ(with_errors.phase(), Phase::kProgressing);
  Release resumed(Plan(), with_errors->state());
  resumed.Look(seconds(1), some);
  resumed.Look(seconds(1), some);
  EXPECT_EQ(resumed.phase(), Phase::kRolledBack);
}

TEST(ReleaseRun, StateThatCannotBeIsMended) {
  RunState state;
  state.phase = Phase::kProgressing;
  state.stable = "pool-a";
  state.candidate = "pool-b";
  state.step = 77;
  state.weight_percent = std::nan("");
  state.spent = -minutes(5);
  state.samples.candidate.errors = 5;
  state.samples.stable.ttft.sum = std::nan("");
  state.history.resize(1000);
  Release release(Plan(), state);
  EXPECT_EQ(release->weights().candidate_percent, 5);
  EXPECT_EQ(release->state().spent, Duration(0));
  EXPECT_TRUE(release->state().samples.candidate.IsSane());
  EXPECT_TRUE(release->state().samples.stable.IsSane());
  EXPECT_EQ(release->state().history.size(), ReleaseRun::kHistoryMax);
}

TEST(ReleaseRun, TheHistoryIsBounded) {
  Release release;
  release.GoTo(0);
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(release->Pause(release.now()).ok());
    EXPECT_TRUE(release->Resume(release.now()).ok());
  }
  EXPECT_EQ(release->state().history.size(), ReleaseRun::kHistoryMax);
  EXPECT_EQ(release->state().history_dropped, 201 - ReleaseRun::kHistoryMax);
}

// Whole releases, with all tests, of a candidate whose TTFT is exactly as much worse as it may be.
TEST(ReleaseRun, FewReleasesAreStoppedByChance) {
  constexpr int kReleases = 100;
  int stopped = 0;
  for (int i = 0; i < kReleases; ++i) {
    Random random(100 + static_cast<uint64_t>(i));
    ReleasePlan plan = Plan();
    plan.false_alarm_rate = 0.1;
    Release release(plan);
    release.Look(seconds(1));
    while (release.phase() == Phase::kProgressing) {
      Samples samples;
      for (int j = 0; j < 40; ++j) {
        const bool is_candidate = random.Unit() * 100 < release->weights().candidate_percent;
        VersionSamples& version = is_candidate ? samples.candidate : samples.stable;
        if (random.Unit() < 0.01) {
          version.AddError();
        } else {
          version.AddAnswer((is_candidate ? 0.24 : 0.2) * std::pow(random.Unit() + 1e-9, -0.7),
                            std::nullopt, Finish::kStop);
        }
      }
      release.Look(seconds(10), samples);
    }
    stopped += release.phase() == Phase::kRolledBack;
  }
  std::printf("%d of %d stopped\n", stopped, kReleases);
  EXPECT_LE(stopped, 10 + 9);
}

}  // namespace
}  // namespace gw::release
