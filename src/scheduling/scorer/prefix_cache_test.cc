#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scheduling/plugins.h"
#include "scheduling/test_views.h"

namespace gw {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatEq;

InferenceRequest RequestOf(uint64_t prompt_tokens) {
  InferenceRequest request;
  request.prompt_tokens_estimate = prompt_tokens;
  return request;
}

TEST(PrefixCacheScorer, OfALongPromptTheTokensThatAreSavedCount) {
  // 512 / (512 + 512), 4000 / (4000 + 512)
  const auto views = Views({{.hit_tokens = 0}, {.hit_tokens = 560}, {.hit_tokens = 4048}});
  EXPECT_THAT(ScoresOf(*NewPrefixCacheScorer(), views, RequestOf(50'000)),
              ElementsAre(0, 0.5, FloatEq(4000.0f / 4512)));
}

TEST(PrefixCacheScorer, OfAShortPromptTheShareThatIsSavedCounts) {
  // 48 / 200, 150 / 200
  const auto views = Views({{.hit_tokens = 96}, {.hit_tokens = 198}, {.hit_tokens = 0}});
  EXPECT_THAT(ScoresOf(*NewPrefixCacheScorer(), views, RequestOf(200)),
              ElementsAre(FloatEq(0.24), FloatEq(0.75), 0));
}

TEST(PrefixCacheScorer, OneSharedLineIsWorthNothing) {
  const auto views = Views({{.hit_tokens = 48}, {.hit_tokens = 0}});
  EXPECT_THAT(ScoresOf(*NewPrefixCacheScorer(), views, RequestOf(60)), ElementsAre(0, 0));
}

TEST(PrefixCacheScorer, WhatEveryCandidateHoldsIsWorthNothingAndHidesNothing) {
  // 1000 / (1000 + 512)
  const auto views = Views({{.hit_tokens = 2000}, {.hit_tokens = 3000}});
  EXPECT_THAT(ScoresOf(*NewPrefixCacheScorer(), views, RequestOf(9000)),
              ElementsAre(0, FloatEq(1000.0f / 1512)));
}

TEST(PrefixCacheScorer, ABlockMoreOfWhatAllHoldIsWorthABlock) {
  // 16 / 160
  const auto views = Views({{.hit_tokens = 144}, {.hit_tokens = 160}});
  EXPECT_THAT(ScoresOf(*NewPrefixCacheScorer(), views, RequestOf(160)),
              ElementsAre(0, FloatEq(0.1)));
}

TEST(PrefixCacheScorer, APromptIsAtLeastAsLongAsTheHit) {
  // 112 / 160
  const auto views = Views({{.hit_tokens = 160}, {.hit_tokens = 0}});
  EXPECT_THAT(ScoresOf(*NewPrefixCacheScorer(), views, RequestOf(100)),
              ElementsAre(FloatEq(0.7), 0));
}

}  // namespace
}  // namespace gw
