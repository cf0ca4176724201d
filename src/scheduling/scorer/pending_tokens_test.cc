#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scheduling/plugins.h"
#include "scheduling/test_views.h"

namespace gw {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatEq;

TEST(PendingTokensScorer, EqualBacklogScoresOne) {
  const auto views = Views({{.pending_tokens = 5000}, {.pending_tokens = 5000}});
  EXPECT_THAT(ScoresOf(*NewPendingTokensScorer(), views), ElementsAre(1, 1));
}

TEST(PendingTokensScorer, CountsRequestsByTheirTokens) {
  // mean 8192, scale 8192 + 4096 = 12288: 12288 / (12288 + 16384)
  const auto views =
      Views({{.in_flight = 9, .pending_tokens = 0}, {.in_flight = 1, .pending_tokens = 16384}});
  EXPECT_THAT(ScoresOf(*NewPendingTokensScorer(), views),
              ElementsAre(1, FloatEq(12288.0f / 28672.0f)));
}

TEST(PendingTokensScorer, ACountBelowZeroIsZero) {
  const auto views = Views({{.pending_tokens = -1}, {.pending_tokens = 0}});
  EXPECT_THAT(ScoresOf(*NewPendingTokensScorer(), views), ElementsAre(1, 1));
}

}  // namespace
}  // namespace gw
