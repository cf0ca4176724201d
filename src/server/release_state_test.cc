#include "server/release_state.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "kube/json_node.h"

namespace gw {
namespace {

using release::RunState;

RunState Made(Random& random) {
  RunState state;
  state.phase = static_cast<release::Phase>(random.Below(7));
  state.is_started = random.Below(2) == 0;
  state.step = random.Below(50);
  state.spent = std::chrono::milliseconds(random.Below(1'000'000'000));
  state.weight_percent = static_cast<double>(random.Below(10001)) / 100;
  state.generation = static_cast<int64_t>(random.Below(1000));
  state.stable = "v1";
  state.candidate = "Service \"v2\"\n";
  state.paused_done = random.Below(2) == 0;
  state.request_done = static_cast<release::Request>(random.Below(3));
  state.samples.window = random.Next();
  for (release::VersionSamples* samples : {&state.samples.stable, &state.samples.candidate}) {
    for (uint64_t i = random.Below(20); i > 0; --i) {
      samples->AddError();
      samples->AddAnswer(1e-4 * static_cast<double>(1 + random.Below(1000)), 0.01234567891234,
                         release::Finish::kLength);
    }
  }
  for (uint64_t i = random.Below(4); i > 0; --i) {
    state.history.push_back({static_cast<int64_t>(1'764'000'000'123'456'789 + i),
                             release::Phase::kWaiting, release::Phase::kProgressing, i,
                             "both are ready; \\ \"x\""});
  }
  state.history_dropped = random.Below(5);
  return state;
}

TEST(ReleaseState, ComesBackAsItWas) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Random random(seed);
    const ReleaseStates states = {{"default/a", Made(random)}, {"other/b", Made(random)}};
    const absl::StatusOr<ReleaseStates> read = ParseStates(StateText(states));
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(*read, states) << "seed " << seed << "\n" << StateText(states);
  }
}

TEST(ReleaseState, WhatIsMissingHasItsDefault) {
  const auto read = ParseStates(R"({"version": 1, "releases": {"default/a": {}}})");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->at("default/a"), RunState());
}

TEST(ReleaseState, SaysWhatIsWrong) {
  const struct {
    std::string_view text;
    std::string_view error;
  } cases[] = {
      {"[]", "version: 1 is wanted"},
      {R"({"version": 2, "releases": {}})", "version: 1 is wanted"},
      {R"({"version": 1})", "releases: a map is wanted"},
      {R"({"version": 1, "releases": {"n/a": {"phase": "Flying"}}})",
       "releases.n/a.phase: is none of those that there are"},
      {R"({"version": 1, "releases": {"n/a": {"step": -1}}})",
       "releases.n/a.step: an integer is wanted"},
      {R"({"version": 1, "releases": {"n/a": {"samples": {"stable": {"ttft": 3}}}}})",
       "releases.n/a.samples.stable.ttft.: a map is wanted"},
      {R"({"version": 1, "releases": {"n/a": {"history": {}}}})",
       "releases.n/a.history: a list is wanted"},
      {R"({"version": 1, "releases": {"n/a": {"started": 1}}})",
       "releases.n/a.started: a boolean is wanted"},
  };
  for (const auto& c : cases) {
    const auto read = ParseStates(c.text);
    ASSERT_FALSE(read.ok()) << c.text;
    EXPECT_EQ(std::string(read.status().message()), c.error);
  }
}

TEST(ReleaseState, StandsInAStatus) {
  EXPECT_TRUE(absl::IsNotFound(StateOfStatus("").status()));
  EXPECT_TRUE(absl::IsNotFound(StateOfStatus(R"({"phase": "Waiting"})").status()));
  release::ReleasePlan plan;
  plan.name = "n/a";
  plan.stable = "v1";
  plan.candidate = "v2";
  plan.steps = {{10, std::chrono::minutes(1), 0}};
  const release::ReleaseRun run(plan, 3, 1'000'000'000);
  const auto read = StateOfStatus(kube::ToJson(StatusOf(run, true)));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, run.state());
}

}  // namespace
}  // namespace gw
