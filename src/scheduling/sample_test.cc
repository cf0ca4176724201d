#include "scheduling/sample.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "pool/health.h"
#include "scheduling/test_pool.h"

namespace gw {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Sampling : public ::testing::Test {
 protected:
  std::vector<EndpointView> Sample(const Eligible& eligible = {}) {
    Candidates candidates;
    SampleEndpoints(pool_.pool, request_, pool_.now(), eligible, &candidates);
    std::vector<EndpointView> views;
    for (size_t i = 0; i < candidates.size(); ++i) views.push_back(candidates.At(i));
    return views;
  }
  std::vector<std::string> Names(const Eligible& eligible = {}) {
    std::vector<std::string> names;
    for (const EndpointView& view : Sample(eligible)) names.push_back(view.endpoint->name);
    return names;
  }
  std::vector<std::string> NamesBut(const std::vector<uint32_t>& excluded) {
    return Names({.excluded = excluded});
  }
  std::vector<std::string> NamesOnly(const std::vector<uint32_t>& only,
                                     const std::vector<uint32_t>& excluded = {}) {
    return Names({.excluded = excluded, .only = only});
  }
  void Refuse(size_t i) {
    RecordFailure(pool_.state(i), pool_.now(), EndpointFailure::kConnectRefused);
  }

  TestPool pool_{3};
  InferenceRequest request_;
};

TEST_F(Sampling, CopiesWhatIsTrueNow) {
  EndpointState& state = pool_.state(1);
  state.in_flight_requests = 4;
  state.pending_prompt_tokens = 500;
  state.waiting_requests = 2;
  state.foreign_requests = 5;
  state.kv_cache_utilization_ratio = 0.25f;
  pool_.clock.Advance(std::chrono::milliseconds(30));
  const EndpointView view = Sample()[1];
  EXPECT_EQ(view.endpoint, &pool_.pool.endpoints[1]);
  EXPECT_EQ(view.slot, 1u);
  EXPECT_EQ(view.in_flight_requests, 4);
  EXPECT_EQ(view.pending_prompt_tokens, 500);
  EXPECT_EQ(view.waiting_requests, 2);
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
  Refuse(0);
  EXPECT_THAT(Names(), ElementsAre("e1", "e2"));
  EXPECT_THAT(NamesBut({1, 2}), ElementsAre("e0"));
  Refuse(1);
  Refuse(2);
  EXPECT_THAT(Names(), ElementsAre("e0", "e1", "e2"));
}

TEST_F(Sampling, TheExcludedNeverComeBack) {
  EXPECT_THAT(NamesBut({1}), ElementsAre("e0", "e2"));
  EXPECT_THAT(NamesBut({0, 1, 2}), IsEmpty());
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

TEST_F(Sampling, ASubsetIsKeptTo) {
  EXPECT_THAT(NamesOnly({0, 2}), ElementsAre("e0", "e2"));
  EXPECT_THAT(NamesOnly({0, 2}, {2}), ElementsAre("e0"));
  EXPECT_THAT(NamesOnly({1, 7, 900}), ElementsAre("e1"));
}

TEST_F(Sampling, ASubsetThatHasNothingOfThePoolHasNoCandidate) {
  EXPECT_THAT(NamesOnly({7, 8}), IsEmpty());
  EXPECT_THAT(NamesOnly({}), IsEmpty());
  EXPECT_THAT(NamesOnly({1}, {1}), IsEmpty());
}

TEST_F(Sampling, ASubsetIsJudgedByItself) {
  Refuse(1);
  EXPECT_THAT(NamesOnly({1, 2}), ElementsAre("e2"));
  // The others are well, but not to be had.
  EXPECT_THAT(NamesOnly({1}), ElementsAre("e1"));
}

TEST_F(Sampling, TheFailingAreUsedWhereASubsetHasTooFewOthers) {
  for (size_t i = 3; i < 12; ++i) pool_.Add("e" + std::to_string(i));
  for (size_t i = 0; i < 5; ++i) {
    for (int failure = 0; failure < 3; ++failure) {
      RecordFailure(pool_.state(i), pool_.now(), EndpointFailure::kErrorStatus);
    }
  }
  EXPECT_THAT(Names(), ElementsAre("e5", "e6", "e7", "e8", "e9", "e10", "e11"));
  EXPECT_THAT(NamesOnly({0, 1, 2, 3, 4, 5}), ElementsAre("e5", "e0", "e1", "e2", "e3", "e4"));
}

TEST_F(Sampling, ASubsetCanBeGivenByAddress) {
  const std::string_view addresses[] = {"10.0.0.3:8000", "10.0.0.1:8000", "10.0.0.1:9000", "e1"};
  EXPECT_THAT(SlotsOf(pool_.pool, addresses), ElementsAre(0, 2));
  EXPECT_THAT(SlotsOf(pool_.pool, {}), IsEmpty());
}

TEST_F(Sampling, AnAddressWithoutAPortIsEveryPortThere) {
  Endpoint second = pool_.pool.endpoints[0];
  second.port = 8001;
  second.address = "10.0.0.1:8001";
  second.state = std::make_shared<EndpointState>(7);
  pool_.pool.endpoints.push_back(second);
  const std::string_view ip[] = {"10.0.0.1"};
  EXPECT_THAT(SlotsOf(pool_.pool, ip), ElementsAre(0, 7));
  const std::string_view port[] = {"10.0.0.1:8001"};
  EXPECT_THAT(SlotsOf(pool_.pool, port), ElementsAre(7));
  // As an endpoint has no ip, maybe, an empty address is none's.
  pool_.Add("e3");
  pool_.pool.endpoints.push_back([&] {
    Endpoint unknown = second;
    unknown.ip.clear();
    return unknown;
  }());
  const std::string_view nothing[] = {"", "10.0.0.1:", ":8000", "10.0.0"};
  EXPECT_THAT(SlotsOf(pool_.pool, nothing), IsEmpty());
}

}  // namespace
}  // namespace gw
