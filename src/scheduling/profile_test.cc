#include "scheduling/profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "pool/health.h"
#include "scheduling/registry.h"
#include "scheduling/test_pool.h"
#include "scheduling/test_views.h"

namespace gw {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Sampling : public ::testing::Test {
 protected:
  std::vector<EndpointView> Sample(std::vector<uint32_t> excluded = {}) {
    std::vector<EndpointView> views;
    SampleEndpoints(pool_.pool, request_, pool_.now(), excluded, &views);
    return views;
  }
  std::vector<std::string> Names(std::vector<uint32_t> excluded = {}) {
    std::vector<std::string> names;
    for (const EndpointView& view : Sample(excluded)) names.push_back(view.endpoint->name);
    return names;
  }

  TestPool pool_{3};
  InferenceRequest request_;
};

TEST_F(Sampling, CopiesWhatIsTrueNow) {
  EndpointState& state = pool_.state(1);
  state.in_flight_requests = 4;
  state.pending_prompt_tokens = 500;
  state.decoding_context_tokens = 9000;
  state.waiting_requests = 2;
  state.running_requests = 7;
  state.foreign_requests = 5;
  state.kv_cache_utilization_ratio = 0.25f;
  pool_.clock.Advance(std::chrono::milliseconds(30));
  const EndpointView view = Sample()[1];
  EXPECT_EQ(view.endpoint, &pool_.pool.endpoints[1]);
  EXPECT_EQ(view.slot, 1u);
  EXPECT_EQ(view.in_flight_requests, 4);
  EXPECT_EQ(view.pending_prompt_tokens, 500);
  EXPECT_EQ(view.decoding_context_tokens, 9000);
  EXPECT_EQ(view.waiting_requests, 2);
  EXPECT_EQ(view.running_requests, 7);
  EXPECT_EQ(view.foreign_requests, 5);
  EXPECT_EQ(view.kv_cache_utilization_ratio, 0.25f);
  EXPECT_EQ(view.metrics_age, std::chrono::milliseconds(30));
  EXPECT_TRUE(view.metrics_fresh);
  EXPECT_EQ(view.prefix_hit_blocks, 0u);
  EXPECT_EQ(view.prefix_hit_tokens, 0u);
}

TEST_F(Sampling, MetricsAreFreshUpToThePoolsLimitAndNeverBeforeTheFirstScrape) {
  pool_.pool.metrics_age_max = std::chrono::seconds(2);
  pool_.state(1).scraped_at_ns = 0;
  pool_.clock.Advance(std::chrono::seconds(2));
  EXPECT_TRUE(Sample()[0].metrics_fresh);
  EXPECT_FALSE(Sample()[1].metrics_fresh);
  pool_.clock.Advance(Duration(1));
  EXPECT_FALSE(Sample()[0].metrics_fresh);
}

TEST_F(Sampling, AnEndpointThatWeAskSeldomStaysFreshForItsOwnPace) {
  pool_.pool.metrics_age_max = std::chrono::seconds(2);
  pool_.state(1).paced_age_ns = Duration(std::chrono::seconds(8)).count();
  pool_.state(2).paced_age_ns = Duration(std::chrono::milliseconds(100)).count();
  pool_.clock.Advance(std::chrono::seconds(2));
  EXPECT_TRUE(Sample()[2].metrics_fresh);
  pool_.clock.Advance(std::chrono::seconds(6));
  EXPECT_FALSE(Sample()[0].metrics_fresh);
  EXPECT_TRUE(Sample()[1].metrics_fresh);
  EXPECT_FALSE(Sample()[2].metrics_fresh);
  pool_.clock.Advance(Duration(1));
  EXPECT_FALSE(Sample()[1].metrics_fresh);
}

TEST_F(Sampling, AScrapeNewerThanTheCallersClockHasNoAge) {
  pool_.state(0).scraped_at_ns += 1000;
  EXPECT_EQ(Sample()[0].metrics_age, Duration(0));
  EXPECT_TRUE(Sample()[0].metrics_fresh);
}

TEST_F(Sampling, LeavesOutTheEjectedUnlessNothingElseIsLeft) {
  RecordFailure(pool_.state(0), pool_.now(), EndpointFailure::kConnectRefused);
  EXPECT_THAT(Names(), ElementsAre("e1", "e2"));
  EXPECT_THAT(Names({1, 2}), ElementsAre("e0"));
  RecordFailure(pool_.state(1), pool_.now(), EndpointFailure::kConnectRefused);
  RecordFailure(pool_.state(2), pool_.now(), EndpointFailure::kConnectRefused);
  EXPECT_THAT(Names(), ElementsAre("e0", "e1", "e2"));
}

TEST_F(Sampling, TheExcludedNeverComeBack) {
  EXPECT_THAT(Names({1}), ElementsAre("e0", "e2"));
  EXPECT_THAT(Names({0, 1, 2}), IsEmpty());
}

TEST_F(Sampling, TellsHowEachEndpointStandsToTheAdapter) {
  const auto set = [this](size_t i, LoraAdapters adapters) {
    adapters.base_model = "base";
    pool_.state(i).set_lora(std::make_shared<const LoraAdapters>(std::move(adapters)));
  };
  pool_.Add("e3");
  pool_.Add("e4");
  set(0, {.max_active = 2, .running = {"sql", "chat"}});
  set(1, {.max_active = 2, .running = {"chat"}});
  set(2, {.max_active = 1, .running = {"chat"}, .waiting = {"sql"}});
  set(3, {.max_active = 1, .running = {"chat"}});
  const auto affinities = [this](std::string model) {
    request_.target_model = std::move(model);
    std::vector<LoraAffinity> all;
    for (const EndpointView& view : Sample()) all.push_back(view.lora);
    return all;
  };
  EXPECT_THAT(affinities("sql"),
              ElementsAre(LoraAffinity::kActive, LoraAffinity::kRoom, LoraAffinity::kWaiting,
                          LoraAffinity::kFull, LoraAffinity::kNotLora));
  EXPECT_THAT(affinities("base"), ::testing::Each(LoraAffinity::kNotLora));
  EXPECT_THAT(affinities(""), ::testing::Each(LoraAffinity::kNotLora));
  set(3, {.max_active = 1, .running = {"sql"}});
  EXPECT_EQ(affinities("sql")[3], LoraAffinity::kActive) << "a change is seen at once";
}

class Scheduling : public ::testing::Test {
 protected:
  Decision Decide(std::vector<EndpointView> views) {
    return profile_->Schedule(request_, &views, random_, &scratch_);
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
