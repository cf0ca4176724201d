#include <gtest/gtest.h>

#include <cmath>

#include "scheduling/registry.h"
#include "scheduling/rule/test_rule.h"
#include "scheduling/test_pool.h"

namespace gw {
namespace {

enum Term : uint8_t { kWait, kEvict, kStall, kDecode, kPreempt, kBusy, kLora };

// O is 256 and R 10,000 tokens a second, as before the first request.
TEST(CostRule, TermsAreThoseOfTheFormulaInSeconds) {
  RuleBench bench;
  bench.request.prompt_tokens_estimate = 5000;
  const RuleCandidate candidate = {
      .view = {.kv = 0.5f, .in_flight = 10, .pending_tokens = 2000, .hit_tokens = 1000},
      .decoding = 30'000,
      .context = 36'000,
      .cache = 40'000,
      .busy = 2.5f};
  const auto costs = bench.Costs(CostRule(), {candidate});
  EXPECT_FLOAT_EQ(costs[kWait][0], (2000 + 4000) / 1e4f);
  EXPECT_FLOAT_EQ(costs[kEvict][0], 4 * 4000 / 1e4f);
  EXPECT_FLOAT_EQ(costs[kStall][0], 0.2f * 4000 * 10 / 1e4f);
  EXPECT_FLOAT_EQ(costs[kDecode][0], 256 * (0.35e-3f * 32'000 + 5) / 1e4f);
  EXPECT_FLOAT_EQ(costs[kPreempt][0], 0) << "half of the cache is free";
  EXPECT_FLOAT_EQ(costs[kBusy][0], 2.5f);
  EXPECT_FLOAT_EQ(costs[kLora][0], 0);
}

TEST(CostRule, MemoryIsWhatIsInFlightOrWhatFreshMetricsSayIfThatIsLess) {
  RuleBench bench;
  bench.request.prompt_tokens_estimate = 1000;
  const RuleCandidate full = {.view = {.kv = 1}, .context = 50'000, .cache = 40'000};
  RuleCandidate shared = full;
  shared.view.kv = 0.95f;
  RuleCandidate stale = shared;
  stale.view.fresh = false;
  RuleCandidate unknown = full;
  unknown.cache = 0;
  const auto costs = bench.Costs(CostRule(), {full, shared, stale, unknown});
  const auto cost_of = [](float held) { return 3 * (held + 1000 + 256 - 36'800) / 1e4f; };
  EXPECT_FLOAT_EQ(costs[kPreempt][0], cost_of(40'000));
  EXPECT_FLOAT_EQ(costs[kPreempt][1], cost_of(38'000));
  EXPECT_FLOAT_EQ(costs[kPreempt][2], cost_of(50'000));
  EXPECT_FLOAT_EQ(costs[kPreempt][3], 0);
}

TEST(CostRule, AdaptersCostTheTimeToLoadThem) {
  RuleBench bench;
  const auto row = [&](std::vector<LoraAffinity> loras) {
    std::vector<RuleCandidate> all;
    for (const LoraAffinity lora : loras) all.push_back({.view = {.lora = lora}});
    return bench.Costs(CostRule(), all)[kLora];
  };
  using enum LoraAffinity;
  EXPECT_EQ(row({kActive, kRoom, kWaiting, kFull, kNotLora}),
            (std::vector<float>{0, 0.3f, 0.6f, 2, 0.3f}));
  EXPECT_EQ(row({kNotLora, kNotLora}), (std::vector<float>{0, 0}));
}

TEST(CostRule, LearnsFromThePoolsMemory) {
  RuleBench bench;
  bench.request.prompt_tokens_estimate = 1000;
  bench.request.target_model = "m";
  const EndpointState state(0);
  for (int i = 0; i < 3000; ++i) {
    bench.memory.OnEnd(state, "m", 1000, bench.now);
    bench.memory.OnFirstToken(state, 2000, bench.now, bench.now + std::chrono::milliseconds(100));
    bench.now += std::chrono::seconds(1);
  }
  const auto costs = bench.Costs(CostRule(), {{.view = {.in_flight = 4}}});
  EXPECT_NEAR(costs[kWait][0], 1000 / 20e3, 1e-4);
  EXPECT_NEAR(costs[kDecode][0], 1000 * 2 / 20e3, 1e-3);
}

TEST(CostRule, KnowsTheSlowOnesOfAMixedPool) {
  RuleBench bench;
  bench.request.prompt_tokens_estimate = 1000;
  const EndpointState slow(0);
  const EndpointState fast(1);
  for (int i = 0; i < 1000; ++i) {
    const auto after = [&](int ms) { return bench.now + std::chrono::milliseconds(ms); };
    bench.memory.OnFirstToken(slow, 2000, bench.now, after(200));
    bench.memory.OnFirstToken(fast, 2000, bench.now, after(100));
    bench.now += std::chrono::seconds(1);
  }
  const auto costs = bench.Costs(CostRule(), {{}, {}});
  EXPECT_NEAR(costs[kWait][0], 1000 / 10e3, 0.005);
  EXPECT_NEAR(costs[kWait][1], 1000 / 20e3, 0.005);
  EXPECT_NEAR(costs[kEvict][0], 2 * costs[kEvict][1], 0.04);
  EXPECT_NEAR(costs[kDecode][0], 2 * costs[kDecode][1], 0.01);
  EXPECT_FLOAT_EQ(costs[kLora][0], 0) << "what stood in its row meanwhile";
}

// Through the profile, on live states: the nearer prefix wins until its queue is longer than what
// it saves.
TEST(CostRule, APrefixIsWorthTheQueueThatItSaves) {
  TestPool pool(2);
  const auto profile = ProfileNamed("COST");
  InferenceRequest request;
  request.prompt_tokens_estimate = 2000;
  PoolMemory memory;
  Random random(1);
  SchedulingScratch scratch;
  const auto choose = [&](int64_t pending) {
    pool.state(0).pending_prompt_tokens = pending;
    Candidates candidates;
    SampleEndpoints(pool.pool, request, pool.now(), {}, &candidates);
    candidates.mutable_prefix_hit_tokens()[0] = 1600;
    return profile
        ->Schedule(request, &candidates, random, &scratch, {.now = pool.now(), .memory = &memory})
        .endpoint->name;
  };
  EXPECT_EQ(choose(0), "e0");
  EXPECT_EQ(choose(7000), "e0") << "1600 tokens, and four times as many that they would evict";
  EXPECT_EQ(choose(9000), "e1");
}

TEST(CostRule, DecisionsSayWhatEachTermCost) {
  TestPool pool(1);
  pool.state(0).pending_prompt_tokens = 1000;
  const auto profile = ProfileNamed("COST");
  InferenceRequest request;
  request.prompt_tokens_estimate = 1000;
  PoolMemory memory;
  Random random(1);
  SchedulingScratch scratch;
  Candidates candidates;
  SampleEndpoints(pool.pool, request, pool.now(), {}, &candidates);
  const Decision decision = profile->Schedule(request, &candidates, random, &scratch,
                                              {.now = pool.now(), .memory = &memory});
  ASSERT_EQ(decision.scorer_count, 8u);
  EXPECT_EQ(profile->terms()[0], "wait");
  EXPECT_EQ(profile->terms()[7], "failures");
  EXPECT_FLOAT_EQ(decision.scores[kWait], -0.2f);
  EXPECT_FLOAT_EQ(decision.scores[kEvict], -0.4f);
  EXPECT_FALSE(std::signbit(decision.scores[kLora])) << "nothing is 0, not -0";
  float sum = 0;
  for (const float score : decision.scores) sum += score;
  EXPECT_FLOAT_EQ(decision.score, sum);
}

}  // namespace
}  // namespace gw
