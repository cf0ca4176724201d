#include "release/samples.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>

#include "base/random.h"

namespace gw::release {
namespace {

TEST(LogMoments, AreTheMeanAndVarianceOfLogarithms) {
  LogMoments moments;
  for (const double seconds : {1.0, std::exp(2), std::exp(4)}) moments.Add(seconds);
  EXPECT_EQ(moments.count, 3);
  EXPECT_NEAR(moments.mean(), 2, 1e-12);
  EXPECT_NEAR(moments.variance(), 4, 1e-12);
  EXPECT_EQ(LogMoments{}.mean(), 0);
  EXPECT_EQ(LogMoments{}.variance(), 0);
}

TEST(LogMoments, WhatIsNoDurationIsClamped) {
  LogMoments moments;
  for (const double seconds : {0.0, -1.0, std::nan(""), -HUGE_VAL}) moments.Add(seconds);
  EXPECT_NEAR(moments.mean(), std::log(1e-6), 1e-12);
  LogMoments large;
  large.Add(std::numeric_limits<double>::infinity());
  EXPECT_NEAR(large.mean(), std::log(1e6), 1e-12);
}

// As several threads that have their own sums, and one that has all.
TEST(Samples, MergedAreWhatTheyAreOneByOne) {
  Random random(7);
  Samples all;
  std::array<Samples, 3> parts;
  for (int i = 0; i < 3000; ++i) {
    Samples& part = parts[random.Below(parts.size())];
    const bool is_candidate = random.Below(4) == 0;
    const bool is_error = random.Below(10) == 0;
    const double ttft_s = 0.01 + random.Unit();
    const auto finish = static_cast<Finish>(random.Below(3));
    for (Samples* samples : {&all, &part}) {
      VersionSamples& version = is_candidate ? samples->candidate : samples->stable;
      if (is_error) {
        version.AddError();
      } else {
        version.AddAnswer(ttft_s, ttft_s / 10, finish);
      }
    }
  }
  Samples merged;
  for (const Samples& part : parts) merged.Merge(part);
  for (const auto version : {&Samples::stable, &Samples::candidate}) {
    const VersionSamples& one = all.*version;
    const VersionSamples& other = merged.*version;
    EXPECT_TRUE(other.IsSane());
    EXPECT_EQ(one.requests, other.requests);
    EXPECT_EQ(one.errors, other.errors);
    EXPECT_EQ(one.finished, other.finished);
    EXPECT_EQ(one.ended_by_length, other.ended_by_length);
    EXPECT_EQ(one.ended_abnormally, other.ended_abnormally);
    EXPECT_EQ(one.ttft.count, other.ttft.count);
    EXPECT_NEAR(one.ttft.mean(), other.ttft.mean(), 1e-10);
    EXPECT_NEAR(one.tpot.variance(), other.tpot.variance(), 1e-10);
  }
}

TEST(VersionSamples, WhatIsNotKnownOfAnAnswerIsNotCounted) {
  VersionSamples samples;
  samples.AddAnswer(0.1, std::nullopt, std::nullopt);
  EXPECT_EQ(samples.requests, 1);
  EXPECT_EQ(samples.ttft.count, 1);
  EXPECT_EQ(samples.tpot.count, 0);
  EXPECT_EQ(samples.finished, 0);
}

TEST(VersionSamples, NonsenseIsTold) {
  VersionSamples samples;
  EXPECT_TRUE(samples.IsSane());
  samples.errors = 1;
  EXPECT_FALSE(samples.IsSane());
  samples.requests = 2;
  EXPECT_TRUE(samples.IsSane());
  samples.ttft.sum = std::nan("");
  EXPECT_FALSE(samples.IsSane());
}

}  // namespace
}  // namespace gw::release
