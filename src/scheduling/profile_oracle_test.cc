// Decisions over columns beside the slow and obvious form, which looks at one candidate after the
// other: the same choice, the same scores to the last bit, the same losers in the same order.

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>

#include "scheduling/registry.h"
#include "scheduling/test_pool.h"
#include "scheduling/test_views.h"

namespace gw {
namespace {

using EndpointViews = std::vector<EndpointView>;

template <typename LoadOf>
std::vector<float> LoadScores(const EndpointViews& views, float slack, LoadOf&& load_of) {
  std::vector<float> scores;
  float least = 0;
  double sum = 0;
  size_t known = 0;
  for (const EndpointView& view : views) {
    const float load = load_of(view);
    scores.push_back(load);
    if (load < 0) continue;
    least = known == 0 ? load : std::min(least, load);
    sum += static_cast<double>(load);
    ++known;
  }
  const double mean = known == 0 ? 0 : sum / static_cast<double>(known);
  const float scale = slack + static_cast<float>(mean) / 2;
  for (float& score : scores) score = score < 0 ? 0.5f : scale / (scale + (score - least));
  return scores;
}

std::vector<float> QueueDepth(const InferenceRequest&, const EndpointViews& views) {
  return LoadScores(views, 4, [](const EndpointView& view) {
    return view.metrics_fresh ? std::max(0.0f, view.waiting_requests) : -1.0f;
  });
}

std::vector<float> KvCacheUtilization(const InferenceRequest&, const EndpointViews& views) {
  std::vector<float> scores;
  for (const EndpointView& view : views) {
    const float used = std::clamp(view.kv_cache_utilization_ratio, 0.0f, 1.0f);
    scores.push_back(view.metrics_fresh ? 1.0f - used : 0.5f);
  }
  return scores;
}

std::vector<float> InFlight(const InferenceRequest&, const EndpointViews& views) {
  return LoadScores(views, 4, [](const EndpointView& view) {
    const auto own = static_cast<float>(std::max(0, view.in_flight_requests));
    return view.metrics_fresh ? own + std::max(0.0f, view.foreign_requests) : own;
  });
}

std::vector<float> PendingTokens(const InferenceRequest&, const EndpointViews& views) {
  return LoadScores(views, 8192, [](const EndpointView& view) {
    return static_cast<float>(std::max<int64_t>(0, view.pending_prompt_tokens));
  });
}

std::vector<float> PrefixCache(const InferenceRequest& request, const EndpointViews& views) {
  uint32_t least = views[0].prefix_hit_tokens;
  for (const EndpointView& view : views) least = std::min(least, view.prefix_hit_tokens);
  const float common = std::max(48.0f, static_cast<float>(least));
  const auto prompt = static_cast<float>(request.prompt_tokens_estimate);
  std::vector<float> scores;
  for (const EndpointView& view : views) {
    const auto hit = static_cast<float>(view.prefix_hit_tokens);
    const float saved = hit - common;
    const float whole = std::min(std::max(prompt, hit), saved + 512);
    scores.push_back(saved > 0 ? saved / whole : 0.0f);
  }
  return scores;
}

std::vector<float> Lora(const InferenceRequest&, const EndpointViews& views) {
  const bool any = std::any_of(views.begin(), views.end(), [](const EndpointView& view) {
    return view.lora != LoraAffinity::kNotLora;
  });
  std::vector<float> scores;
  for (const EndpointView& view : views) {
    const bool silent = any && view.lora == LoraAffinity::kNotLora;
    switch (silent ? LoraAffinity::kRoom : view.lora) {
      case LoraAffinity::kNotLora:
      case LoraAffinity::kActive:
        scores.push_back(1);
        break;
      case LoraAffinity::kRoom:
        scores.push_back(0.5f);
        break;
      case LoraAffinity::kWaiting:
        scores.push_back(0.25f);
        break;
      case LoraAffinity::kFull:
        scores.push_back(0);
        break;
    }
  }
  return scores;
}

using Score = std::vector<float> (*)(const InferenceRequest&, const EndpointViews&);
constexpr struct {
  std::string_view name;
  Score score;
} kScorers[] = {{"queue-depth", QueueDepth},   {"kv-cache-utilization", KvCacheUtilization},
                {"in-flight", InFlight},       {"pending-tokens", PendingTokens},
                {"prefix-cache", PrefixCache}, {"lora-affinity", Lora}};

Score ScoreNamed(std::string_view name) {
  for (const auto& scorer : kScorers) {
    if (scorer.name == name) return scorer.score;
  }
  return nullptr;
}

size_t Pick(const std::vector<float>& totals, Random& random) {
  const float least = *std::max_element(totals.begin(), totals.end()) - 1e-5f;
  const auto ties = static_cast<uint64_t>(
      std::count_if(totals.begin(), totals.end(), [least](float total) { return total >= least; }));
  uint64_t skip = ties > 1 ? random.Below(ties) : 0;
  for (size_t i = 0; i < totals.size(); ++i) {
    if (totals[i] >= least && skip-- == 0) return i;
  }
  return 0;
}

Decision Decide(const Profile& profile, const InferenceRequest& request, EndpointViews views,
                Random& random) {
  Decision decision;
  const auto is_fresh = [](const EndpointView& view) { return view.metrics_fresh; };
  if (std::any_of(views.begin(), views.end(), is_fresh)) {
    std::erase_if(views, [](const EndpointView& view) { return !view.metrics_fresh; });
  }
  if (views.empty()) return decision;
  std::vector<float> totals(views.size());
  std::vector<std::vector<float>> rows;
  for (const WeightedScorer& weighted : profile.scorers()) {
    std::vector<float> row = ScoreNamed(weighted.scorer->name())(request, views);
    for (size_t i = 0; i < row.size(); ++i) {
      row[i] = weighted.weight * (row[i] >= 0 ? std::min(row[i], 1.0f) : 0.0f);
      totals[i] += row[i];
    }
    rows.push_back(row);
  }
  for (size_t i = 0; i < views.size(); ++i) {
    if (views[i].penalty == 0) continue;
    totals[i] /= 1 + views[i].penalty;
    for (std::vector<float>& row : rows) row[i] /= 1 + views[i].penalty;
  }
  const size_t chosen = Pick(totals, random);
  decision.endpoint = views[chosen].endpoint;
  decision.prefix_hit_blocks = views[chosen].prefix_hit_blocks;
  decision.candidates = static_cast<uint32_t>(views.size());
  decision.score = totals[chosen];
  decision.in_flight_requests = views[chosen].in_flight_requests;
  for (const std::vector<float>& row : rows) {
    decision.scores[decision.scorer_count++] = row[chosen];
  }
  std::vector<size_t> order;
  for (size_t i = 0; i < views.size(); ++i) {
    if (i != chosen) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return totals[a] > totals[b]; });
  for (const size_t i : order) {
    if (decision.loser_count == Decision::kLosersMax) break;
    Loser& loser = decision.losers[decision.loser_count++];
    loser = {.endpoint = views[i].endpoint,
             .score = totals[i],
             .in_flight_requests = views[i].in_flight_requests};
    for (size_t s = 0; s < rows.size(); ++s) loser.scores[s] = rows[s][i];
  }
  return decision;
}

bool SameBits(float a, float b) { return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b); }

