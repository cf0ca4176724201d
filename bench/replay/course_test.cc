#include "bench/replay/course.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "api/annotations.h"
#include "api/inference.h"
#include "bench/load/chats.h"
#include "bench/load/multi_round_qa.h"
#include "bench/load/shared_prefix.h"

namespace gw::bench {
namespace {

using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::Ge;
using ::testing::Le;

Scenario Small(const char* policy, int engines = 4) {
  Scenario scenario;
  scenario.engines.assign(static_cast<size_t>(engines), *sim::FindServerSpec("llama-8b-pro6000"));
  scenario.annotations[api::kStrategyAnnotation] = policy;
  scenario.seed = 3;
  return scenario;
}

std::unique_ptr<LoadWorkload> Groups(double per_second, Duration lasts, uint64_t seed = 5) {
  SharedPrefixOptions options{.form = {.api = ApiKind::kCompletions, .model = "m"},
                              .groups = 12,
                              .system_tokens = 2000,
                              .question_tokens = 100,
                              .output_tokens = 50,
                              .seed = seed};
  options.pace.arrivals.per_second = per_second;
  options.pace.arrivals.duration = lasts;
  return *NewSharedPrefix(options);
}

Replayed RunOf(const Scenario& scenario, const ReplayOptions& options = {}) {
  const std::unique_ptr<LoadWorkload> workload = Groups(8, seconds(60));
  return Replay(scenario, options, *workload);
}

double CachedShare(const Replayed& run) {
  double cached = 0;
  double prompt = 0;
  for (const Record& record : run.records.records) {
    cached += static_cast<double>(record.cached_tokens);
    prompt += static_cast<double>(record.prompt_tokens);
  }
  return cached / prompt;
}

TEST(Replay, EveryRequestIsAnsweredInFull) {
  const Replayed run = RunOf(Small("PREFIX_CACHE"));
  ASSERT_THAT(run.records.records.size(), AllOf(Ge(380u), Le(580u)));
  for (const Record& record : run.records.records) {
    EXPECT_EQ(record.end, AnswerEnd::kComplete);
    EXPECT_EQ(record.output_tokens, 50);
    EXPECT_EQ(record.prompt_tokens, 2100);
    EXPECT_GE(record.cached_tokens, 0);
    EXPECT_GT(record.ttft(), Duration(0));
    EXPECT_GE(record.ended, record.last);
  }
  EXPECT_EQ(run.fleet.endpoints.size(), 4u);
  EXPECT_EQ(run.fleet.requests(), run.records.records.size());
  EXPECT_GE(run.imbalance, 1);
}

TEST(Replay, TheSameSeedsAreTheSameRunToTheNanosecond) {
  const Replayed a = RunOf(Small("PREFIX_CACHE"));
  const Replayed b = RunOf(Small("PREFIX_CACHE"));
  EXPECT_EQ(a.records.records, b.records.records);
  EXPECT_EQ(a.lasted, b.lasted);
  Scenario other = Small("PREFIX_CACHE");
  other.seed = 4;
  EXPECT_NE(RunOf(other).records.records, a.records.records);
}

TEST(Replay, APrefixThatIsFollowedIsFoundInTheCaches) {
  const double followed = CachedShare(RunOf(Small("PREFIX_CACHE")));
  const double ignored = CachedShare(RunOf(Small("DEFAULT")));
  // 12 groups' first requests are cold, of some 480.
  EXPECT_GT(followed, 0.85);
  EXPECT_GT(followed, ignored);
}

TEST(Replay, TheGatewaysTimeIsPartOfTheFirstToken) {
  Scenario slow = Small("DEFAULT");
  slow.gateway_time = seconds(2);
  for (const Record& record : RunOf(slow).records.records) EXPECT_GT(record.ttft(), seconds(2));
}

TEST(Replay, WhatWarmsUpIsLeftOut) {
  const Replayed all = RunOf(Small("DEFAULT"));
  const Replayed rest = RunOf(Small("DEFAULT"), {.warm_up = seconds(30)});
  EXPECT_EQ(rest.records.records.size() + rest.records.warm_up, all.records.records.size());
  for (const Record& record : rest.records.records) EXPECT_GE(record.due, seconds(30));
}

TEST(Replay, NothingIsAskedAfterItsLength) {
  const Replayed run = RunOf(Small("DEFAULT"), {.length = seconds(20)});
  ASSERT_FALSE(run.records.records.empty());
  for (const Record& record : run.records.records) {
    EXPECT_LE(record.due, seconds(20));
    EXPECT_TRUE(record.ok());
  }
}

TEST(Replay, WhatIsNotAnsweredInTimeIsUnfinished) {
  Scenario slow = Small("DEFAULT", 1);
  slow.events = {{.kind = FleetEvent::Kind::kSlow, .engine = 0, .speed = 0.01}};
  const Replayed run = RunOf(slow, {.patience = seconds(5)});
  size_t unfinished = 0;
  for (const Record& record : run.records.records) {
    if (record.end == AnswerEnd::kUnfinished) ++unfinished;
  }
  EXPECT_GT(unfinished, run.records.records.size() / 2);
}

TEST(Replay, AnEngineThatDiesTakesWhatItAnswersWithItAndNoMore) {
  Scenario scenario = Small("PREFIX_CACHE");
  scenario.events = *ReadFleetEvents("20s restart 1 10s", 4);
  const Replayed run = RunOf(scenario);
  size_t broken = 0;
  for (const Record& record : run.records.records) {
    if (record.ok()) continue;
    ++broken;
    EXPECT_TRUE(record.has_output()) << "without, it is asked of another one";
    EXPECT_LE(record.ended, seconds(21));
  }
  EXPECT_THAT(broken, AllOf(Ge(1u), Le(30u)));
}

TEST(Replay, APodThatGoesGetsNothingUntilItIsBack) {
  Scenario scenario = Small("DEFAULT");
  scenario.events = *ReadFleetEvents("10s remove 0\n", 4);
  const Replayed gone = RunOf(scenario);
  const auto requests = [](const Replayed& run) { return run.fleet.endpoints[0].requests; };
  scenario.events = *ReadFleetEvents("10s remove 0\n20s add 0\n", 4);
  const Replayed back = RunOf(scenario);
  EXPECT_LT(requests(gone) * 2, requests(back));
  for (const Record& record : back.records.records) EXPECT_TRUE(record.ok());
}

TEST(Replay, AFasterEngineGetsMore) {
  Scenario scenario = Small("DEFAULT");
  scenario.events = *ReadFleetEvents("0s slow 0 0.2\n", 4);
  const Replayed run = RunOf(scenario);
  for (size_t i = 1; i < 4; ++i) {
    EXPECT_LT(run.fleet.endpoints[0].requests, run.fleet.endpoints[i].requests);
  }
}

// Caches so small that much is evicted, and prompts that come back later than they are kept.
TEST(Replay, AnIndexThatIsToldOfEvictionsBelievesLess) {
  const auto run = [](IndexMode mode) {
    Scenario scenario = Small("PREFIX_CACHE");
    for (sim::ServerSpec& engine : scenario.engines) engine.kv_blocks = 500;
    scenario.index = mode;
    const std::unique_ptr<LoadWorkload> workload = Groups(6, seconds(120));
    return Replay(scenario, {}, *workload);
  };
  const Replayed precise = run(IndexMode::kPrecise);
  for (const Record& record : precise.records.records) EXPECT_TRUE(record.ok());
  EXPECT_GT(CachedShare(precise), 0.1);
  EXPECT_NE(precise.records.records, run(IndexMode::kEstimated).records.records);
}

TEST(Replay, AnAnswerIsFoundInTheCacheByTheNextRound) {
  ChatsOptions options{.form = {.api = ApiKind::kCompletions, .model = "m"},
                       .per_second = 2,
                       .rounds = 3,
                       .gap = seconds(2),
                       .system_tokens = 160,
                       .question_tokens = 160,
                       .output_tokens = 160,
                       .lasts = seconds(30)};
  const std::unique_ptr<LoadWorkload> workload = *NewChats(options);
  const Replayed run = Replay(Small("PREFIX_CACHE", 1), {}, *workload);
  size_t seconds_rounds = 0;
  for (const Record& record : run.records.records) {
    ASSERT_TRUE(record.ok());
    if (record.turn != 1) continue;
    ++seconds_rounds;
    // All but the question, and the last block of the answer, whose last token is never computed.
    EXPECT_EQ(record.cached_tokens, 160 + 160 + 160 - 16);
  }
  EXPECT_GT(seconds_rounds, 5u);
}

TEST(Replay, UsersWhoAskedBeforeTheWarmUpWasOverAskOn) {
  MultiRoundQaOptions options{.form = {.api = ApiKind::kCompletions, .model = "m"},
                              .users = 4,
                              .rounds = 5,
                              .per_second = 1,
                              .history_tokens = 200,
                              .output_tokens = 20,
                              .duration = seconds(60),
                              .warm_up = 2};
  const std::unique_ptr<LoadWorkload> workload = *NewMultiRoundQa(options);
  const Replayed run = Replay(Small("DEFAULT"), {.warm_up = seconds(20)}, *workload);
  EXPECT_LT(run.lasted, seconds(120));
  EXPECT_THAT(run.records.records.size(), AllOf(Ge(35u), Le(60u)));
  EXPECT_THAT(run.records.warm_up, AllOf(Ge(15u), Le(30u)));
}

TEST(Replay, WhatNoEngineHasRoomForIsAnsweredWithAnError) {
  for (const size_t prefill_engines : {0, 2}) {
    Scenario scenario = Small("PREFIX_CACHE");
    scenario.prefill_engines = prefill_engines;
    for (sim::ServerSpec& engine : scenario.engines) engine.kv_blocks = 100;
    const Replayed run = RunOf(scenario);
    ASSERT_FALSE(run.records.records.empty());
    for (const Record& record : run.records.records) {
      EXPECT_EQ(record.end, AnswerEnd::kStatus);
      EXPECT_FALSE(record.has_output());
    }
  }
}

// Here the prompt is computed, and what is to follow it has no room.
TEST(Replay, WhatOnlyItsAnswerIsTooLongForEndsAtDecode) {
  Scenario scenario = Small("PREFIX_CACHE");
  scenario.prefill_engines = 2;
  for (sim::ServerSpec& engine : scenario.engines) {
    engine.kv_blocks = 2120 / engine.block_tokens;
  }
  const Replayed run = RunOf(scenario, {.patience = seconds(30)});
  ASSERT_FALSE(run.records.records.empty());
  for (const Record& record : run.records.records) EXPECT_EQ(record.end, AnswerEnd::kStatus);
}

TEST(Replay, GatewaysAreDealtRequestsInTurn) {
  Scenario scenario = Small("PREFIX_CACHE");
  scenario.gateways = 2;
  const Replayed run = RunOf(scenario);
  for (const Record& record : run.records.records) EXPECT_TRUE(record.ok());
  EXPECT_NE(run.records.records, RunOf(Small("PREFIX_CACHE")).records.records);
}

TEST(Replay, AShareOfTheRequestsGoesPastTheGateways) {
  const size_t all = RunOf(Small("PREFIX_CACHE")).records.records.size();
  Scenario scenario = Small("PREFIX_CACHE");
  scenario.foreign_share = 0.3;
  const Replayed run = RunOf(scenario);
  EXPECT_EQ(run.records.records.size() + run.foreign, all) << "no record is of a foreign one";
  EXPECT_EQ(run.records.warm_up, 0u);
  EXPECT_NEAR(static_cast<double>(run.foreign) / static_cast<double>(all), 0.3, 0.07);
  EXPECT_EQ(run.fleet.requests(), run.records.records.size());
  for (const Record& record : run.records.records) EXPECT_TRUE(record.ok());
  const Replayed again = RunOf(scenario);
  EXPECT_EQ(again.records.records, run.records.records);
  EXPECT_EQ(again.foreign, run.foreign);
  scenario.seed = 4;
  EXPECT_NE(RunOf(scenario).records.records.size(), 0u);
  EXPECT_NE(RunOf(scenario).records.records, run.records.records);
}

// 12 groups: by themselves so few would find next to nothing.
TEST(Replay, WhatForeignRequestsLeaveInTheCachesIsFound) {
  Scenario scenario = Small("DEFAULT");
  scenario.foreign_share = 0.96;
  const Replayed run = RunOf(scenario);
  EXPECT_LT(run.records.records.size(), 40u);
  EXPECT_GT(CachedShare(run), 0.7);
}

TEST(Replay, ForeignRequestsLoadTheEngines) {
  Scenario scenario = Small("DEFAULT", 1);
  scenario.foreign_share = 0.9;
  scenario.events = {{.kind = FleetEvent::Kind::kSlow, .engine = 0, .speed = 0.05}};
  const Replayed run = RunOf(scenario, {.patience = seconds(5)});
  size_t unfinished = 0;
  for (const Record& record : run.records.records) unfinished += record.ok() ? 0 : 1;
  EXPECT_GT(unfinished, 10u) << "one in eight tenths of a second, of an engine that is full";
}

TEST(Replay, ForeignRequestsEndWithTheirEngine) {
  Scenario scenario = Small("PREFIX_CACHE");
  scenario.foreign_share = 0.5;
  scenario.events = *ReadFleetEvents("20s stop 0\n40s remove 1\n", 4);
  const Replayed run = RunOf(scenario);
  EXPECT_GT(run.foreign, 100u);
  EXPECT_LT(run.lasted, seconds(120));
}

TEST(Replay, APoolMayBeSplit) {
  Scenario scenario = Small("PREFIX_CACHE");
  scenario.prefill_engines = 2;
  const Replayed run = RunOf(scenario);
  for (const Record& record : run.records.records) {
    EXPECT_TRUE(record.ok());
    EXPECT_EQ(record.output_tokens, 50);
  }
  // Each request is at two engines, unless so much is cached that it is decoded alone.
  uint64_t prefilled = 0;
  uint64_t decoded = 0;
  for (size_t i = 0; i < 4; ++i) {
    (i < 2 ? prefilled : decoded) += run.fleet.endpoints[i].requests;
  }
  EXPECT_EQ(decoded, run.records.records.size());
  EXPECT_GT(prefilled, 10u);
  EXPECT_LE(prefilled, decoded);
}

TEST(Replay, APrefillEngineThatDiesLosesNothing) {
  Scenario scenario = Small("PREFIX_CACHE");
  scenario.prefill_engines = 2;
  scenario.events = *ReadFleetEvents("20s restart 0 10s", 4);
  for (const Record& record : RunOf(scenario).records.records) EXPECT_TRUE(record.ok());
}

TEST(Replay, HalvesTakeTheirTurnsApart) {
  Scenario scenario = Small("round-robin");
  scenario.annotations = {{api::kRoutingStrategyAnnotation, "round-robin"}};
  scenario.prefill_engines = 2;
  const Replayed run = RunOf(scenario);
  for (const EndpointSeries& engine : run.fleet.endpoints) {
    EXPECT_NEAR(static_cast<double>(engine.requests), static_cast<double>(run.fleet.requests()) / 4,
                2);
  }
}

}  // namespace
}  // namespace gw::bench
