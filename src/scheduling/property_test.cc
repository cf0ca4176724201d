// Laws that hold for every scorer of the registry, on random candidates: scores lie in [0, 1],
// depend on the candidates and not on their order, never rise when the candidate's own signal
// worsens, and fall little when it worsens a little.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "scheduling/registry.h"
#include "scheduling/test_views.h"

namespace gw {
namespace {

// One row per scorer: how its signal gets worse, and how it gets a little worse (nullptr: it has no
// degrees).
struct Row {
  std::string_view scorer;
  void (*worsen)(EndpointView& view);
  void (*slightly)(EndpointView& view);
};
const Row kRows[] = {
    {"queue-depth", [](EndpointView& view) { view.waiting_requests += 3; },
     [](EndpointView& view) { view.waiting_requests += 1; }},
    {"kv-cache-utilization", [](EndpointView& view) { view.kv_cache_utilization_ratio += 0.1f; },
     [](EndpointView& view) { view.kv_cache_utilization_ratio += 0.01f; }},
    {"in-flight", [](EndpointView& view) { view.in_flight_requests += 2; },
     [](EndpointView& view) { view.in_flight_requests += 1; }},
    {"pending-tokens", [](EndpointView& view) { view.pending_prompt_tokens += 900; },
     [](EndpointView& view) { view.pending_prompt_tokens += 100; }},
    {"prefix-cache",
     [](EndpointView& view) { view.prefix_hit_tokens -= std::min(view.prefix_hit_tokens, 64u); },
     [](EndpointView& view) { view.prefix_hit_tokens -= std::min(view.prefix_hit_tokens, 16u); }},
    {"lora-affinity",
     [](EndpointView& view) {
       view.lora = view.lora == LoraAffinity::kActive ? LoraAffinity::kRoom
                   : view.lora == LoraAffinity::kRoom ? LoraAffinity::kWaiting
                                                      : LoraAffinity::kFull;
     },
     nullptr},
};

std::vector<EndpointView> RandomViews(Random& random) {
  std::vector<EndpointView> views;
  const uint64_t count = 1 + random.Below(12);
  for (uint64_t i = 0; i < count; ++i) {
    views.push_back(View({
        .waiting = static_cast<float>(random.Below(2) == 0 ? 0 : random.Below(30)),
        .kv = static_cast<float>(random.Unit() * 1.2 - 0.1),
        .in_flight = static_cast<int32_t>(random.Below(80)) - 1,
        .foreign = static_cast<float>(random.Below(10)),
        .pending_tokens = static_cast<int64_t>(random.Below(200'000)) - 100,
        .hit_tokens = static_cast<uint32_t>(random.Below(5000)),
        .lora = static_cast<LoraAffinity>(random.Below(5)),
        .fresh = random.Below(5) != 0,
    }));
  }
  return views;
}

InferenceRequest RequestOfTokens(uint64_t tokens) {
  InferenceRequest request;
  request.prompt_tokens_estimate = tokens;
  return request;
}

class ScorerLaws : public ::testing::TestWithParam<Row> {
 protected:
  std::unique_ptr<Scorer> scorer_ = std::move(*NewScorer(GetParam().scorer));
  const InferenceRequest request_ = RequestOfTokens(3000);
};

TEST_P(ScorerLaws, ScoresLieBetweenZeroAndOne) {
  Random random(1);
  for (int round = 0; round < 500; ++round) {
    for (float score : ScoresOf(*scorer_, RandomViews(random), request_)) {
      EXPECT_GE(score, 0.0f);
      EXPECT_LE(score, 1.0f);
    }
  }
}

TEST_P(ScorerLaws, APermutationOfTheCandidatesPermutesTheScores) {
  Random random(2);
  for (int round = 0; round < 500; ++round) {
    const std::vector<EndpointView> views = RandomViews(random);
    std::vector<size_t> order(views.size());
    std::iota(order.begin(), order.end(), 0);
    for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.Below(i)]);
    std::vector<EndpointView> permuted;
    for (size_t i : order) permuted.push_back(views[i]);
    const std::vector<float> scores = ScoresOf(*scorer_, views, request_);
    const std::vector<float> permuted_scores = ScoresOf(*scorer_, permuted, request_);
    for (size_t i = 0; i < order.size(); ++i) {
      EXPECT_NEAR(permuted_scores[i], scores[order[i]], 1e-6f);
    }
  }
}

TEST_P(ScorerLaws, AWorseSignalNeverRaisesTheScore) {
  Random random(3);
  for (int round = 0; round < 500; ++round) {
    std::vector<EndpointView> views = RandomViews(random);
    const size_t changed = random.Below(views.size());
    const float before = ScoresOf(*scorer_, views, request_)[changed];
    GetParam().worsen(views[changed]);
    EXPECT_LE(ScoresOf(*scorer_, views, request_)[changed], before + 1e-6f);
  }
}

TEST_P(ScorerLaws, AClearlyBetterSignalScoresHigher) {
  std::vector<EndpointView> views(3, View({.waiting = 2,
                                           .kv = 0.5,
                                           .in_flight = 5,
                                           .hit_tokens = 900,
                                           .lora = LoraAffinity::kActive}));
  GetParam().worsen(views[1]);
  const std::vector<float> scores = ScoresOf(*scorer_, views, request_);
  EXPECT_GT(scores[0], scores[1]);
  EXPECT_GT(scores[2], scores[1]);
}

// What the range between the best and the worst is scaled to is not: there the least difference
// takes the whole term.
TEST_P(ScorerLaws, ASlightlyWorseSignalCostsLittle) {
  if (GetParam().slightly == nullptr) return;
  Random random(4);
  for (int round = 0; round < 500; ++round) {
    std::vector<EndpointView> views(2 + random.Below(8), RandomViews(random)[0]);
    GetParam().slightly(views[0]);
    const std::vector<float> scores = ScoresOf(*scorer_, views, request_);
    EXPECT_LE(scores[1] - scores[0], 0.25f);
  }
}

INSTANTIATE_TEST_SUITE_P(Registry, ScorerLaws, ::testing::ValuesIn(kRows), [](const auto& info) {
  std::string name(info.param.scorer);
  std::erase(name, '-');
  return name;
});

// What no endpoint can be, and what only a fault of ours could make of it.
float ExtremeFloat(Random& random) {
  using Limits = std::numeric_limits<float>;
  constexpr float kExtremes[] = {0,
                                 -0.0f,
                                 -1,
                                 Limits::denorm_min(),
                                 Limits::max(),
                                 Limits::lowest(),
                                 Limits::infinity(),
                                 -Limits::infinity(),
                                 Limits::quiet_NaN(),
                                 1e6f};
  return kExtremes[random.Below(std::size(kExtremes))];
}

template <typename Integer>
Integer ExtremeInteger(Random& random) {
  using Limits = std::numeric_limits<Integer>;
  constexpr Integer kExtremes[] = {0, 1, Limits::max(), Limits::min()};
  return kExtremes[random.Below(std::size(kExtremes))];
}

TEST(Profiles, TheScoresOfADecisionAreFiniteWhateverTheCandidatesAre) {
  const std::shared_ptr<const Profile> profiles[] = {ProfileFor(RoutingStrategy::kDefault),
                                                     ProfileFor(RoutingStrategy::kPrefixCache),
                                                     LoadProfile()};
  const InferenceRequest request = RequestOfTokens(20);
  Random random(4);
  SchedulingScratch scratch;
  for (int round = 0; round < 5000; ++round) {
    std::vector<EndpointView> views = RandomViews(random);
    for (EndpointView& view : views) {
      if (random.Below(2) == 0) view.waiting_requests = ExtremeFloat(random);
      if (random.Below(2) == 0) view.foreign_requests = ExtremeFloat(random);
      if (random.Below(2) == 0) view.kv_cache_utilization_ratio = ExtremeFloat(random);
      if (random.Below(2) == 0) view.in_flight_requests = ExtremeInteger<int32_t>(random);
      if (random.Below(2) == 0) view.pending_prompt_tokens = ExtremeInteger<int64_t>(random);
      if (random.Below(2) == 0) view.prefix_hit_blocks = ExtremeInteger<uint32_t>(random);
      if (random.Below(2) == 0) view.prefix_hit_tokens = ExtremeInteger<uint32_t>(random);
    }
    for (const auto& profile : profiles) {
      Candidates candidates(views);
      const Decision decision = profile->Schedule(request, &candidates, random, &scratch);
      for (float total : scratch.totals) ASSERT_TRUE(std::isfinite(total)) << profile->name();
      ASSERT_TRUE(std::isfinite(decision.score));
      for (float score : decision.scores) ASSERT_TRUE(std::isfinite(score));
    }
  }
}

TEST(Registry, EveryScorerHasARowInTheLaws) {
  for (std::string_view name : ScorerNames()) {
    EXPECT_TRUE(std::any_of(std::begin(kRows), std::end(kRows), [name](const Row& row) {
      return row.scorer == name;
    })) << name;
  }
}

}  // namespace
}  // namespace gw
