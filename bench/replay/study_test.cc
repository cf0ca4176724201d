#include "bench/replay/study.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "bench/load/shared_prefix.h"
#include "bench/replay/report.h"

namespace gw::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::DoubleNear;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::Le;

StudyPlan Plan() {
  StudyPlan plan;
  plan.scenario.engines.assign(2, *sim::FindServerSpec("llama-8b-pro6000"));
  plan.objectives = {.ttft = seconds(1), .tpot = milliseconds(100)};
  plan.axis = LoadAxis::kRate;
  plan.workload = [](double load, uint64_t seed) {
    SharedPrefixOptions options{.form = {.api = ApiKind::kCompletions, .model = "m"},
                                .groups = 8,
                                .system_tokens = 1000,
                                .question_tokens = 500,
                                .output_tokens = 40,
                                .seed = seed};
    options.pace.arrivals.per_second = load;
    options.pace.arrivals.duration = seconds(40);
    return *NewSharedPrefix(options);
  };
  plan.policies = {"PREFIX_CACHE", "DEFAULT"};
  plan.seeds = {1, 2};
  plan.loads = {4, 8};
  return plan;
}

bool GoOn(const StudyProgress&) { return true; }

TEST(Study, HasAPointForEachPolicySeedAndLoad) {
  const std::vector<StudySeries> series = RunStudy(Plan(), GoOn);
  ASSERT_EQ(series.size(), 4u);
  EXPECT_EQ(series[0].policy, "PREFIX_CACHE");
  EXPECT_EQ(series[1].seed, 2u);
  EXPECT_EQ(series[2].policy, "DEFAULT");
  for (const StudySeries& one : series) {
    ASSERT_EQ(one.points.size(), 2u);
    EXPECT_EQ(one.points[0].load, 4);
    EXPECT_EQ(one.points[1].load, 8);
    EXPECT_GT(one.points[1].summary.all.requests, one.points[0].summary.all.requests);
    EXPECT_THAT(one.points[0].largest_share, AllOf(Ge(0.5), Le(1.0)));
    EXPECT_FALSE(one.capacity);
  }
}

TEST(Study, PoliciesOfASeedAreAskedTheSame) {
  const std::vector<StudySeries> series = RunStudy(Plan(), GoOn);
  EXPECT_EQ(series[0].points[0].summary.all.requests, series[2].points[0].summary.all.requests);
  EXPECT_NE(series[0].points[0].summary.all.requests, series[1].points[0].summary.all.requests);
}

TEST(Study, ThreadsChangeNothing) {
  StudyPlan plan = Plan();
  const std::vector<StudySeries> one = RunStudy(plan, GoOn);
  plan.threads = 3;
  const std::vector<StudySeries> three = RunStudy(plan, GoOn);
  ASSERT_EQ(one.size(), three.size());
  for (size_t i = 0; i < one.size(); ++i) {
    for (size_t p = 0; p < one[i].points.size(); ++p) {
      EXPECT_EQ(one[i].points[p].summary.all.ttft.mean, three[i].points[p].summary.all.ttft.mean);
    }
  }
}

TEST(Study, FindsWhereGoodputCrossesNineTenths) {
  StudyPlan plan = Plan();
  plan.finds_capacity = true;
  plan.policies = {"DEFAULT"};
  plan.seeds = {1};
  plan.loads = {2};
  const std::vector<StudySeries> series = RunStudy(plan, GoOn);
  ASSERT_TRUE(series[0].capacity);
  const StudyPoint* below = nullptr;
  const StudyPoint* above = nullptr;
  for (const StudyPoint& point : series[0].points) {
    if (point.load <= *series[0].capacity) below = &point;
    if (point.load > *series[0].capacity && above == nullptr) above = &point;
  }
  ASSERT_TRUE(below != nullptr && above != nullptr);
  EXPECT_GE(below->good_share(), kGoodShare);
  EXPECT_LT(above->good_share(), kGoodShare);
  EXPECT_LE(above->load / below->load, 1.03);
}

TEST(Study, EndsWhenItIsTold) {
  size_t told = 0;
  const std::vector<StudySeries> series =
      RunStudy(Plan(), [&told](const StudyProgress&) { return ++told < 2; });
  size_t points = 0;
  for (const StudySeries& one : series) points += one.points.size();
  EXPECT_EQ(points, 2u);
}

TEST(StudyReport, MeansAndRatiosHaveIntervalsOfStudent) {
  const SeedMean mean = MeanOf({1, 2, 3});
  EXPECT_THAT(mean.mean, DoubleNear(2, 1e-12));
  EXPECT_THAT(*mean.reach, DoubleNear(4.303 / std::sqrt(3.0), 1e-3));
  EXPECT_FALSE(MeanOf({5}).reach);
  const PairedRatio ratio = RatioOf({2.2, 4.4, 6.6}, {2, 4, 6});
  EXPECT_THAT(ratio.ratio, DoubleNear(1.1, 1e-12));
  EXPECT_EQ(ratio.verdict(), 1) << "by the same tenth each time";
  EXPECT_EQ(RatioOf({1, 2}, {2, 1}).verdict(), 0);
  EXPECT_EQ(RatioOf({1.8, 3.6, 5.4}, {2, 4, 6}).verdict(), -1);
}

