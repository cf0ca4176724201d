#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scheduling/plugins.h"
#include "scheduling/test_views.h"

namespace gw {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatEq;

TEST(KvCacheUtilizationScorer, ScoresTheFreeShare) {
  const auto views = Views({{.kv = 0}, {.kv = 0.25}, {.kv = 1}});
  EXPECT_THAT(ScoresOf(*NewKvCacheUtilizationScorer(), views), ElementsAre(1, FloatEq(0.75), 0));
}

TEST(KvCacheUtilizationScorer, ReportsBeyondTheRangeAreCutToIt) {
  const auto views = Views({{.kv = 1.5}, {.kv = -0.5}});
  EXPECT_THAT(ScoresOf(*NewKvCacheUtilizationScorer(), views), ElementsAre(0, 1));
}

TEST(KvCacheUtilizationScorer, StaleMetricsScoreHalf) {
  const auto views = Views({{.kv = 0.9, .fresh = false}, {.kv = 0, .fresh = false}});
  EXPECT_THAT(ScoresOf(*NewKvCacheUtilizationScorer(), views), ElementsAre(0.5, 0.5));
}

}  // namespace
}  // namespace gw
