#include "collect/apply_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

namespace gw {
namespace {

using testing::ElementsAre;

TimePoint At(int ms) { return TimePoint(std::chrono::milliseconds(ms)); }

MetricsSample Load(float waiting, float running, float kv_cache) {
  MetricsSample sample;
  sample.waiting_found = sample.running_found = sample.kv_cache_found = true;
  sample.waiting_requests = waiting;
  sample.running_requests = running;
  sample.kv_cache_utilization_ratio = kv_cache;
  return sample;
}

class ApplyPageTest : public testing::Test {
 protected:
  PageOutcome Apply(const MetricsSample& sample, int ms, bool has_details = true) {
    return ApplyPage(sample, {in_flight_at_start_, tokens_at_start_, has_details, At(ms)}, &memory_,
                     &state_);
  }
  int AgeBase() const { return static_cast<int>(state_.scraped_at_ns.load() / 1'000'000); }

  EndpointState state_{1};
  PageMemory memory_;
  int32_t in_flight_at_start_ = 0;
  int64_t tokens_at_start_ = 0;
};

TEST_F(ApplyPageTest, ThePageBecomesTheState) {
  MetricsSample sample = Load(3, 5, 0.5f);
  sample.cache_block_tokens = 16;
  sample.cache_blocks = 1000;
  EXPECT_TRUE(Apply(sample, 7).tells_load);
  EXPECT_EQ(state_.waiting_requests.load(), 3);
  EXPECT_EQ(state_.running_requests.load(), 5);
  EXPECT_EQ(state_.kv_cache_utilization_ratio.load(), 0.5f);
  EXPECT_EQ(state_.cache_block_tokens.load(), 16u);
  EXPECT_EQ(state_.cache_blocks.load(), 1000u);
  EXPECT_EQ(AgeBase(), 7);
}

TEST_F(ApplyPageTest, WhatIsNotOurOwnIsForeign) {
  in_flight_at_start_ = 4;
  state_.in_flight_requests.store(2);
  Apply(Load(3, 5, 0), 1);
  EXPECT_EQ(state_.foreign_requests.load(), 4);
  state_.in_flight_requests.store(20);
  Apply(Load(3, 5, 0), 2);
  EXPECT_EQ(state_.foreign_requests.load(), 0);
}

TEST_F(ApplyPageTest, WhatWasOursWhenItWasAskedForIsKeptBesideIt) {
  in_flight_at_start_ = 4;
  tokens_at_start_ = 900;
  Apply(Load(3, 5, 0.5f), 1);
  EXPECT_EQ(state_.scraped_in_flight.load(), 4);
  EXPECT_EQ(state_.scraped_tokens.load(), 900);
  // It goes with the value that it is counted from.
  in_flight_at_start_ = 7;
  tokens_at_start_ = 1800;
  MetricsSample sample = Load(99, 6, 0.6f);
  sample.refused = 1u << MetricsScanner::kWaiting;
  Apply(sample, 2);
  EXPECT_EQ(state_.scraped_in_flight.load(), 4);
  EXPECT_EQ(state_.scraped_tokens.load(), 1800);
}

TEST_F(ApplyPageTest, TheMostThatRanWhileNoneWaitedIsKeptUntilTheServerIsAnother) {
  Apply(Load(0, 5, 0), 1);
  Apply(Load(0, 3, 0), 2);
  Apply(Load(2, 9, 0), 3);
  EXPECT_EQ(state_.running_requests_peak.load(), 5);
  MetricsSample sample = Load(0, 4, 0);
  sample.process_start_s = 100;
  Apply(sample, 4);
  EXPECT_EQ(state_.running_requests_peak.load(), 5);
  sample.process_start_s = 200;
  Apply(sample, 5);
  EXPECT_EQ(state_.running_requests_peak.load(), 4);
}

TEST_F(ApplyPageTest, AValueThatCannotBeLeavesTheLastGoodOneAndTheAge) {
  Apply(Load(3, 5, 0.5f), 1);
  MetricsSample sample = Load(99, 6, 0.6f);
  sample.refused = 1u << MetricsScanner::kWaiting;
  EXPECT_FALSE(Apply(sample, 2).tells_load);
  EXPECT_EQ(state_.waiting_requests.load(), 3);
  EXPECT_EQ(state_.running_requests.load(), 6);
  EXPECT_EQ(AgeBase(), 1);
}

TEST_F(ApplyPageTest, AKvCacheUseCountsForTheAgeOnceItWasReported) {
  MetricsSample refused = Load(1, 1, 0);
  refused.refused = 1u << MetricsScanner::kKvCache;
  EXPECT_TRUE(Apply(refused, 1).tells_load);
  EXPECT_TRUE(Apply(Load(1, 1, 0.25f), 2).tells_load);
  EXPECT_FALSE(Apply(refused, 3).tells_load);
  EXPECT_EQ(state_.kv_cache_utilization_ratio.load(), 0.25f);
}

TEST_F(ApplyPageTest, AdaptersAreThoseOfTheLastPageThatWasReadToItsEnd) {
  MetricsSample sample = Load(0, 0, 0);
  sample.lora_found = true;
  sample.lora = {2, "a, b", "c", "base"};
  Apply(sample, 1);
  ASSERT_NE(state_.lora(), nullptr);
  EXPECT_THAT(state_.lora()->running, ElementsAre("a", "b"));
  EXPECT_THAT(state_.lora()->waiting, ElementsAre("c"));
  const uint64_t version = state_.lora_version.load();
  Apply(sample, 2);
  EXPECT_EQ(state_.lora_version.load(), version);  // nothing has changed
  Apply(Load(0, 0, 0), 3, /*has_details=*/false);
  EXPECT_NE(state_.lora(), nullptr);
  Apply(Load(0, 0, 0), 4);
  EXPECT_EQ(state_.lora(), nullptr);
}

TEST_F(ApplyPageTest, AnotherStartIsAnotherProcess) {
  MetricsSample sample = Load(0, 0, 0);
  EXPECT_FALSE(Apply(sample, 1).restarted);
  sample.process_start_s = 1000;
  EXPECT_FALSE(Apply(sample, 2).restarted);  // it was not known
  EXPECT_FALSE(Apply(sample, 3).restarted);
  sample.process_start_s = 0;
  EXPECT_FALSE(Apply(sample, 4).restarted);  // not on this page
  sample.process_start_s = 1001;
  EXPECT_TRUE(Apply(sample, 5).restarted);
  EXPECT_FALSE(Apply(sample, 6).restarted);
}

}  // namespace
}  // namespace gw
