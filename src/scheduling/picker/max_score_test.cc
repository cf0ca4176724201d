#include <gtest/gtest.h>

#include "scheduling/plugins.h"

namespace gw {
namespace {

TEST(MaxScorePicker, PicksTheHighest) {
  Random random(1);
  const float scores[] = {0.5f, 2.0f, 1.9f};
  for (int i = 0; i < 20; ++i) EXPECT_EQ(NewMaxScorePicker()->Pick(scores, random), 1u);
}

TEST(MaxScorePicker, TiesAreSharedEvenly) {
  Random random(7);
  const float scores[] = {3.0f, 1.0f, 3.0f, 3.000001f};  // the last differs by rounding only
  int picked[4] = {};
  for (int i = 0; i < 3000; ++i) ++picked[NewMaxScorePicker()->Pick(scores, random)];
  EXPECT_EQ(picked[1], 0);
  for (size_t i : {0, 2, 3}) {
    EXPECT_GT(picked[i], 850) << i;
    EXPECT_LT(picked[i], 1150) << i;
  }
}

TEST(MaxScorePicker, TheSameSeedPicksTheSame) {
  const std::vector<float> scores(50, 1.0f);
  Random a(42);
  Random b(42);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(NewMaxScorePicker()->Pick(scores, a), NewMaxScorePicker()->Pick(scores, b));
  }
}

TEST(MaxScorePicker, OneCandidateIsPickedWithoutChance) {
  Random used(3);
  Random untouched(3);
  const float scores[] = {0.0f};
  EXPECT_EQ(NewMaxScorePicker()->Pick(scores, used), 0u);
  EXPECT_EQ(used.Next(), untouched.Next());
}

}  // namespace
}  // namespace gw
