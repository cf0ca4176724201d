#include "pool/pushback.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "pool/health.h"

namespace gw {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Share, ShrinksToThreeQuartersOfWhatIsInFlightAndNeverBelowOne) {
  EXPECT_EQ(ShrunkShare(0, 40), 30);
  EXPECT_EQ(ShrunkShare(0, 5), 3);
  EXPECT_EQ(ShrunkShare(0, 1), 1);
  EXPECT_EQ(ShrunkShare(0, 0), 1);
  EXPECT_EQ(ShrunkShare(30, 30), 22);
}

TEST(Share, IsNeverLargerAfterAPushbackThanBefore) {
  EXPECT_EQ(ShrunkShare(3, 20), 3) << "it got more than its share, for want of others";
  EXPECT_EQ(ShrunkShare(1, 20), 1);
}

TEST(Share, GrowsByOneUntilItHoldsNothingBack) {
  EXPECT_EQ(GrownShare(1, 1), 2);
  EXPECT_EQ(GrownShare(6, 0), 7) << "of so few nothing follows";
  EXPECT_EQ(GrownShare(30, 20), 31);
  EXPECT_EQ(GrownShare(39, 20), 0);
  EXPECT_EQ(GrownShare(7, 4), 0);
}

TEST(Share, ThatCannotShrinkPausesTwiceAsLongEachTime) {
  EXPECT_EQ(PauseAfter(0), milliseconds(100));
  EXPECT_EQ(PauseAfter(3), milliseconds(800));
  EXPECT_EQ(PauseAfter(6), seconds(5));
  EXPECT_EQ(PauseAfter(1'000'000), seconds(5));
}

class Pushback : public ::testing::Test {
 protected:
  void Dispatch(int requests) {
    clock_.Advance(milliseconds(1));
    dispatched_ = clock_.Now();
    state_.in_flight_requests += requests;
    clock_.Advance(milliseconds(1));
  }
  void Refuse(std::optional<Duration> retry_after = std::nullopt) {
    RecordPushback(state_, clock_.Now(), dispatched_, retry_after);
    --state_.in_flight_requests;
  }
  void Serve() {
    RecordServed(state_, clock_.Now(), dispatched_);
    --state_.in_flight_requests;
  }
  int Allowed() { return ShareOf(state_, clock_.Now()).allowed; }
  Duration Pause() { return ShareOf(state_, clock_.Now()).paused_for; }
  Standing StandingNow() { return StandingOf(state_, state_.in_flight_requests, clock_.Now()); }

  ManualClock clock_;
  EndpointState state_{0};
  TimePoint dispatched_;
};

TEST_F(Pushback, ARoundOfRefusalsShrinksTheShareOnce) {
  Dispatch(8);
  for (int i = 0; i < 4; ++i) Refuse();
  EXPECT_EQ(Allowed(), 6);
  Dispatch(2);
  Refuse();
  EXPECT_EQ(Allowed(), 4) << "3/4 of 6";
}

TEST_F(Pushback, WhatWasUnderWayWhenItShrankDoesNotGrowIt) {
  Dispatch(4);
  Refuse();
  for (int i = 0; i < 3; ++i) Serve();
  EXPECT_EQ(Allowed(), 3);
  Dispatch(3);
  Serve();
  Serve();
  EXPECT_EQ(Allowed(), 3);
  Serve();
  EXPECT_EQ(Allowed(), 4);
}

TEST_F(Pushback, AShareThatIsUsedUpIsNotInUse) {
  EXPECT_EQ(StandingNow(), Standing::kInUse);
  Dispatch(4);
  Refuse();
  EXPECT_EQ(StandingNow(), Standing::kLimited);
  Serve();
  EXPECT_EQ(StandingNow(), Standing::kInUse);
}

TEST_F(Pushback, RetryAfterPausesItAndIsCapped) {
  Dispatch(4);
  Refuse(seconds(7));
  Refuse(seconds(2));
  EXPECT_EQ(Pause(), seconds(7)) << "the longest counts";
  EXPECT_EQ(StandingNow(), Standing::kPaused);
  clock_.Advance(seconds(7));
  EXPECT_EQ(Pause(), seconds(0));
  Dispatch(1);
  Refuse(seconds(7200));
  EXPECT_EQ(Pause(), kRetryAfterMax);
}

TEST_F(Pushback, OnlyWhatCannotShrinkPausesByItself) {
  Dispatch(2);
  Refuse();
  Refuse();
  EXPECT_EQ(Allowed(), 1);
  EXPECT_EQ(Pause(), seconds(0));
  for (const Duration pause : {milliseconds(100), milliseconds(200), milliseconds(400)}) {
    Dispatch(1);
    Refuse();
    EXPECT_EQ(Pause(), pause);
    clock_.Advance(pause);
  }
  Dispatch(1);
  Serve();
  EXPECT_EQ(Allowed(), 2);
  Dispatch(1);
  Refuse();
  Dispatch(1);
  Refuse();
  EXPECT_EQ(Pause(), milliseconds(100)) << "a success ends the row";
}

TEST_F(Pushback, TheLimitIsGoneAfterAMinuteWithoutOne) {
  Dispatch(4);
  Refuse();
  clock_.Advance(kShareTime - milliseconds(1));
  EXPECT_EQ(Allowed(), 3);
  clock_.Advance(milliseconds(1));
  EXPECT_EQ(Allowed(), 0);
  Dispatch(9);  // twelve
  Refuse();
  EXPECT_EQ(Allowed(), 9) << "as if there had been none";
}

TEST_F(Pushback, TheLimitIsGoneWhenItHoldsNothingBack) {
  Dispatch(4);
  Refuse();
  for (int i = 0; i < 3; ++i) Serve();
  int served = 0;
  for (; Allowed() != 0; ++served) {
    ASSERT_LT(served, 100);
    Dispatch(1);
    Serve();
  }
  EXPECT_EQ(served, 3 + 4 + 5 + 6 + 7);
  EXPECT_FALSE(ShareOf(state_, clock_.Now()).is_limited());
}

TEST_F(Pushback, IsNoFailure) {
  for (int i = 0; i < 20; ++i) {
    Dispatch(1);
    Refuse();
  }
  EXPECT_FALSE(IsEjected(state_));
  EXPECT_EQ(PenaltyOf(state_, clock_.Now()), 0);
  EXPECT_FALSE(TakeDoubt(state_));
  EXPECT_EQ(state_.consecutive_failures, 0u);
}

TEST_F(Pushback, OfThreadsThatAreRefusedTogetherOneShrinksIt) {
  Dispatch(64);
  const TimePoint now = clock_.Now();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] { RecordPushback(state_, now, dispatched_, std::nullopt); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Allowed(), 48);
}

}  // namespace
}  // namespace gw
