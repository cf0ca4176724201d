#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scheduling/plugins.h"
#include "scheduling/test_views.h"

namespace gw {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatEq;

TEST(PrefixCacheScorer, ScoresTheShareOfThePromptThatIsHeld) {
  InferenceRequest request;
  request.prefix_blocks.resize(8);
  const auto views = Views({{.hit_blocks = 0}, {.hit_blocks = 2}, {.hit_blocks = 8}});
  EXPECT_THAT(ScoresOf(*NewPrefixCacheScorer(), views, request), ElementsAre(0, FloatEq(0.25), 1));
}

TEST(PrefixCacheScorer, OneSharedBlockOfALongPromptIsWorthLittle) {
  InferenceRequest request;
  request.prefix_blocks.resize(200);
  const auto views = Views({{.hit_blocks = 1}, {.hit_blocks = 0}});
  EXPECT_THAT(ScoresOf(*NewPrefixCacheScorer(), views, request), ElementsAre(FloatEq(0.005), 0));
}

TEST(PrefixCacheScorer, APromptWithoutBlocksScoresZeroEverywhere) {
  const auto views = Views({{.hit_blocks = 3}, {.hit_blocks = 0}});
  EXPECT_THAT(ScoresOf(*NewPrefixCacheScorer(), views), ElementsAre(0, 0));
}

}  // namespace
}  // namespace gw
