#include "flowcontrol/rate_limit.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "base/random.h"

namespace gw {
namespace {

using Refused = RateVerdict::Refused;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

const TimePoint kStart{seconds(1000)};

TEST(RateMeter, WithoutLimitsAdmitsAll) {
  RateMeter meter({});
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(meter.Reserve(1'000'000, kStart).admitted());
  meter.Settle(1'000'000, 5'000'000, kStart);
  EXPECT_FALSE(meter.requests(kStart));
  EXPECT_FALSE(meter.tokens(kStart));
}

TEST(RateMeter, AMinutesWorthOfRequestsAndThenOneAtATime) {
  RateMeter meter({.requests_per_minute = 6, .tokens_per_minute = std::nullopt});
  for (int i = 0; i < 6; ++i) EXPECT_TRUE(meter.Reserve(10, kStart).admitted()) << i;
  const RateVerdict refused = meter.Reserve(10, kStart);
  EXPECT_EQ(refused.refused, Refused::kRequests);
  EXPECT_NEAR(ToSeconds(refused.retry_after), 10, 0.001);
  EXPECT_FALSE(meter.Reserve(10, kStart + milliseconds(9990)).admitted());
  EXPECT_TRUE(meter.Reserve(10, kStart + seconds(10)).admitted());
  EXPECT_FALSE(meter.Reserve(10, kStart + seconds(10)).admitted());
}

TEST(RateMeter, ABurstCannotPassALimitThatCountsAfterwards) {
  RateMeter meter({.requests_per_minute = std::nullopt, .tokens_per_minute = 1000});
  int admitted = 0;
  for (int i = 0; i < 100; ++i) admitted += meter.Reserve(100, kStart).admitted();
  EXPECT_EQ(admitted, 10);
  EXPECT_EQ(meter.Reserve(100, kStart).refused, Refused::kTokens);
}

TEST(RateMeter, WhatWasUsedBeyondTheReserveIsMadeUpForFirst) {
  RateMeter meter({.requests_per_minute = std::nullopt, .tokens_per_minute = 600});
  ASSERT_TRUE(meter.Reserve(100, kStart).admitted());
  meter.Settle(100, 900, kStart);  // 300 too many: 30 s
  EXPECT_EQ(meter.tokens(kStart)->remaining, 0);
  EXPECT_EQ(meter.Reserve(0, kStart).refused, Refused::kTokens);
  EXPECT_FALSE(meter.Reserve(1, kStart + seconds(29)).admitted());
  EXPECT_TRUE(meter.Reserve(1, kStart + milliseconds(30101)).admitted());
}

TEST(RateMeter, WhatWasNotUsedComesBack) {
  RateMeter meter({.requests_per_minute = std::nullopt, .tokens_per_minute = 600});
  ASSERT_TRUE(meter.Reserve(600, kStart).admitted());
  EXPECT_FALSE(meter.Reserve(1, kStart).admitted());
  meter.Settle(600, 100, kStart);
  EXPECT_EQ(meter.tokens(kStart)->remaining, 500);
  EXPECT_TRUE(meter.Reserve(500, kStart).admitted());
}

TEST(RateMeter, ALongRequestIsChargedOnce) {
  RateMeter meter({.requests_per_minute = std::nullopt, .tokens_per_minute = 1000});
  ASSERT_TRUE(meter.Reserve(500, kStart).admitted());
  const TimePoint later = kStart + minutes(5);  // it has filled again
  meter.Settle(500, 500, later);
  EXPECT_EQ(meter.tokens(later)->remaining, 1000);
  meter.Settle(0, 200, later);
  EXPECT_EQ(meter.tokens(later)->remaining, 800);
}

TEST(RateMeter, APromptLargerThanTheLimitNeverFits) {
  RateMeter meter({.requests_per_minute = 1, .tokens_per_minute = 100});
  const RateVerdict refused = meter.Reserve(101, kStart);
  EXPECT_EQ(refused.refused, Refused::kTooLarge);
  EXPECT_TRUE(meter.Reserve(100, kStart).admitted());  // and nothing was taken for it
}

TEST(RateMeter, ARefusalTakesNothing) {
  RateMeter meter({.requests_per_minute = 10, .tokens_per_minute = 100});
  ASSERT_TRUE(meter.Reserve(90, kStart).admitted());
  for (int i = 0; i < 50; ++i) EXPECT_FALSE(meter.Reserve(20, kStart).admitted());
  EXPECT_EQ(meter.requests(kStart)->remaining, 9);
  EXPECT_TRUE(meter.Reserve(10, kStart).admitted());
}

TEST(RateMeter, TheLongerOfTwoWaitsIsTold) {
  RateMeter meter({.requests_per_minute = 60, .tokens_per_minute = 60});
  ASSERT_TRUE(meter.Reserve(60, kStart).admitted());
  const RateVerdict refused = meter.Reserve(30, kStart);
  EXPECT_EQ(refused.refused, Refused::kTokens);
  EXPECT_NEAR(ToSeconds(refused.retry_after), 30, 0.001);
  EXPECT_TRUE(meter.Reserve(30, kStart + refused.retry_after).admitted());
}

TEST(RateMeter, StandingsSayWhatIsLeftAndWhenAllIs) {
  RateMeter meter({.requests_per_minute = 60, .tokens_per_minute = 6000});
  ASSERT_TRUE(meter.Reserve(3000, kStart).admitted());
  EXPECT_EQ(meter.requests(kStart)->limit, 60);
  EXPECT_EQ(meter.requests(kStart)->remaining, 59);
  EXPECT_NEAR(ToSeconds(meter.requests(kStart)->reset), 1, 0.001);
  EXPECT_EQ(meter.tokens(kStart)->remaining, 3000);
  EXPECT_NEAR(ToSeconds(meter.tokens(kStart)->reset), 30, 0.001);
  EXPECT_EQ(meter.tokens(kStart + minutes(2))->remaining, 6000);
}

TEST(RateMeter, NewLimitsKeepWhatWasUsed) {
  RateMeter meter({.requests_per_minute = 100, .tokens_per_minute = std::nullopt});
  for (int i = 0; i < 95; ++i) ASSERT_TRUE(meter.Reserve(0, kStart).admitted());
  meter.SetLimits({.requests_per_minute = 200, .tokens_per_minute = 50});
  EXPECT_EQ(meter.requests(kStart)->remaining, 5);
  EXPECT_EQ(meter.tokens(kStart)->remaining, 50);
  meter.SetLimits({.requests_per_minute = 2, .tokens_per_minute = 50});
  EXPECT_EQ(meter.requests(kStart)->remaining, 2);
}

// Against what was admitted in the last minutes, counted one by one: a bucket that begins full lets
// through a minute's worth more than it fills by, and never more.
TEST(RateMeter, InAnyTimeNoMoreThanItFillsByAndAMinutesWorth) {
  Random random(7);
  for (int round = 0; round < 20; ++round) {
    const auto limit = static_cast<int64_t>(1 + random.Below(500));
    RateMeter meter({.requests_per_minute = std::nullopt, .tokens_per_minute = limit});
    struct Admitted {
      TimePoint at;
      int64_t tokens;
    };
    std::vector<Admitted> admitted;
    TimePoint now = kStart;
    for (int step = 0; step < 400; ++step) {
      now += milliseconds(random.Below(2000));
      const auto wanted = static_cast<int64_t>(1 + random.Below(60));
      if (meter.Reserve(wanted, now).admitted()) admitted.push_back({now, wanted});
    }
    for (size_t i = 0; i < admitted.size(); ++i) {
      int64_t sum = 0;
      for (size_t j = i; j < admitted.size(); ++j) {
        sum += admitted[j].tokens;
        const double minutes_passed = ToSeconds(admitted[j].at - admitted[i].at) / 60;
        ASSERT_LE(static_cast<double>(sum),
                  static_cast<double>(limit) * (1 + minutes_passed) + 0.01);
      }
    }
  }
}

TEST(RateMeter, WhatIsUsedHereIsToldOnceAndWhatOthersUsedIsNot) {
  RateMeter meter({.requests_per_minute = 100, .tokens_per_minute = 1000});
  EXPECT_EQ(meter.TakeUse(kStart), RateUse());
  ASSERT_TRUE(meter.Reserve(50, kStart).admitted());
  ASSERT_TRUE(meter.Reserve(50, kStart).admitted());
  meter.Settle(50, 20, kStart);
  meter.UsedElsewhere({.requests = 7, .tokens = 300}, kStart);
  RateLevels levels;
  EXPECT_EQ(meter.TakeUse(kStart, &levels), (RateUse{.requests = 2, .tokens = 70}));
  EXPECT_EQ(levels.requests, 91);
  EXPECT_EQ(levels.tokens, 630);
  meter.Settle(50, 0, kStart);
  EXPECT_EQ(meter.TakeUse(kStart), (RateUse{.requests = 0, .tokens = -50}));
  EXPECT_EQ(meter.TakeUse(kStart), RateUse());
}

TEST(RateMeter, OthersMayUseMoreThanThereIs) {
  RateMeter meter({.requests_per_minute = 60, .tokens_per_minute = std::nullopt});
  meter.UsedElsewhere({.requests = 90, .tokens = 1000}, kStart);
  EXPECT_EQ(meter.requests(kStart)->remaining, 0);
  EXPECT_NEAR(ToSeconds(meter.Reserve(0, kStart).retry_after), 31, 0.001);
  EXPECT_FALSE(meter.tokens(kStart));
}

TEST(RateMeter, NoMoreIsLeftThanAnotherHasAndAQuarterSecondsRefill) {
  RateMeter meter({.requests_per_minute = 600, .tokens_per_minute = 6000});
  meter.LowerTo({.requests = 100, .tokens = -50}, kStart);
  RateLevels levels;
  meter.TakeUse(kStart, &levels);
  EXPECT_DOUBLE_EQ(*levels.requests, 102.5);
  EXPECT_DOUBLE_EQ(*levels.tokens, -25);
  // It never has more for that.
  meter.LowerTo({.requests = 500, .tokens = std::nullopt}, kStart);
  meter.TakeUse(kStart, &levels);
  EXPECT_DOUBLE_EQ(*levels.requests, 102.5);
}

// Who tells its level may not have heard of it yet.
TEST(RateMeter, WhatWasJustGivenBackIsNotTakenAgain) {
  RateMeter meter({.requests_per_minute = std::nullopt, .tokens_per_minute = 600});
  ASSERT_TRUE(meter.Reserve(600, kStart).admitted());
  meter.Settle(600, 100, kStart);
  meter.LowerTo({.requests = std::nullopt, .tokens = 0}, kStart + milliseconds(1));
  EXPECT_GE(meter.tokens(kStart + milliseconds(1))->remaining, 498);
  meter.LowerTo({.requests = std::nullopt, .tokens = 0}, kStart + seconds(3));
  EXPECT_LE(meter.tokens(kStart + seconds(3))->remaining, 3);
}

TEST(RateMeter, ThreadsTogetherGetOneLimit) {
  RateMeter meter({.requests_per_minute = 1000, .tokens_per_minute = 5000});
  std::vector<std::thread> threads;
  std::atomic<int> admitted{0};
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 500; ++n) {
        if (!meter.Reserve(10, kStart).admitted()) continue;
        ++admitted;
        meter.Settle(10, 10, kStart);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(admitted, 500);
}

TEST(RateMeters, ATenantsMeterSurvivesAReloadThatKeepsIt) {
  RateMeters meters;
  const RateLimits limits{.requests_per_minute = 2, .tokens_per_minute = std::nullopt};
  auto held = meters.Get("alice", limits);
  ASSERT_TRUE(held->Reserve(0, kStart).admitted());
  EXPECT_EQ(meters.Get("alice", limits), held);
  EXPECT_EQ(held->requests(kStart)->remaining, 1);
  EXPECT_NE(meters.Get("bob", limits), held);
  held.reset();
  EXPECT_EQ(meters.Get("alice", limits)->requests(kStart)->remaining, 2);
}

TEST(RateMeters, AllAreThoseThatAreHeldByName) {
  RateMeters meters;
  const RateLimits limits{.requests_per_minute = 2, .tokens_per_minute = std::nullopt};
  const auto bob = meters.Get("bob", limits);
  auto carol = meters.Get("carol", limits);
  const auto alice = meters.Get("alice", limits);
  const uint64_t made = meters.made();
  carol.reset();
  const std::vector<RateMeters::Entry> all = meters.All();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].tenant, "alice");
  EXPECT_EQ(all[1].meter, bob);
  meters.Get("bob", limits);
  EXPECT_EQ(meters.made(), made);
  meters.Get("dora", limits);
  EXPECT_EQ(meters.made(), made + 1);
}

TEST(RateResetText, IsWhatTheOpenAiClientsRead) {
  EXPECT_EQ(RateResetText(milliseconds(0)), "0ms");
  EXPECT_EQ(RateResetText(milliseconds(120)), "120ms");
  EXPECT_EQ(RateResetText(milliseconds(1001)), "2s");
  EXPECT_EQ(RateResetText(seconds(59)), "59s");
  EXPECT_EQ(RateResetText(minutes(6)), "6m0s");
  EXPECT_EQ(RateResetText(seconds(61)), "1m1s");
}

}  // namespace
}  // namespace gw
