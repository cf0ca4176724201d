#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scheduling/plugins.h"
#include "scheduling/test_views.h"

namespace gw {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatEq;

TEST(InFlightScorer, EqualLoadScoresOne) {
  const auto views = Views({{.in_flight = 9}, {.in_flight = 9}});
  EXPECT_THAT(ScoresOf(*NewInFlightScorer(), views), ElementsAre(1, 1));
}

TEST(InFlightScorer, AnExcessOfSlackPlusHalfTheMeanHalvesTheScore) {
  // mean 4, scale 4 + 4 / 2 = 6: 6 / (6 + 0), 6 / (6 + 6), 6 / (6 + 6)
  const auto views = Views({{.in_flight = 0}, {.in_flight = 6}, {.in_flight = 6}});
  EXPECT_THAT(ScoresOf(*NewInFlightScorer(), views), ElementsAre(1, 0.5, 0.5));
}

TEST(InFlightScorer, TheSameDifferenceMattersLessUnderLoad) {
  const auto idle = Views({{.in_flight = 0}, {.in_flight = 2}});
  const auto busy = Views({{.in_flight = 50}, {.in_flight = 52}});
  EXPECT_LT(ScoresOf(*NewInFlightScorer(), idle)[1], ScoresOf(*NewInFlightScorer(), busy)[1]);
}

TEST(InFlightScorer, WhatOthersHaveThereCountsWhileMetricsAreFresh) {
  // mean 4, scale 6
  const auto views = Views({{.in_flight = 1, .foreign = 5}, {.in_flight = 2}, {.in_flight = 4}});
  EXPECT_THAT(ScoresOf(*NewInFlightScorer(), views), ElementsAre(FloatEq(0.6), 1, FloatEq(0.75)));
  const auto stale = Views({{.in_flight = 1, .foreign = 5, .fresh = false}, {.in_flight = 1}});
  EXPECT_THAT(ScoresOf(*NewInFlightScorer(), stale), ElementsAre(1, 1));
}

}  // namespace
}  // namespace gw