void ExpectSame(const Decision& expected, const Decision& decision) {
  ASSERT_EQ(decision.endpoint, expected.endpoint);
  ASSERT_EQ(decision.candidates, expected.candidates);
  ASSERT_EQ(decision.prefix_hit_blocks, expected.prefix_hit_blocks);
  ASSERT_EQ(decision.in_flight_requests, expected.in_flight_requests);
  ASSERT_TRUE(SameBits(decision.score, expected.score));
  ASSERT_EQ(decision.scorer_count, expected.scorer_count);
  for (size_t s = 0; s < expected.scorer_count; ++s) {
    ASSERT_TRUE(SameBits(decision.scores[s], expected.scores[s]));
  }
  ASSERT_EQ(decision.loser_count, expected.loser_count);
  for (size_t n = 0; n < expected.loser_count; ++n) {
    const Loser& loser = decision.losers[n];
    ASSERT_EQ(loser.endpoint, expected.losers[n].endpoint);
    ASSERT_TRUE(SameBits(loser.score, expected.losers[n].score));
    ASSERT_EQ(loser.in_flight_requests, expected.losers[n].in_flight_requests);
    for (size_t s = 0; s < expected.scorer_count; ++s) {
      ASSERT_TRUE(SameBits(loser.scores[s], expected.losers[n].scores[s]));
    }
  }
}

