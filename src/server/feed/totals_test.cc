#include "server/feed/totals.h"

#include <gtest/gtest.h>

#include <string>

namespace gw {
namespace {

using std::chrono::seconds;

Labels OfPool(std::string pool, std::string status = "200", std::string outcome = "complete") {
  return {
      {"pool", std::move(pool)}, {"status", std::move(status)}, {"outcome", std::move(outcome)}};
}

class TotalsTest : public testing::Test {
 protected:
  Counter& Requests(std::string pool, std::string status = "200",
                    std::string outcome = "complete") {
    return *metrics_.ShareCounter("penstock_requests_total", "h",
                                  OfPool(std::move(pool), std::move(status), std::move(outcome)));
  }
  Histogram& Ttft(std::string pool) {
    return *metrics_.ShareHistogram("penstock_time_to_first_token_seconds", "h", LatencyBuckets(),
                                    {{"pool", std::move(pool)}});
  }
  void Look(Duration later) {
    now_ += later;
    window_.Add(now_, metrics_, snapshot_);
  }

  MetricRegistry metrics_;
  Snapshot snapshot_;
  TotalsWindow window_;
  TimePoint now_{seconds(100)};
};

TEST_F(TotalsTest, NothingIsKnownAtFirst) {
  Requests("a").Add(1000);
  EXPECT_EQ(window_.Rate(5), 0);
  Look(seconds(0));
  EXPECT_EQ(window_.seconds(), 0);
  EXPECT_EQ(window_.OfAll().requests, 0u) << "what was before is not of these seconds";
  EXPECT_EQ(QuantileOf(window_.OfAll().ttft_s, 0.5), std::nullopt);
}

TEST_F(TotalsTest, CountsWhatHasComeInTheWindow) {
  Requests("a").Add(1000);
  Look(seconds(0));
  Requests("a").Add(10);
  Requests("a", "503", "rejected").Add(4);
  Requests("a", "200", "error_event").Add(1);
  Requests("b", "429", "complete").Add(5);
  Look(seconds(5));
  const PoolTotals a = window_.Of("a");
  EXPECT_EQ(a.requests, 15u);
  EXPECT_EQ(a.errors, 5u);
  EXPECT_EQ(a.rejected, 4u);
  EXPECT_EQ(window_.Rate(a.requests), 3.0);
  EXPECT_EQ(window_.Of("b").errors, 5u);
  EXPECT_EQ(window_.Of("c").requests, 0u);
  EXPECT_EQ(window_.OfAll().requests, 20u);
}

TEST_F(TotalsTest, OldSecondsLeave) {
  Look(seconds(0));
  Requests("a").Add(100);
  for (int i = 0; i < 10; ++i) Look(seconds(1));
  EXPECT_EQ(window_.OfAll().requests, 100u);
  EXPECT_EQ(window_.seconds(), 10);
  Look(seconds(1));
  EXPECT_EQ(window_.OfAll().requests, 0u);
  EXPECT_EQ(window_.seconds(), 10);
}

TEST_F(TotalsTest, PoolThatGoesTakesNothingFromTheOthers) {
  Requests("a").Add(100);
  Requests("b").Add(100);
  Look(seconds(0));
  Requests("b").Add(7);
  metrics_.RemoveSeries("pool", [](std::string_view pool) { return pool == "a"; });
  Look(seconds(1));
  EXPECT_EQ(window_.OfAll().requests, 7u);
  Requests("a").Add(3);
  Look(seconds(1));
  EXPECT_EQ(window_.OfAll().requests, 10u) << "a pool that came back counts from 0";
}

// As histogram_quantile of Prometheus: a rank within a bucket is a point on the line between its
// bounds.
TEST_F(TotalsTest, QuantilesAreThoseOfPrometheus) {
  Look(seconds(0));
  for (int i = 0; i < 10; ++i) Ttft("a").Observe(0.04);  // in (0.025, 0.05]
  Look(seconds(1));
  EXPECT_DOUBLE_EQ(*QuantileOf(window_.Of("a").ttft_s, 0.5), 0.0375);
  EXPECT_DOUBLE_EQ(*QuantileOf(window_.Of("a").ttft_s, 1.0), 0.05);
  for (int i = 0; i < 90; ++i) Ttft("b").Observe(1e6);
  Look(seconds(1));
  EXPECT_DOUBLE_EQ(*QuantileOf(window_.OfAll().ttft_s, 0.99), 600.0) << "beyond the last bound";
  EXPECT_DOUBLE_EQ(*QuantileOf(window_.OfAll().ttft_s, 0.05), 0.0375);
}

}  // namespace
}  // namespace gw
