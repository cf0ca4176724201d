#include "release/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace gw::release {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

ReleasePlan Plan() {
  return {.name = "qwen",
          .stable = "pool-a",
          .candidate = "pool-b",
          .steps = {{0.5, minutes(5), 200}, {20, seconds(90), 0}, {100, Duration(0), 50}},
          .criteria = {.error_rate = 0.01, .ttft = 1.2, .tpot = 1.1, .finish_reasons = 0.05}};
}

TEST(Plan, AsLinesForPeople) {
  EXPECT_EQ(PlanText(Plan()),
            "release qwen: from pool-a to pool-b\n"
            "step 1 of 3: 0.5 % of requests to pool-b, for 5m and 200 samples of each\n"
            "step 2 of 3: 20 % of requests to pool-b, for 1m30s\n"
            "step 3 of 3: 100 % of requests to pool-b, for 50 samples; pool-a has no requests to "
            "compare with\n"
            "then: all requests to pool-b\n"
            "a breach: pool-b answers (nearly) nothing that pool-a answers; over 1 percentage "
            "points more errors than pool-a; TTFT over 1.2 times that of pool-a; TPOT over 1.1 "
            "times that of pool-a; over 5 percentage points more answers that are cut for their "
            "length, or that end abnormally, than pool-a\n"
            "after a breach: rolled back, all requests to pool-a\n"
            "false alarms: in at most 1 % of releases, over all steps and criteria\n");
  ReleasePlan plan = Plan();
  plan.on_breach = OnBreach::kHold;
  plan.paused = true;
  plan.request = Request::kPromote;
  EXPECT_THAT(PlanText(plan), testing::HasSubstr("held at the weight of its step"));
  EXPECT_THAT(PlanText(plan), testing::HasSubstr("paused: goes no step further"));
  EXPECT_THAT(PlanText(plan), testing::HasSubstr("asked for: promote"));
}

TEST(Plan, WhatIsWrongIsSaidWithItsField) {
  const double nan = std::nan("");
  const std::vector<std::pair<std::function<void(ReleasePlan&)>, std::string>> cases = {
      {[](ReleasePlan& p) { p.stable = ""; }, "stable: a destination is wanted"},
      {[](ReleasePlan& p) { p.candidate = ""; }, "candidate: a destination is wanted"},
      {[](ReleasePlan& p) { p.candidate = "pool-a"; }, "candidate: another destination"},
      {[](ReleasePlan& p) { p.steps.clear(); }, "steps: at least one step is wanted"},
      {[](ReleasePlan& p) { p.steps.resize(51); }, "steps: at most 50 are allowed, not 51"},
      {[](ReleasePlan& p) { p.steps[0].weight_percent = 0; }, "steps[0].weight: above 0"},
      {[=](ReleasePlan& p) { p.steps[0].weight_percent = nan; }, "steps[0].weight: above 0"},
      {[](ReleasePlan& p) { p.steps[2].weight_percent = 101; }, "steps[2].weight: above 0 and at"},
      {[](ReleasePlan& p) { p.steps[1].weight_percent = 0.5; }, "steps[1].weight: weights rise"},
      {[](ReleasePlan& p) { p.steps[1].pause = seconds(-1); }, "steps[1].pause: from 0s to 720h"},
      {[](ReleasePlan& p) { p.steps[1].pause = Duration(0); }, "steps[1]: a pause or samplesMin"},
      {[](ReleasePlan& p) { p.steps[0].samples_min = -1; },
       "steps[0].samplesMin: from 0 to 1000000000"},
      {[](ReleasePlan& p) { p.criteria.error_rate = 1; }, "criteria.errorRate: at least 0 and"},
      {[](ReleasePlan& p) { p.criteria.ttft = 0.9; }, "criteria.ttft: a ratio of at least 1"},
      {[](ReleasePlan& p) { p.criteria.tpot = HUGE_VAL; }, "criteria.tpot: a ratio of at least 1"},
      {[=](ReleasePlan& p) { p.criteria.finish_reasons = nan; }, "criteria.finishReasons: at"},
      {[](ReleasePlan& p) { p.false_alarm_rate = 0; }, "falseAlarmRate: above 0 and at most 0.5"},
  };
  EXPECT_TRUE(Validate(Plan()).ok());
  for (const auto& [spoil, wanted] : cases) {
    ReleasePlan plan = Plan();
    spoil(plan);
    const absl::Status status = Validate(plan);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), testing::StartsWith(wanted));
  }
}

TEST(Plan, TheRateIsSplitOverStepsAndTests) {
  EXPECT_DOUBLE_EQ(TestFalseAlarmRate(Plan()), 0.01 / 3 / 6);
  ReleasePlan plan = Plan();
  plan.criteria = {};
  EXPECT_DOUBLE_EQ(TestFalseAlarmRate(plan), 0.01 / 3);
}

TEST(DurationText, IsShort) {
  EXPECT_EQ(DurationText(Duration(0)), "0s");
  EXPECT_EQ(DurationText(minutes(90)), "1h30m");
  EXPECT_EQ(DurationText(seconds(61)), "1m1s");
  EXPECT_EQ(DurationText(std::chrono::milliseconds(250)), "0.25s");
}

}  // namespace
}  // namespace gw::release
