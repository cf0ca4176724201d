#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scheduling/plugins.h"
#include "scheduling/test_views.h"

namespace gw {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatEq;

TEST(PrefixCacheScorer, ScoresWhatIsSavedInTokens) {
  // 192 / (192 + 192), 2000 / (2000 + 192)
  const auto views = Views({{.hit_tokens = 0}, {.hit_tokens = 240}, {.hit_tokens = 2048}});
  EXPECT_THAT(ScoresOf(*NewPrefixCacheScorer(), views),
              ElementsAre(0, 0.5, FloatEq(2000.0f / 2192)));
}

TEST(PrefixCacheScorer, OneSharedLineIsWorthNothing) {
  const auto views = Views({{.hit_tokens = 48}, {.hit_tokens = 0}});
  EXPECT_THAT(ScoresOf(*NewPrefixCacheScorer(), views), ElementsAre(0, 0));
}

TEST(PrefixCacheScorer, ABlockMoreThanTheSharedLineCounts) {
  const auto views = Views({{.hit_tokens = 64}, {.hit_tokens = 48}});
  EXPECT_THAT(ScoresOf(*NewPrefixCacheScorer(), views), ElementsAre(FloatEq(16.0f / 208), 0));
}

}  // namespace
}  // namespace gw