TEST(StudyReport, SaysWhatWasFound) {
  StudyResult result{.axis = LoadAxis::kRate, .objectives = {.ttft = seconds(2)}};
  result.title = {.command = "penstock replay", .workload = "b2b", .engines = "8 x q32h100"};
  result.found_capacity = true;
  result.series = {{.policy = "A", .seed = 1, .capacity = 10},
                   {.policy = "A", .seed = 2, .capacity = 11},
                   {.policy = "B", .seed = 1, .capacity = 5},
                   {.policy = "B", .seed = 2, .capacity = 5.6}};
  const std::string text = StudyText(result);
  EXPECT_THAT(text, HasSubstr("b2b on 8 x q32h100"));
  EXPECT_THAT(text, HasSubstr("10 / 11"));
  EXPECT_THAT(text, HasSubstr("x0.505"));
  const std::string json = StudyJson(result);
  EXPECT_THAT(json, HasSubstr(R"("goodput90_capacity": 5.6)"));
  EXPECT_THAT(json, HasSubstr(R"("policy": "B")"));
}

TEST(ReadPolicies, TakesTextsWithOneOrSeveral) {
  EXPECT_THAT(*ReadPolicies({"COST(busy=1,evict=2),random", "DEFAULT"}),
              ::testing::ElementsAre("COST(busy=1,evict=2)", "random", "DEFAULT"));
  EXPECT_THAT(std::string(ReadPolicies({"COST(evct=2)"}).status().message()),
              ::testing::StartsWith("--policy: COST has no constant \"evct\", known are evict, "));
  EXPECT_THAT(std::string(ReadPolicies({"COST,fast"}).status().message()),
              ::testing::StartsWith("--policy: must be one of DEFAULT, "));
}

TEST(Study, ConstantsOfAPolicyDecide) {
  StudyPlan plan = Plan();
  plan.policies = {"DEFAULT", "DEFAULT(in-flight=6)", "DEFAULT(in-flight=0)"};
  plan.seeds = {1};
  const std::vector<StudySeries> series = RunStudy(plan, GoOn);
  ASSERT_EQ(series.size(), 3u);
  EXPECT_EQ(series[1].policy, "DEFAULT(in-flight=6)");
  const auto ttft = [&](size_t i) { return series[i].points[0].summary.all.ttft.mean; };
  EXPECT_EQ(ttft(0), ttft(1));
  EXPECT_NE(ttft(0), ttft(2));
}

TEST(Study, EndsInTheMiddleOfAPoint) {
  StudyPlan plan = Plan();
  int looks = 0;
  plan.options.goes_on = [&looks] { return ++looks < 5; };
  const std::vector<StudySeries> series = RunStudy(plan, GoOn);
  for (const StudySeries& one : series) EXPECT_THAT(one.points, ::testing::IsEmpty());
  EXPECT_EQ(looks, 5);
}

TEST(Study, ASearchEndsWhereNothingCounts) {
  StudyPlan plan = Plan();
  plan.finds_capacity = true;
  plan.policies = {"DEFAULT"};
  plan.seeds = {1};
  plan.options.warm_up = seconds(1000);
  const std::vector<StudySeries> series = RunStudy(plan, GoOn);
  ASSERT_EQ(series[0].points.size(), 1u);
  EXPECT_FALSE(series[0].capacity);
  StudyResult result;
  result.series = series;
  EXPECT_THAT(StudyJson(result), HasSubstr(R"("good_share": null)"));
}

TEST(Study, ASearchEndsWhereNoWorkloadIsAsLarge) {
  StudyPlan plan = Plan();
  plan.finds_capacity = true;
  plan.policies = {"DEFAULT"};
  plan.seeds = {1};
  plan.loads = {1};
  plan.workload = [made = plan.workload](
                      double load, uint64_t seed) -> absl::StatusOr<std::unique_ptr<LoadWorkload>> {
    if (load > 1) return absl::InvalidArgumentError("too large");
    return made(load, seed);
  };
  const std::vector<StudySeries> series = RunStudy(plan, GoOn);
  EXPECT_EQ(series[0].points.size(), 1u);
  EXPECT_FALSE(series[0].capacity);
}

TEST(StudyReport, SaysThatItWasInterrupted) {
  StudyResult result;
  EXPECT_THAT(StudyJson(result), ::testing::Not(HasSubstr("interrupted")));
  result.interrupted = true;
  EXPECT_THAT(StudyJson(result), HasSubstr(R"("interrupted": true)"));
  EXPECT_THAT(StudyText(result), HasSubstr("Interrupted"));
}

TEST(StudyReport, CapacitiesOfDifferentSeedsAreNotPaired) {
  StudyResult result;
  result.series = {{.policy = "A", .seed = 1, .capacity = 10},
                   {.policy = "A", .seed = 2},
                   {.policy = "B", .seed = 1},
                   {.policy = "B", .seed = 2, .capacity = 5}};
  EXPECT_FALSE(CapacitiesOf(result)[1].to_best);
}

TEST(StudyReport, ASeedWithoutCapacityIsNotPaired) {
  StudyResult result;
  result.series = {{.policy = "A", .seed = 1, .capacity = 10},
                   {.policy = "A", .seed = 2, .capacity = 11},
                   {.policy = "B", .seed = 1, .capacity = 5},
                   {.policy = "B", .seed = 2}};
  const std::vector<PolicyCapacity> capacities = CapacitiesOf(result);
  EXPECT_EQ(capacities[1].by_seed.size(), 1u);
  EXPECT_FALSE(capacities[1].to_best);
  EXPECT_FALSE(capacities[0].to_best) << "is the best";
}

}  // namespace
}  // namespace gw::bench
