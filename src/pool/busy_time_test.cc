#include "pool/busy_time.h"

#include <gtest/gtest.h>

#include <cmath>
#include <thread>
#include <vector>

#include "base/random.h"

namespace gw {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(BusyTime, IsTheShareOfTimeWithAPromptPending) {
  ManualClock clock;
  BusyTime busy;
  EXPECT_EQ(busy.SecondsAt(clock.Now()), 0);
  busy.Begin(clock.Now());
  EXPECT_EQ(busy.SecondsAt(clock.Now()), 0);
  clock.Advance(seconds(20));
  const double after_20 = 10 * (1 - std::exp(-1));
  EXPECT_NEAR(busy.SecondsAt(clock.Now()), after_20, 1e-4);
  busy.Begin(clock.Now());  // a second one changes nothing
  busy.End(clock.Now());
  clock.Advance(seconds(10));
  const double after_30 = 10 * (1 - std::exp(-1.5));
  EXPECT_NEAR(busy.SecondsAt(clock.Now()), after_30, 1e-4);
  busy.End(clock.Now());
  EXPECT_NEAR(busy.SecondsAt(clock.Now()), after_30, 1e-4);
  clock.Advance(seconds(40));
  EXPECT_NEAR(busy.SecondsAt(clock.Now()), after_30 * std::exp(-2), 1e-4);
  busy.Begin(clock.Now());
  clock.Advance(seconds(5));
  const double left = std::exp(-0.25);
  EXPECT_NEAR(busy.SecondsAt(clock.Now()), after_30 * std::exp(-2) * left + 10 * (1 - left), 1e-4);
}

TEST(BusyTime, IsTheExponentialAtAnyMillisecondAndNeverRises) {
  ManualClock clock;
  BusyTime busy;
  busy.Begin(clock.Now());
  clock.Advance(hours(1));
  busy.End(clock.Now());
  float before = 10;
  for (int ms = 0; ms < 200'000; ++ms) {
    const float now = busy.SecondsAt(clock.Now() + milliseconds(ms));
    ASSERT_NEAR(now, 10 * std::exp(-ms / 20e3), 5e-5) << ms;
    ASSERT_LE(now, before + 1e-6f) << ms;
    before = now;
  }
  EXPECT_EQ(busy.SecondsAt(clock.Now() + seconds(300)), 0);
}

TEST(BusyTime, GoesToTheShareOfEqualTurns) {
  ManualClock clock;
  BusyTime busy;
  for (int i = 0; i < 20'000; ++i) {
    busy.Begin(clock.Now());
    clock.Advance(milliseconds(3));
    busy.End(clock.Now());
    clock.Advance(milliseconds(7));
  }
  EXPECT_NEAR(busy.SecondsAt(clock.Now()), 3, 0.01);
}

TEST(BusyTime, AnEarlierTimeOfAnotherThreadChangesLittle) {
  ManualClock clock;
  BusyTime busy;
  clock.Advance(hours(1));
  busy.Begin(clock.Now());
  clock.Advance(seconds(20));
  busy.End(clock.Now());
  const float before = busy.SecondsAt(clock.Now());
  EXPECT_EQ(busy.SecondsAt(clock.Now() - seconds(1)), before);
  busy.Begin(clock.Now() - seconds(1));
  busy.End(clock.Now() - seconds(2));
  EXPECT_NEAR(busy.SecondsAt(clock.Now()), before, 1e-4);
}

TEST(BusyTime, LongAgoIsForgottenBeyondTheRangeOfItsTime) {
  ManualClock clock;
  BusyTime busy;
  busy.Begin(clock.Now());
  clock.Advance(seconds(30));
  busy.End(clock.Now());
  for (const int days : {1, 20, 25, 40, 49}) {
    EXPECT_NEAR(busy.SecondsAt(clock.Now() + hours(24 * days)), 0, 1e-6) << days;
  }
}

TEST(BusyTime, ManyThreadsLeaveItIdleAndInItsRange) {
  BusyTime busy;
  std::vector<std::thread> threads;
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    threads.emplace_back([&busy, seed] {
      Random random(seed);
      ManualClock clock;
      for (int i = 0; i < 20'000; ++i) {
        busy.Begin(clock.Now());
        clock.Advance(milliseconds(random.Below(3)));
        const float seconds_at = busy.SecondsAt(clock.Now());
        ASSERT_GE(seconds_at, 0);
        ASSERT_LE(seconds_at, BusyTime::kSecondsMax);
        busy.End(clock.Now());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ManualClock clock;
  clock.Advance(hours(1));
  EXPECT_NEAR(busy.SecondsAt(clock.Now()), 0, 1e-4) << "nothing is pending";
}

}  // namespace
}  // namespace gw
