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

TEST(QueueDepthScorer, TheShortestScoresOneTheLongestZeroTheRestInProportion) {
  const auto views = Views({{.waiting = 2}, {.waiting = 10}, {.waiting = 4}});
  EXPECT_THAT(ScoresOf(*NewQueueDepthScorer(), views), ElementsAre(1, 0, FloatEq(0.75)));
}

TEST(QueueDepthScorer, StaleMetricsScoreHalfAndDoNotStretchTheRange) {
  const auto views = Views({{.waiting = 0}, {.waiting = 4}, {.waiting = 1000, .fresh = false}});
  EXPECT_THAT(ScoresOf(*NewQueueDepthScorer(), views), ElementsAre(1, 0, FloatEq(0.5)));
}

TEST(QueueDepthScorer, DoesNotCountWhatWeDispatchedSinceTheScrape) {
  const auto views = Views({{.waiting = 1, .in_flight = 50}, {.waiting = 1}});
  EXPECT_THAT(ScoresOf(*NewQueueDepthScorer(), views), ElementsAre(1, 1));
}

}  // namespace
}  // namespace gw
