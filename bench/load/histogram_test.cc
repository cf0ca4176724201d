#include "bench/load/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/random.h"

namespace gw::bench {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

TEST(Histogram, NothingIsZero) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0);
  EXPECT_EQ(histogram.max(), Duration(0));
  EXPECT_EQ(histogram.mean(), Duration(0));
  EXPECT_EQ(histogram.Quantile(0.5), Duration(0));
  EXPECT_TRUE(histogram.buckets().empty());
}

TEST(Histogram, OneValueIsAllQuantiles) {
  Histogram histogram;
  histogram.Add(milliseconds(17));
  for (const double share : {0.0, 0.5, 1.0}) {
    EXPECT_EQ(histogram.Quantile(share), milliseconds(17)) << share;
  }
  EXPECT_EQ(histogram.mean(), milliseconds(17));
}

TEST(Histogram, WhatIsOutOfRangeCountsAsTheEndsOfTheRange) {
  Histogram histogram;
  histogram.Add(Duration(-5));
  histogram.Add(hours(30));
  EXPECT_EQ(histogram.Quantile(0.5), Duration(0));
  EXPECT_EQ(histogram.max(), hours(1));
}

// Beside all values, sorted.
TEST(Histogram, QuantilesAreWithinOnePercentOfTheSortedValues) {
  Random random(11);
  for (const uint64_t count : {1, 2, 10, 1000, 20'000}) {
    Histogram histogram;
    std::vector<Duration> all;
    double sum_ns = 0;
    for (uint64_t i = 0; i < count; ++i) {
      // From a nanosecond to a quarter of an hour, each size as often.
      const Duration value(std::llround(std::pow(10, random.Unit() * 12)));
      histogram.Add(value);
      all.push_back(value);
      sum_ns += static_cast<double>(value.count());
    }
    std::ranges::sort(all);
    EXPECT_EQ(histogram.count(), count);
    EXPECT_EQ(histogram.max(), all.back());
    EXPECT_NEAR(static_cast<double>(histogram.mean().count()), sum_ns / static_cast<double>(count),
                1);
    for (const double share : {0.0, 0.01, 0.5, 0.9, 0.99, 0.999, 1.0}) {
      const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(count)));
      const Duration exact = all[std::max<size_t>(rank, 1) - 1];
      const Duration found = histogram.Quantile(share);
      EXPECT_GE(found, exact) << share;
      EXPECT_LE(found.count(), exact.count() + exact.count() / 100) << share;
    }
  }
}

TEST(Histogram, BucketsAscendAndHoldEachValueOnce) {
  Histogram histogram;
  for (int64_t ns = 0; ns < 100'000; ++ns) histogram.Add(Duration(ns));
  Duration last(-1);
  uint64_t count = 0;
  for (const Histogram::Bucket& bucket : histogram.buckets()) {
    EXPECT_EQ(static_cast<int64_t>(bucket.count), (bucket.upto - last).count());
    last = bucket.upto;
    count += bucket.count;
  }
  EXPECT_EQ(last, Duration(99'999));
  EXPECT_EQ(count, 100'000);
}

TEST(Histogram, MergedIsAsAddedTogether) {
  Histogram one;
  Histogram two;
  Histogram together;
  one.AddMany(milliseconds(5), 3);
  two.Add(milliseconds(900));
  together.AddMany(milliseconds(5), 3);
  together.Add(milliseconds(900));
  one.Merge(two);
  EXPECT_EQ(one.count(), 4);
  EXPECT_EQ(one.mean(), together.mean());
  EXPECT_EQ(one.max(), milliseconds(900));
  EXPECT_EQ(one.Quantile(0.75), together.Quantile(0.75));
}

}  // namespace
}  // namespace gw::bench
