#include "scheduling/strategy.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "scheduling/registry.h"
#include "scheduling/test_pool.h"

namespace gw {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::StartsWith;

std::string ErrorOf(std::string_view text) {
  return std::string(ReadStrategy(text).status().message());
}

// "COST(evict=4,stall=0.2,...)"
std::string WithItsDefaults(std::string_view name) {
  std::string text;
  for (const RuleConstant& constant : ConstantsOf(name)) {
    text += fmt::format("{}{}={}", text.empty() ? "" : ",", constant.name, constant.value);
  }
  return text.empty() ? std::string(name) : fmt::format("{}({})", name, text);
}

std::vector<std::pair<std::string_view, float>> WeightsOf(std::string_view text) {
  std::vector<std::pair<std::string_view, float>> weights;
  const std::shared_ptr<const Profile> profile = *ReadStrategy(text);
  for (const WeightedScorer& weighted : profile->scorers()) {
    weights.emplace_back(weighted.scorer->name(), weighted.weight);
  }
  return weights;
}

TEST(ReadStrategy, APlainNameIsTheProfileOfTheRegistry) {
  for (const std::string_view name : StrategyNames()) {
    EXPECT_EQ(*ReadStrategy(name), ProfileNamed(name));
  }
  EXPECT_EQ(*ReadStrategy(" COST "), ProfileNamed("COST"));
}

TEST(ReadStrategy, IsNamedByItsText) {
  const auto profile = *ReadStrategy("COST(busy=0.5, preempt = 2)");
  EXPECT_EQ(profile->name(), "COST(busy=0.5, preempt = 2)");
  EXPECT_EQ(profile->rule(), ProfileNamed("COST")->rule());
  EXPECT_TRUE(profile->reads_prefix());
}

TEST(ReadStrategy, WeightsAreSetAddedAndLeftOut) {
  using Weight = std::pair<std::string_view, float>;
  EXPECT_THAT(WeightsOf("DEFAULT(pending-tokens=3,queue-depth=0,in-flight=1.5)"),
              ElementsAre(Weight("kv-cache-utilization", 2), Weight("in-flight", 1.5),
                          Weight("lora-affinity", 4), Weight("pending-tokens", 3)));
  EXPECT_TRUE((*ReadStrategy("DEFAULT(prefix-cache=1)"))->reads_prefix());
  EXPECT_FALSE((*ReadStrategy("PREFIX_CACHE(prefix-cache=0)"))->reads_prefix());
}

TEST(ReadStrategy, ErrorsSayWhichStrategyAndConstantAndListTheKnownOnes) {
  EXPECT_THAT(ErrorOf("cost(busy=1)"),
              AllOf(StartsWith("must be one of DEFAULT, PREFIX_CACHE, COST, "),
                    EndsWith("got \"cost\", did you mean \"COST\"?")));
  EXPECT_EQ(ErrorOf("COST(bussy=1)"),
            "COST has no constant \"bussy\", known are evict, stall, decode-context, "
            "decode-request, preempt, usable-cache, busy, did you mean \"busy\"?");
  EXPECT_EQ(ErrorOf("PREFIX_CACHE(load=1)"),
            "PREFIX_CACHE has no constant \"load\", known are queue-depth, kv-cache-utilization, "
            "in-flight, pending-tokens, prefix-cache, lora-affinity");
  EXPECT_EQ(ErrorOf("random(seed=1)"), "random has no constants, got \"seed\"");
  EXPECT_EQ(ErrorOf("COST(busy)"), "COST: wanted constants such as NAME=NUMBER, got \"busy\"");
  EXPECT_EQ(ErrorOf("COST()"), "COST: wanted constants such as NAME=NUMBER, got \"\"");
  EXPECT_EQ(ErrorOf("COST(busy=1,)"), "COST: wanted constants such as NAME=NUMBER, got \"\"");
  EXPECT_EQ(ErrorOf("COST(busy=1,busy=2)"), "COST: busy is given twice");
  for (const std::string_view value : {"", "x", "-1", "nan", "inf", "2e9", "1)", "(1"}) {
    EXPECT_EQ(ErrorOf(fmt::format("COST(busy={})", value)),
              fmt::format("COST: busy: wanted a number from 0 to 1e+09, got \"{}\"", value));
  }
  EXPECT_EQ(ErrorOf("COST(busy=1"), "must be such as COST(NAME=NUMBER,...), got \"COST(busy=1\"");
  EXPECT_EQ(ErrorOf("COST(busy=1)x"),
            "must be such as COST(NAME=NUMBER,...), got \"COST(busy=1)x\"");
}

TEST(SplitStrategies, AtCommasOutsideOfParentheses) {
  EXPECT_THAT(SplitStrategies("COST"), ElementsAre("COST"));
  EXPECT_THAT(SplitStrategies("COST(busy=1,evict=2), random,DEFAULT(in-flight=1)"),
              ElementsAre("COST(busy=1,evict=2)", "random", "DEFAULT(in-flight=1)"));
  EXPECT_THAT(SplitStrategies("a,,b"), ElementsAre("a", "", "b"));
  EXPECT_THAT(SplitStrategies("a),b"), ElementsAre("a)", "b"));
  EXPECT_THAT(SplitStrategies("a(,b"), ElementsAre("a(,b"));
}

// Some that have about as many requests each, and some that have not.
void Randomize(TestPool& pool, Random& random) {
  const uint64_t requests_max = random.Below(2) == 0 ? 6 : 50;
  for (size_t i = 0; i < pool.pool.endpoints.size(); ++i) {
    EndpointState& state = pool.state(i);
    state.in_flight_requests = static_cast<int32_t>(random.Below(requests_max));
    state.pending_prompt_tokens = static_cast<int64_t>(random.Below(600'000));
    state.waiting_requests = static_cast<float>(random.Below(8));
    state.running_requests = static_cast<float>(random.Below(40));
    state.kv_cache_utilization_ratio = static_cast<float>(random.Unit());
    state.decoding_context_tokens = static_cast<int64_t>(random.Below(100'000));
    state.context_tokens = static_cast<int64_t>(random.Below(400'000));
    state.cache_blocks = 20'000;
    state.cache_block_tokens = 16;
  }
}

// Decisions of two strategies by the same seeds, in the same states of a pool: how many differ.
int CountDifferent(std::string_view one, std::string_view other) {
  TestPool pool(12);
  Random states(1);
  InferenceRequest request;
  request.prompt_tokens_estimate = 3200;
  request.prefix_blocks.resize(200);
  const auto decide = [&](const Profile& profile, PoolMemory& memory, uint64_t held, int round) {
    Candidates candidates;
    SchedulingScratch scratch;
    Random random(static_cast<uint64_t>(round) + 1);
    SampleEndpoints(pool.pool, request, pool.now(), {}, &candidates);
    for (size_t i = 0; i < candidates.size(); ++i) {
      const auto blocks = static_cast<uint32_t>(held * (i + 1) % 201);
      candidates.mutable_prefix_hit_blocks()[i] = blocks;
      candidates.mutable_prefix_hit_tokens()[i] = blocks * 16;
    }
    const Decision decision = profile.Schedule(request, &candidates, random, &scratch,
                                               {.now = pool.now(), .memory = &memory});
    return std::pair(decision.endpoint, decision.score);
  };
  PoolMemory memory_of_one;
  PoolMemory memory_of_other;
  int different = 0;
  for (int round = 0; round < 300; ++round) {
    Randomize(pool, states);
    const uint64_t held = states.Below(201);
    different += decide(**ReadStrategy(one), memory_of_one, held, round) !=
                         decide(**ReadStrategy(other), memory_of_other, held, round)
                     ? 1
                     : 0;
  }
  return different;
}

TEST(Strategy, DefaultsThatAreGivenChangeNothing) {
  for (const std::string_view name : StrategyNames()) {
    EXPECT_EQ(CountDifferent(name, WithItsDefaults(name)), 0) << WithItsDefaults(name);
  }
}

// None is declared and not read.
TEST(Strategy, EveryConstantChangesDecisions) {
  for (const std::string_view name : StrategyNames()) {
    for (const RuleConstant& constant : ConstantsOf(name)) {
      if (constant.name == "busy" || constant.name == "lora-affinity") continue;  // alike here
      const std::string other = fmt::format(
          "{}({}={})", name, constant.name,
          constant.value > 0 && constant.value <= 1 ? constant.value / 10 : constant.value * 4 + 1);
      EXPECT_GT(CountDifferent(name, other), 0) << other;
    }
  }
}

TEST(Strategy, TheSecondsOfAnEndpointThatWasBusyAreWeighed) {
  TestPool pool(2);
  pool.state(0).busy.Begin(pool.now());
  pool.clock.Advance(std::chrono::seconds(20));
  pool.state(1).scraped_at_ns = pool.now().time_since_epoch().count();
  pool.state(0).scraped_at_ns = pool.now().time_since_epoch().count();
  pool.state(1).pending_prompt_tokens = 10'000;  // a second
  const auto choose = [&](std::string_view text) {
    InferenceRequest request;
    request.prompt_tokens_estimate = 100;
    Candidates candidates;
    SchedulingScratch scratch;
    Random random(1);
    PoolMemory memory;
    SampleEndpoints(pool.pool, request, pool.now(), {}, &candidates);
    return (*ReadStrategy(text))
        ->Schedule(request, &candidates, random, &scratch, {.now = pool.now(), .memory = &memory})
        .endpoint->name;
  };
  EXPECT_EQ(choose("COST"), "e1");
  EXPECT_EQ(choose("COST(busy=0.1)"), "e0");
}

TEST(Strategy, EveryConstantStandsInTheDocumentation) {
  std::ifstream file(std::string(PENSTOCK_SOURCE_DIR) + "/docs/policies.md");
  std::stringstream documentation;
  documentation << file.rdbuf();
  for (const std::string_view name : StrategyNames()) {
    std::set<std::string_view> names;
    for (const RuleConstant& constant : ConstantsOf(name)) {
      EXPECT_TRUE(names.insert(constant.name).second) << name << " " << constant.name;
      const std::string row = fmt::format("| `{}` | `{}` | {} | {} |\n", name, constant.name,
                                          constant.value, constant.what);
      EXPECT_NE(documentation.str().find(row), std::string::npos) << "wanted: " << row;
    }
  }
}

}  // namespace
}  // namespace gw
