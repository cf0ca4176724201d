#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scheduling/plugins.h"
#include "scheduling/test_views.h"

namespace gw {
namespace {

using ::testing::ElementsAre;

TEST(LoraAffinityScorer, ActiveThenRoomThenWaitingThenFull) {
  const auto views = Views({{.lora = LoraAffinity::kActive},
                            {.lora = LoraAffinity::kRoom},
                            {.lora = LoraAffinity::kWaiting},
                            {.lora = LoraAffinity::kFull}});
  EXPECT_THAT(ScoresOf(*NewLoraAffinityScorer(), views), ElementsAre(1, 0.5, 0.25, 0));
}

TEST(LoraAffinityScorer, AnEndpointThatHasNotUsedAnyAdapterYetHasRoom) {
  const auto views = Views({{.lora = LoraAffinity::kActive}, {.lora = LoraAffinity::kNotLora}});
  EXPECT_THAT(ScoresOf(*NewLoraAffinityScorer(), views), ElementsAre(1, 0.5));
}

TEST(LoraAffinityScorer, WithoutAnAdapterAllAreEqual) {
  const auto views = Views({{}, {}});
  EXPECT_THAT(ScoresOf(*NewLoraAffinityScorer(), views), ElementsAre(1, 1));
}

}  // namespace
}  // namespace gw
