// The published policies beside their formulas, said slowly: which candidates may be chosen.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <map>
#include <set>

#include "pool/health.h"
#include "scheduling/registry.h"
#include "scheduling/rule/test_rule.h"
#include "scheduling/test_pool.h"

namespace gw {
namespace {

using All = std::vector<RuleCandidate>;
using Chosen = std::set<size_t>;

constexpr double kPrompt = 3200;  // 200 blocks of 16 tokens
constexpr double kBlocks = 200;
constexpr double kOutput = 256;  // before the first answer

double Q(const RuleCandidate& c) { return static_cast<double>(c.view.pending_tokens); }
double B(const RuleCandidate& c) { return c.view.in_flight; }
double P(const RuleCandidate& c) { return c.view.hit_tokens / 16 / kBlocks; }
double N(const RuleCandidate& c) { return kPrompt - c.view.hit_tokens; }
double W(const RuleCandidate& c) { return static_cast<double>(c.view.waiting); }

// Those of `from` with the least cost.
Chosen Least(const All& all, const std::function<double(const RuleCandidate&)>& cost,
             const std::function<bool(const RuleCandidate&)>& from = nullptr) {
  Chosen chosen;
  double least = 0;
  for (size_t i = 0; i < all.size(); ++i) {
    if (from && !from(all[i])) continue;
    const double own = cost(all[i]);
    const double slack = 2e-6 * std::abs(least);
    if (chosen.empty() || own < least - slack) {
      chosen = {i};
      least = own;
    } else if (own <= least + slack) {
      chosen.insert(i);
    }
  }
  return chosen;
}

double Most(const All& all, const std::function<double(const RuleCandidate&)>& of) {
  double most = of(all[0]);
  for (const RuleCandidate& c : all) most = std::max(most, of(c));
  return most;
}
double Fewest(const All& all, const std::function<double(const RuleCandidate&)>& of) {
  return -Most(all, [&](const RuleCandidate& c) { return -of(c); });
}

Chosen Extension(const All& all, double prefix, double queue, double cache) {
  const double least = Fewest(all, W);
  const double most = Most(all, W);
  return Least(all, [&](const RuleCandidate& c) {
    const double rank = most > least ? (most - W(c)) / (most - least) : 1;
    return -(prefix * P(c) + queue * rank + cache * (1 - static_cast<double>(c.view.kv)));
  });
}

// The set of a gate: empty if it is open.
std::function<bool(const RuleCandidate&)> Gate(const All& all,
                                               std::function<bool(const RuleCandidate&)> holds) {
  double in = INFINITY;
  double out = INFINITY;
  for (const RuleCandidate& c : all) {
    double& least = holds(c) ? in : out;
    least = std::min(least, Q(c));
  }
  if (std::isinf(in) || std::isinf(out) || in - out > 286'720) return nullptr;
  return holds;
}

Chosen Sglang(const All& all) {
  const double fewest = Fewest(all, B);
  const double most = Most(all, B);
  if (most - fewest > 32 && most > 1.1 * fewest) return Least(all, B);
  if (Most(all, P) > 0.5) return Least(all, [](const RuleCandidate& c) { return -P(c); });
  return Least(all, B);
}

Chosen Aibrix(const All& all) {
  if (Most(all, B) - Fewest(all, B) > 8) return Least(all, B);
  double sum = 0;
  for (const RuleCandidate& c : all) sum += B(c);
  const double mean = sum / static_cast<double>(all.size());
  double variance = 0;
  for (const RuleCandidate& c : all) variance += (B(c) - mean) * (B(c) - mean);
  const double most = mean + std::sqrt(variance / static_cast<double>(all.size()));
  const auto matches = [&](const RuleCandidate& c) { return P(c) > 0 && B(c) <= most + 1e-4; };
  if (std::none_of(all.begin(), all.end(), matches)) return Least(all, B);
  return Least(
      all, [](const RuleCandidate& c) { return -1000 * std::floor(100 * P(c) + 1e-4) + B(c); },
      matches);
}

Chosen Preble(const All& all) {
  const double most = Most(all, P);
  if (most > 0.5) {
    return Least(
        all, [](const RuleCandidate&) { return 0; },
        [&](const RuleCandidate& c) { return P(c) == most; });
  }
  return Least(all,
               [](const RuleCandidate& c) { return N(c) * static_cast<double>(c.view.kv) + N(c); });
}

Chosen TokenCost(const All& all) {
  return Least(all, [](const RuleCandidate& c) {
    const double context = static_cast<double>(c.context);
    const double cache = static_cast<double>(c.cache);
    const double wanted = context + N(c) + kOutput * (B(c) + 1) - 0.92 * cache;
    return Q(c) + N(c) + 2 * N(c) + 0.3 * N(c) * B(c) + 0.2 * context + 200 * B(c) +
           (cache > 0 ? 5 * std::max(0.0, wanted) : 0);
  });
}

Chosen Cost(const All& all) {
  return Least(all, [](const RuleCandidate& c) {
    const double cache = static_cast<double>(c.cache);
    const double told = static_cast<double>(c.view.kv) * cache + Q(c);
    const double context = static_cast<double>(c.context);
    const double kv = c.view.fresh ? std::min(told, context) : context;
    const double wanted = kv + N(c) + kOutput * (B(c) + 1) - 0.92 * cache;
    const double tokens =
        Q(c) + N(c) + 4 * N(c) + 0.2 * N(c) * B(c) +
        kOutput * (0.35e-3 * (static_cast<double>(c.decoding) + Q(c)) + 0.5 * B(c)) +
        (cache > 0 ? 3 * std::max(0.0, wanted) : 0);
    return tokens / 10'000 + static_cast<double>(c.busy);
  });
}

Chosen Bailian(const All& all) {
  const auto tokens = [](const RuleCandidate& c) { return static_cast<double>(c.context); };
  const double most_b = Most(all, B);
  const double most_t = Most(all, tokens);
  return Least(all, [&](const RuleCandidate& c) {
    return -0.33 * (P(c) + (most_b > 0 ? 1 - B(c) / most_b : 1) +
                    (most_t > 0 ? 1 - tokens(c) / most_t : 1));
  });
}

Chosen Lpwl(const All& all) {
  const auto work = [](const RuleCandidate& c) { return Q(c) + N(c); };
  const double least = Fewest(all, work);
  return Least(all, B, [&](const RuleCandidate& c) { return work(c) == least; });
}

double LMetric(const RuleCandidate& c) { return (Q(c) + N(c)) * (B(c) + 1); }

const std::map<std::string_view, std::function<Chosen(const All&)>>& Oracles() {
  static const std::map<std::string_view, std::function<Chosen(const All&)>> all = {
      {"COST", Cost},
      {"inference-extension-3-2-2", [](const All& c) { return Extension(c, 3, 2, 2); }},
      {"inference-extension-1-1-1", [](const All& c) { return Extension(c, 1, 1, 1); }},
      {"llm-d-2026",
       [](const All& all) {
         return Least(
             all, [](const RuleCandidate& c) { return Q(c) + kPrompt * (1 - P(c)); },
             Gate(all, [](const RuleCandidate& c) { return P(c) >= 0.8; }));
       }},
      {"sglang-cache-aware", Sglang},
      {"aibrix-prefix", Aibrix},
      {"dynamo",
       [](const All& all) {
         return Least(all, [](const RuleCandidate& c) {
           return (Q(c) + N(c) + static_cast<double>(c.context) + kPrompt) / 16;
         });
       }},
      {"lmetric", [](const All& all) { return Least(all, LMetric); }},
      {"lmetric-gate",
       [](const All& all) {
         return Least(all, LMetric, Gate(all, [](const RuleCandidate& c) { return P(c) > 0.5; }));
       }},
      {"lpwl", Lpwl},
      {"preble", Preble},
      {"token-cost", TokenCost},
      {"least-request", [](const All& all) { return Least(all, B); }},
      {"vllm-dp",
       [](const All& all) {
         return Least(
             all, [](const RuleCandidate& c) { return 4 * W(c) + static_cast<double>(c.running); });
       }},
      {"bailian", Bailian},
  };
  return all;
}

// How much the candidates differ: so that gates are open and shut and many are equal.
All RandomCandidates(Random& random) {
  constexpr uint64_t kSpreads[][3] = {{3, 2, 3}, {12, 100, 40}, {80, 600'000, 1000}};
  const auto& [counts, tokens, ratios] = kSpreads[random.Below(3)];
  const auto below = [&](uint64_t limit) { return static_cast<float>(random.Below(limit)); };
  All all(1 + random.Below(12));
  for (RuleCandidate& c : all) {
    const uint64_t held = random.Below(3) == 0 ? 0 : random.Below(201);
    c.view = {.waiting = below(counts),
              .kv = below(ratios + 1) / static_cast<float>(ratios),
              .in_flight = static_cast<int32_t>(random.Below(counts)),
              .pending_tokens = static_cast<int64_t>(random.Below(tokens)),
              .hit_tokens = static_cast<uint32_t>(held * 16),
              .fresh = random.Below(4) != 0};
    c.running = below(counts);
    c.decoding = below(tokens);
    c.context = c.decoding + below(tokens);
    c.cache = random.Below(3) == 0 ? 0 : below(2 * tokens);
    c.busy = below(counts) / 10;
  }
  return all;
}

void ExpectAgrees(const Rule& rule, const std::function<Chosen(const All&)>& oracle) {
  Random random(7);
  RuleBench bench;
  bench.request.prompt_tokens_estimate = static_cast<uint64_t>(kPrompt);
  bench.request.prefix_blocks.resize(static_cast<size_t>(kBlocks));
  for (int round = 0; round < 3000; ++round) {
    const All all = RandomCandidates(random);
    const std::vector<double> sums = bench.Sums(rule, all);
    const auto least = std::min_element(sums.begin(), sums.end());
    const auto best = static_cast<size_t>(least - sums.begin());
    const Chosen expected = oracle(all);
    ASSERT_THAT(expected, testing::Contains(best)) << rule.name << ", round " << round;
    // Those that the formula calls equal are, as a profile tells costs apart.
    for (const size_t i : expected) {
      ASSERT_LE(sums[i] - sums[best], 1e-5 * std::abs(sums[best]) + 1e-6)
          << rule.name << ", round " << round;
    }
  }
}

TEST(Rules, ChooseWhatTheirFormulasSay) {
  for (const auto& [name, oracle] : Oracles()) {
    ExpectAgrees(name == "COST" ? CostRule() : PublishedRule(name), oracle);
  }
}

TEST(Rules, EveryRuleIsCompared) {
  const std::set<std::string_view> by_chance = {"power-of-two", "round-robin", "random"};
  for (const Rule& rule : PublishedRules()) {
    EXPECT_NE(Oracles().contains(rule.name), by_chance.contains(rule.name)) << rule.name;
  }
}

std::vector<int> Draw(std::string_view name, std::vector<int32_t> in_flight, int rounds) {
  RuleBench bench;
  All all;
  for (const int32_t count : in_flight) all.push_back({.view = {.in_flight = count}});
  std::vector<int> chosen(all.size());
  for (int round = 0; round < rounds; ++round) {
    const std::vector<double> sums = bench.Sums(PublishedRule(name), all);
    ++chosen[static_cast<size_t>(std::min_element(sums.begin(), sums.end()) - sums.begin())];
  }
  return chosen;
}

TEST(Rules, RoundRobinGoesAround) {
  EXPECT_EQ(Draw("round-robin", {9, 0, 5}, 30), (std::vector<int>{10, 10, 10}));
}

TEST(Rules, RandomIsEven) {
  for (const int count : Draw("random", {9, 0, 5}, 3000)) EXPECT_NEAR(count, 1000, 150);
}

TEST(Rules, OfTwoThatAreDrawnTheBetterOneIsTaken) {
  // Of three pairs the idle one is in two, the one in the middle wins one.
  const std::vector<int> chosen = Draw("power-of-two", {9, 0, 5}, 3000);
  EXPECT_EQ(chosen[0], 0);
  EXPECT_NEAR(chosen[1], 2000, 150);
  EXPECT_NEAR(chosen[2], 1000, 150);
  EXPECT_EQ(Draw("power-of-two", {3}, 5), (std::vector<int>{5}));
}

class RuleProfiles : public testing::TestWithParam<std::string_view> {
 protected:
  std::string Choose(TestPool& pool) {
    Candidates candidates;
    SampleEndpoints(pool.pool, request_, pool.now(), {}, &candidates);
    const Decision decision = ProfileNamed(GetParam())
                                  ->Schedule(request_, &candidates, random_, &scratch_,
                                             {.now = pool.now(), .memory = &memory_});
    for (const float total : scratch_.totals) EXPECT_TRUE(std::isfinite(total));
    return decision.endpoint->name;
  }

  InferenceRequest request_;
  Random random_{1};
  SchedulingScratch scratch_;
  PoolMemory memory_;
};

TEST_P(RuleProfiles, EqualOnesShareTheLoad) {
  TestPool pool(4);
  std::map<std::string, int> counts;
  for (int i = 0; i < 4000; ++i) ++counts[Choose(pool)];
  for (const auto& [name, count] : counts) EXPECT_NEAR(count, 1000, 150) << name;
  EXPECT_EQ(counts.size(), 4u);
}

TEST_P(RuleProfiles, WhatFailedLatelyIsAvoidedByEqualOnes) {
  // Their candidates differ by chance or by their turn: it takes more than one failure.
  if (GetParam() == "random" || GetParam() == "round-robin") return;
  TestPool pool(3);
  pool.state(1).ever_failed = true;
  RecordRefusal(pool.state(1), pool.now(), false);
  int chosen = 0;
  for (int i = 0; i < 300; ++i) chosen += Choose(pool) == "e1" ? 1 : 0;
  EXPECT_LT(chosen, 50);
}

TEST_P(RuleProfiles, StaleMetricsAreForWhenNobodyHasFreshOnes) {
  TestPool pool(3);
  pool.state(1).scraped_at_ns = 0;
  for (int i = 0; i < 100; ++i) EXPECT_NE(Choose(pool), "e1");
}

TEST_P(RuleProfiles, WhateverStandsInAStateTotalsAreFinite) {
  TestPool pool(5);
  constexpr int64_t kExtremes[] = {0, -1, INT64_MAX, INT64_MIN, 1 << 30};
  constexpr float kFloats[] = {0, -1, INFINITY, NAN, 1e38f};
  request_.prompt_tokens_estimate = UINT64_MAX;
  request_.prefix_blocks.resize(3);
  for (int round = 0; round < 500; ++round) {
    for (size_t i = 0; i < 5; ++i) {
      EndpointState& state = pool.state(i);
      state.pending_prompt_tokens = kExtremes[random_.Below(5)];
      state.decoding_context_tokens = kExtremes[random_.Below(5)] / 4;
      state.context_tokens = kExtremes[random_.Below(5)] / 4;
      state.generated_tokens = kExtremes[random_.Below(5)] / 4;
      state.cache_blocks = static_cast<uint32_t>(kExtremes[random_.Below(5)]);
      state.cache_block_tokens = static_cast<uint32_t>(kExtremes[random_.Below(5)]);
      state.waiting_requests = kFloats[random_.Below(5)];
      state.running_requests = kFloats[random_.Below(5)];
      state.kv_cache_utilization_ratio = kFloats[random_.Below(5)];
      if (random_.Below(20) == 0) RecordRefusal(state, pool.now(), false);
    }
    Choose(pool);
  }
}

INSTANTIATE_TEST_SUITE_P(Registry, RuleProfiles,
                         testing::ValuesIn(StrategyNames().begin() + 2, StrategyNames().end()),
                         [](const auto& info) {
                           std::string name(info.param);
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(Strategies, AreKnownByTheNamesOfTheirProfiles) {
  EXPECT_EQ(ProfileNamed("DEFAULT"), ProfileFor(RoutingStrategy::kDefault));
  EXPECT_EQ(ProfileNamed("PREFIX_CACHE"), ProfileFor(RoutingStrategy::kPrefixCache));
  EXPECT_EQ(ProfileNamed("FASTEST"), nullptr);
  EXPECT_EQ(StrategyNames().size(), 3 + PublishedRules().size());
  std::set<std::string_view> names;
  for (const std::string_view name : StrategyNames()) {
    EXPECT_TRUE(names.insert(name).second) << name;
    EXPECT_EQ(ProfileNamed(name)->name(), name);
  }
  EXPECT_FALSE(ProfileNamed("DEFAULT")->reads_prefix());
  EXPECT_TRUE(ProfileNamed("PREFIX_CACHE")->reads_prefix());
  EXPECT_TRUE(ProfileNamed("COST")->reads_prefix());
  EXPECT_FALSE(ProfileNamed("round-robin")->reads_prefix());
}

}  // namespace
}  // namespace gw
