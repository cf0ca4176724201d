#include "scheduling/profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "scheduling/registry.h"
#include "scheduling/test_pool.h"
#include "scheduling/test_views.h"

namespace gw {
namespace {

class Scheduling : public ::testing::Test {
 protected:
  Decision Decide(const std::vector<EndpointView>& views, const DecisionOptions& options = {}) {
    Candidates candidates(views);
    return profile_->Schedule(request_, &candidates, random_, &scratch_, options);
  }

  std::shared_ptr<const Profile> profile_ = ProfileFor(RoutingStrategy::kPrefixCache);
  InferenceRequest request_;
  Random random_{1};
  SchedulingScratch scratch_;
};

TEST_F(Scheduling, NoCandidateNoEndpoint) {
  const Decision decision = Decide({});
  EXPECT_EQ(decision.endpoint, nullptr);
  EXPECT_EQ(decision.candidates, 0u);
}

TEST_F(Scheduling, TheDecisionSaysWhatEachScorerContributed) {
  TestPool pool(2);
  request_.prompt_tokens_estimate = 384;
  auto views = Views({{.waiting = 0, .kv = 0.5, .hit_tokens = 240}, {.waiting = 8, .kv = 0.5}});
  views[0].endpoint = &pool.pool.endpoints[0];
  views[1].endpoint = &pool.pool.endpoints[1];
  const Decision decision = Decide(views);
  EXPECT_EQ(decision.endpoint, &pool.pool.endpoints[0]);
  EXPECT_EQ(decision.candidates, 2u);
  EXPECT_EQ(decision.prefix_hit_blocks, 15u);
  ASSERT_EQ(decision.scorer_count, 5u);
  // queue 2 * 1, kv 2 * 0.5, in-flight 6 * 1, lora 4 * 1, prefix 3 * 0.5
  EXPECT_FLOAT_EQ(decision.scores[0], 2);
  EXPECT_FLOAT_EQ(decision.scores[1], 1);
  EXPECT_FLOAT_EQ(decision.scores[2], 6);
  EXPECT_FLOAT_EQ(decision.scores[3], 4);
  EXPECT_FLOAT_EQ(decision.scores[4], 1.5);
  EXPECT_FLOAT_EQ(decision.score, 14.5);
}

TEST_F(Scheduling, TheNextBestComeInOrderAndAsManyAsWereAskedFor) {
  TestPool pool(12);
  std::vector<EndpointView> views;
  for (int32_t i = 0; i < 12; ++i) {
    views.push_back(View({.in_flight = i * 5 % 12}));  // 5 is prime to 12: each of 0 to 11 once
    views.back().endpoint = &pool.pool.endpoints[static_cast<size_t>(i)];
  }
  const auto next_of = [&](size_t next_max) {
    const Decision decision = Decide(views, {.next_max = next_max});
    EXPECT_EQ(decision.endpoint->name, "e0");
    std::vector<std::string> names;
    for (size_t n = 0; n < decision.next_count; ++n) names.push_back(decision.next[n]->name);
    return names;
  };
  EXPECT_THAT(next_of(0), ::testing::IsEmpty());
  EXPECT_THAT(next_of(3), ::testing::ElementsAre("e5", "e10", "e3"));
  EXPECT_THAT(next_of(8), ::testing::ElementsAre("e5", "e10", "e3", "e8", "e1", "e6", "e11", "e4"));
  views.resize(2);
  EXPECT_THAT(next_of(8), ::testing::ElementsAre("e1"));
}

TEST_F(Scheduling, EqualOnesTakeTurnsAsTheNextBest) {
  TestPool pool(5);
  std::vector<EndpointView> views =
      Views({{}, {.in_flight = 1}, {.in_flight = 1}, {.in_flight = 1}, {.in_flight = 1}});
  for (size_t i = 0; i < views.size(); ++i) views[i].endpoint = &pool.pool.endpoints[i];
  std::map<std::string, int> first;
  for (int round = 0; round < 1000; ++round) {
    const Decision decision = Decide(views, {.next_max = 2});
    ASSERT_EQ(decision.next_count, 2u);
    ASSERT_NE(decision.next[0], decision.next[1]);
    ++first[decision.next[0]->name];
  }
  EXPECT_EQ(first.size(), 4u);
  for (const auto& [name, count] : first) EXPECT_GT(count, 100) << name;
}

// What is chosen must not depend on whether anybody asks what comes after it.
TEST_F(Scheduling, AskingForTheNextBestChangesNoChoice) {
  TestPool pool(20);
  Random draws(3);
  for (uint64_t round = 0; round < 500; ++round) {
    std::vector<EndpointView> views;
    for (size_t i = 0; i < 20; ++i) {
      views.push_back(View({.in_flight = static_cast<int32_t>(draws.Below(3))}));
      views.back().endpoint = &pool.pool.endpoints[i];
    }
    random_ = Random(round);
    const Decision plain = Decide(views);
    random_ = Random(round);
    const Decision asked = Decide(views, {.next_max = 8});
    ASSERT_EQ(plain.endpoint, asked.endpoint);
    ASSERT_EQ(asked.next_count, 8u);
  }
}

// The oracle: filter, add up and sort, the slow and obvious way.
std::vector<uint32_t> BestSlots(const Profile& profile, const InferenceRequest& request,
                                const std::vector<EndpointView>& views) {
  std::vector<EndpointView> kept;
  for (const EndpointView& view : views) {
    if (view.metrics_fresh) kept.push_back(view);
  }
  if (kept.empty()) kept = views;
  std::vector<std::pair<float, uint32_t>> ranked;
  for (const EndpointView& view : kept) ranked.emplace_back(0.0f, view.slot);
  for (const WeightedScorer& weighted : profile.scorers()) {
    const std::vector<float> scores = ScoresOf(*weighted.scorer, kept, request);
    for (size_t i = 0; i < kept.size(); ++i) ranked[i].first += weighted.weight * scores[i];
  }
  std::sort(ranked.rbegin(), ranked.rend());
  std::vector<uint32_t> best;
  for (const auto& [score, slot] : ranked) {
    if (score >= ranked[0].first - 1e-4f) best.push_back(slot);
  }
  return best;
}

TEST_F(Scheduling, AgreesWithASort) {
  TestPool pool(30);
  Random random(5);
  for (int round = 0; round < 2000; ++round) {
    std::vector<EndpointView> views;
    const size_t count = 1 + random.Below(30);
    for (size_t i = 0; i < count; ++i) {
      views.push_back(View({.waiting = static_cast<float>(random.Below(5)),
                            .kv = static_cast<float>(random.Below(5)) / 4,
                            .in_flight = static_cast<int32_t>(random.Below(10)),
                            .hit_tokens = static_cast<uint32_t>(16 * random.Below(20)),
                            .fresh = random.Below(3) != 0}));
      views.back().slot = static_cast<uint32_t>(i);
      views.back().endpoint = &pool.pool.endpoints[i];
    }
    const std::vector<uint32_t> best = BestSlots(*profile_, request_, views);
    const Decision decision = Decide(views);
    ASSERT_NE(decision.endpoint, nullptr);
    EXPECT_THAT(best, ::testing::Contains(decision.endpoint->state->slot)) << round;
  }
}

}  // namespace
}  // namespace gw