// How much the endpoints of one round differ: not at all, so that all is chance, a little, much.
struct Spread {
  uint64_t counts;
  uint64_t tokens;
  uint64_t ratios;
};
constexpr Spread kSpreads[] = {{1, 1, 1}, {3, 100, 4}, {40, 200'000, 1000}};

EndpointView RandomView(const Endpoint& endpoint, const Spread& spread, Random& random) {
  const auto below = [&](uint64_t limit) { return static_cast<float>(random.Below(limit)); };
  EndpointView view = View({
      .waiting = below(spread.counts),
      .kv = below(spread.ratios) / 900,
      .in_flight = static_cast<int32_t>(random.Below(spread.counts + 1)) - 1,
      .foreign = below(spread.counts) - 1,
      .pending_tokens = static_cast<int64_t>(random.Below(spread.tokens)) - 10,
      .hit_tokens = static_cast<uint32_t>(random.Below(spread.tokens)) / 16 * 16,
      .lora =
          spread.counts == 1 ? LoraAffinity::kNotLora : static_cast<LoraAffinity>(random.Below(5)),
      .fresh = random.Below(4) != 0,
  });
  view.endpoint = &endpoint;
  view.slot = endpoint.state->slot;
  if (random.Below(10) == 0) view.penalty = below(8) / 4;
  return view;
}

TEST(ProfileOracle, ColumnsDecideAsOneCandidateAfterTheOther) {
  constexpr size_t kCounts[] = {1, 2, 3, 4, 7, 8, 9, 16, 31, 100, 500, 4000};
  TestPool pool(4000);
  std::vector<WeightedScorer> all;
  for (const auto& scorer : kScorers) all.push_back({std::move(*NewScorer(scorer.name)), 1.5f});
  std::vector<std::unique_ptr<Filter>> filters;
  filters.push_back(std::move(*NewFilter("fresh-metrics")));
  const auto every_scorer = std::make_shared<const Profile>(
      "all", std::move(filters), std::move(all), std::move(*NewPicker("max-score")));
  SchedulingScratch scratch;
  uint64_t seed = 0;
  for (const size_t count : kCounts) {
    const int rounds = count <= 100 ? 60 : 8;
    for (int round = 0; round < rounds; ++round) {
      Random random(++seed);
      InferenceRequest request;
      request.prompt_tokens_estimate = random.Below(20'000);
      EndpointViews views;
      for (size_t i = 0; i < count; ++i) {
        views.push_back(RandomView(pool.pool.endpoints[i], kSpreads[round % 3], random));
      }
      for (const auto& profile :
           {ProfileFor(RoutingStrategy::kDefault), ProfileFor(RoutingStrategy::kPrefixCache),
            LoadProfile(), every_scorer}) {
        SCOPED_TRACE(profile->name() + ", seed " + std::to_string(seed));
        Random ours(seed);
        Random theirs(seed);
        Candidates candidates(views);
        const Decision decision = profile->Schedule(request, &candidates, ours, &scratch);
        ASSERT_NO_FATAL_FAILURE(ExpectSame(Decide(*profile, request, views, theirs), decision));
        ASSERT_EQ(ours.Next(), theirs.Next()) << "chance was asked as often";
      }
    }
  }
}

TEST(ProfileOracle, EveryScorerIsCompared) {
  for (const std::string_view name : ScorerNames()) EXPECT_NE(ScoreNamed(name), nullptr) << name;
}

}  // namespace
}  // namespace gw
