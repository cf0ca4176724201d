#include "routing/retry.h"

#include <gtest/gtest.h>

namespace gw {
namespace {

using std::chrono::milliseconds;

TEST(RetryPolicy, KnowsItsCodes) {
  const RetryPolicy policy{.codes = {500, 503}};
  EXPECT_TRUE(policy.Has(500));
  EXPECT_TRUE(policy.Has(503));
  EXPECT_FALSE(policy.Has(502));
  EXPECT_FALSE(RetryPolicy{}.Has(500));
}

TEST(RetryPolicy, WaitsAreNeverShorterThanAskedAndDoubleUpToALimit) {
  RetryPolicy policy;
  policy.back_off = milliseconds(3000);
  Random random(7);
  const int64_t turns_ms[] = {3000, 6000, 12000, 24000, 24000, 24000};
  for (uint32_t number = 1; number <= 6; ++number) {
    const milliseconds turn(turns_ms[number - 1]);
    bool longer = false;
    for (int i = 0; i < 1000; ++i) {
      const Duration wait = policy.BackOff(number, random);
      ASSERT_GE(wait, turn);
      ASSERT_LE(wait, turn + turn / 4);
      longer |= wait > turn + turn / 8;
    }
    EXPECT_TRUE(longer) << "all come back together";
  }
}

TEST(RetryPolicy, WithoutBackOffThereIsNoWait) {
  Random random(1);
  EXPECT_EQ(RetryPolicy{}.BackOff(3, random), Duration(0));
}

// The longest that a duration of the Gateway API can be.
TEST(RetryPolicy, LongBackOffsDoNotOverflow) {
  RetryPolicy policy;
  policy.back_off = std::chrono::hours(99999) * 4;
  Random random(1);
  EXPECT_GE(policy.BackOff(40, random), policy.back_off);
  EXPECT_LE(policy.BackOff(40, random), policy.back_off + policy.back_off / 4);
}

}  // namespace
}  // namespace gw
