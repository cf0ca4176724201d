#include "pool/health.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace gw {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class Health : public ::testing::Test {
 protected:
  bool Fail(EndpointFailure failure = EndpointFailure::kNoAnswer) {
    return RecordFailure(state_, clock_.Now(), failure);
  }
  bool Refuse() { return Fail(EndpointFailure::kConnectRefused); }
  bool ProbeDue() { return IsProbeDue(state_, clock_.Now()); }

  ManualClock clock_;
  EndpointState state_{0};
};

TEST_F(Health, TheThirdFailureInARowEjects) {
  EXPECT_FALSE(Fail());
  EXPECT_FALSE(Fail());
  EXPECT_FALSE(IsEjected(state_));
  EXPECT_TRUE(Fail());
  EXPECT_TRUE(IsEjected(state_));
}

TEST_F(Health, OneRefusedConnectionEjects) {
  EXPECT_TRUE(Refuse());
  EXPECT_TRUE(IsEjected(state_));
}

TEST_F(Health, ASuccessBetweenFailuresStartsTheRowAnew) {
  Fail();
  Fail();
  RecordSuccess(state_);
  EXPECT_FALSE(Fail());
  EXPECT_FALSE(Fail());
  EXPECT_TRUE(Fail());
}

TEST_F(Health, TheManyFailuresOfOneOutageAreOneEjection) {
  EXPECT_TRUE(Refuse());
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(Refuse());
  EXPECT_EQ(state_.ejections.load(), 1u);
  clock_.Advance(seconds(1));
  EXPECT_TRUE(ProbeDue());
}

TEST_F(Health, StaysEjectedAfterTheBackOffUntilAProbeSucceeds) {
  Refuse();
  clock_.Advance(milliseconds(999));
  EXPECT_FALSE(ProbeDue());
  clock_.Advance(milliseconds(1));
  EXPECT_TRUE(ProbeDue());
  EXPECT_TRUE(IsEjected(state_));
  EXPECT_TRUE(RecordProbeSuccess(state_));
  EXPECT_FALSE(IsEjected(state_));
  EXPECT_FALSE(ProbeDue());
  EXPECT_FALSE(RecordProbeSuccess(state_));
}

TEST_F(Health, ARequestThatSucceedsDoesNotBringItBack) {
  Refuse();
  RecordSuccess(state_);
  EXPECT_TRUE(IsEjected(state_));
  EXPECT_EQ(state_.ejections.load(), 1u);
}

TEST_F(Health, EachFailedProbeDoublesTheBackOffUpToTenSeconds) {
  Refuse();
  const int64_t seconds_of[] = {1, 2, 4, 8, 10, 10, 10};
  for (int64_t expected : seconds_of) {
    clock_.Advance(seconds(expected) - milliseconds(1));
    EXPECT_FALSE(ProbeDue()) << expected;
    clock_.Advance(milliseconds(1));
    EXPECT_TRUE(ProbeDue()) << expected;
    EXPECT_TRUE(Fail()) << "one failure is enough on probation";
  }
}

TEST_F(Health, TheRowOfEjectionsEndsWithARequestAfterTheReturn) {
  Refuse();
  clock_.Advance(seconds(1));
  RecordProbeSuccess(state_);
  Refuse();
  clock_.Advance(seconds(1));
  EXPECT_FALSE(ProbeDue()) << "the second ejection in a row lasts 2 s";
  clock_.Advance(seconds(1));
  RecordProbeSuccess(state_);
  RecordSuccess(state_);
  Refuse();
  clock_.Advance(seconds(1));
  EXPECT_TRUE(ProbeDue());
}

TEST_F(Health, BackOffNeverOverflows) {
  EXPECT_EQ(BackoffOf(1, HealthOptions{}), seconds(1));
  EXPECT_EQ(BackoffOf(4'000'000'000u, HealthOptions{}), seconds(10));
}

TEST_F(Health, ThreadsThatSeeTheSameOutageEjectOnce) {
  for (int round = 0; round < 50; ++round) {
    EndpointState state(0);
    std::atomic<int> ejections{0};
    const TimePoint now = clock_.Now();
    {
      std::vector<std::jthread> threads;
      for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
          for (int i = 0; i < 20; ++i) ejections += RecordFailure(state, now) ? 1 : 0;
        });
      }
    }
    EXPECT_EQ(ejections.load(), 1);
    EXPECT_EQ(state.ejections.load(), 1u);
    EXPECT_TRUE(IsEjected(state));
  }
}

}  // namespace
}  // namespace gw
