#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scheduling/plugins.h"
#include "scheduling/test_views.h"

namespace gw {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatEq;

TEST(QueueDepthScorer, EqualQueuesAllScoreOne) {
  const auto views = Views({{.waiting = 7}, {.waiting = 7}, {.waiting = 7}});
  EXPECT_THAT(ScoresOf(*NewQueueDepthScorer(), views), ElementsAre(1, 1, 1));
}

TEST(QueueDepthScorer, AnExcessOfSlackPlusHalfTheMeanHalvesTheScore) {
  // mean 4, scale 4 + 4 / 2 = 6: 6 / (6 + 6), 6 / (6 + 0), 6 / (6 + 3)
  const auto views = Views({{.waiting = 7}, {.waiting = 1}, {.waiting = 4}});
  EXPECT_THAT(ScoresOf(*NewQueueDepthScorer(), views), ElementsAre(0.5, 1, FloatEq(2.0f / 3)));
}

TEST(QueueDepthScorer, OneRequestOfDifferenceIsNotWorthAHundred) {
  const auto one = Views({{.waiting = 0}, {.waiting = 1}});
  const auto hundred = Views({{.waiting = 0}, {.waiting = 100}});
  // mean 0.5, scale 4.25: 4.25 / 5.25; mean 50, scale 29: 29 / 129
  EXPECT_THAT(ScoresOf(*NewQueueDepthScorer(), one), ElementsAre(1, FloatEq(4.25f / 5.25f)));
  EXPECT_THAT(ScoresOf(*NewQueueDepthScorer(), hundred), ElementsAre(1, FloatEq(29.0f / 129)));
}

TEST(QueueDepthScorer, StaleMetricsScoreHalfAndSayNothingOfTheOthers) {
  // mean of the two that are known 2, scale 5: 5 / (5 + 4)
  const auto views = Views({{.waiting = 1000, .fresh = false}, {.waiting = 4}, {.waiting = 0}});
  EXPECT_THAT(ScoresOf(*NewQueueDepthScorer(), views), ElementsAre(0.5, FloatEq(5.0f / 9), 1));
  const auto stale = Views({{.waiting = 3, .fresh = false}, {.waiting = 0, .fresh = false}});
  EXPECT_THAT(ScoresOf(*NewQueueDepthScorer(), stale), ElementsAre(0.5, 0.5));
}

TEST(QueueDepthScorer, DoesNotCountWhatWeDispatchedSinceTheScrape) {
  const auto views = Views({{.waiting = 1, .in_flight = 50}, {.waiting = 1}});
  EXPECT_THAT(ScoresOf(*NewQueueDepthScorer(), views), ElementsAre(1, 1));
}

}  // namespace
}  // namespace gw
