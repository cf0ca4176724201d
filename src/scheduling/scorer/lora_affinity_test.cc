#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scheduling/plugins.h"
#include "scheduling/test_views.h"

namespace gw {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatEq;

TEST(LoraAffinityScorer, ActiveThenRoomThenWaitingThenFull) {
  const auto views = Views({{.lora = LoraAffinity::kActive},
                            {.lora = LoraAffinity::kRoom},
                            {.lora = LoraAffinity::kWaiting},
                            {.lora = LoraAffinity::kFull}});
  EXPECT_THAT(ScoresOf(*NewLoraAffinityScorer(), views),
              ElementsAre(1, FloatEq(0.8), FloatEq(0.6), 0));
}

TEST(LoraAffinityScorer, AnEndpointThatHasNotUsedAnyAdapterYetHasRoom) {
  const auto views = Views({{.lora = LoraAffinity::kActive}, {.lora = LoraAffinity::kNotLora}});
  EXPECT_THAT(ScoresOf(*NewLoraAffinityScorer(), views), ElementsAre(1, FloatEq(0.8)));
}

TEST(LoraAffinityScorer, WithoutAnAdapterAllAreEqual) {
  const auto views = Views({{}, {}});
  EXPECT_THAT(ScoresOf(*NewLoraAffinityScorer(), views), ElementsAre(1, 1));
}

}  // namespace
}  // namespace gw
