#include "pool/health.h"

#include <gtest/gtest.h>

#include <cmath>
#include <thread>
#include <vector>

#include "base/random.h"

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
  void Succeed() { RecordSuccess(state_, clock_.Now(), clock_.Now()); }
  bool ProbeDue() { return IsProbeDue(state_, clock_.Now()); }
  bool ProbeSucceeds() { return RecordProbeSuccess(state_, clock_.Now()); }
  bool ProbeFails() { return RecordProbeFailure(state_, clock_.Now()); }
  Standing StandingWith(int32_t in_flight) { return StandingOf(state_, in_flight, clock_.Now()); }

  ManualClock clock_;
  EndpointState state_{0};
};

TEST_F(Health, TheThirdFailureInARowEjectsOfWhateverKind) {
  EXPECT_FALSE(Fail(EndpointFailure::kNoAnswer));
  EXPECT_FALSE(Fail(EndpointFailure::kBadAnswer));
  EXPECT_FALSE(IsEjected(state_));
  EXPECT_TRUE(Fail(EndpointFailure::kErrorStatus));
  EXPECT_TRUE(IsEjected(state_));
  EXPECT_EQ(CauseOf(state_), EndpointFailure::kErrorStatus);
  EXPECT_EQ(state_.failures.load(), 3u);
}

TEST_F(Health, OneRefusedConnectionEjects) {
  EXPECT_TRUE(Refuse());
  EXPECT_TRUE(IsEjected(state_));
}

TEST_F(Health, ASuccessBetweenFailuresStartsTheRowAnew) {
  Fail();
  Fail();
  Succeed();
  EXPECT_FALSE(Fail());
  EXPECT_FALSE(Fail());
  EXPECT_TRUE(Fail());
}

TEST_F(Health, AnEndpointThatFailsAtOnceAndStillFinishesItsStreamsIsEjected) {
  const TimePoint before = clock_.Now();
  clock_.Advance(seconds(1));
  const auto stream_ends = [&] { RecordSuccess(state_, clock_.Now(), before); };
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(IsEjected(state_)) << i;
    state_.dispatched_requests.fetch_add(1);
    clock_.Advance(milliseconds(100));
    Fail();
    const float penalty = PenaltyOf(state_, clock_.Now());
    if (i < 2) stream_ends();
    EXPECT_FLOAT_EQ(PenaltyOf(state_, clock_.Now()), penalty) << "and does not look idle for it";
  }
  EXPECT_TRUE(IsEjected(state_));
}

TEST_F(Health, AFewOfManyLongStreamsThatFailDoNotEject) {
  // One of ten fails at once; the others last so long that none has ended yet.
  for (int i = 0; i < 1000; ++i) {
    state_.dispatched_requests.fetch_add(1);
    clock_.Advance(milliseconds(100));
    EXPECT_FALSE(i % 10 == 0 && Fail()) << i;
  }
  for (int i = 0; i < 6 && !IsEjected(state_); ++i) {  // now all of them
    state_.dispatched_requests.fetch_add(1);
    Fail();
  }
  EXPECT_TRUE(IsEjected(state_));
}

TEST_F(Health, OfStatusesOnly5xxEjectsWithout501And503) {
  for (int status : {200, 204, 400, 401, 404, 422, 429, 501, 503}) {
    EndpointState state(0);
    for (int i = 0; i < 100; ++i) {
      EXPECT_FALSE(RecordStatus(state, status, clock_.Now(), clock_.Now())) << status;
    }
    EXPECT_EQ(PenaltyOf(state, clock_.Now()) > 0,
              status == 401 || status == 404 || status == 429 || status == 503)
        << status;
    EXPECT_EQ(TakeDoubt(state), status == 503) << status;
  }
  for (int status : {500, 502, 504, 507}) {
    EndpointState state(0);
    int ejections = 0;
    for (int i = 0; i < 3; ++i) {
      ejections += RecordStatus(state, status, clock_.Now(), clock_.Now()) ? 1 : 0;
    }
    EXPECT_EQ(ejections, 1) << status;
  }
}

TEST_F(Health, AFailureThatDoesNotEjectYetIsADoubt) {
  Fail();
  EXPECT_TRUE(TakeDoubt(state_));
  Fail();
  Fail();
  EXPECT_FALSE(TakeDoubt(state_)) << "it is ejected";
}

TEST_F(Health, AFullQueueNeitherCountsNorEndsARow) {
  const auto status = [&](int code) {
    return RecordStatus(state_, code, clock_.Now(), clock_.Now());
  };
  EXPECT_FALSE(status(500));
  EXPECT_FALSE(status(503));
  EXPECT_FALSE(status(500));
  EXPECT_FALSE(status(503));
  EXPECT_TRUE(status(500));
}

TEST_F(Health, ADoubtEjectsOnlyIfTheProbeFails) {
  RecordRefusal(state_, clock_.Now(), true);
  EXPECT_TRUE(TakeDoubt(state_));
  EXPECT_FALSE(TakeDoubt(state_)) << "once";
  EXPECT_FALSE(ProbeSucceeds()) << "it was not away";
  EXPECT_FALSE(IsEjected(state_));
  RecordRefusal(state_, clock_.Now(), true);
  EXPECT_TRUE(ProbeFails());
  EXPECT_TRUE(IsEjected(state_));
  EXPECT_EQ(CauseOf(state_), EndpointFailure::kProbe);
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
  EXPECT_TRUE(ProbeSucceeds());
  EXPECT_FALSE(IsEjected(state_));
  EXPECT_FALSE(ProbeDue());
  EXPECT_FALSE(ProbeSucceeds());
}

TEST_F(Health, AProbeThatCannotBeMadeIsPostponedAndHeldAgainstNobody) {
  Refuse();
  clock_.Advance(seconds(1));
  PostponeProbe(state_, clock_.Now());
  EXPECT_FALSE(ProbeDue());
  EXPECT_EQ(state_.ejections.load(), 1u);
  clock_.Advance(seconds(1));
  EXPECT_TRUE(ProbeDue());
}

TEST_F(Health, ARequestThatSucceedsDoesNotBringItBack) {
  Refuse();
  Succeed();
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
    EXPECT_TRUE(ProbeFails());
  }
}

TEST_F(Health, FailuresAfterSuccessfulProbesDoubleTheBackOffUpToAMinute) {
  for (int i = 0; i < 3; ++i) Fail();
  const int64_t seconds_of[] = {1, 2, 4, 8, 16, 32, 60, 60};
  for (int64_t expected : seconds_of) {
    clock_.Advance(seconds(expected) - milliseconds(1));
    EXPECT_FALSE(ProbeDue()) << expected;
    clock_.Advance(milliseconds(1));
    EXPECT_TRUE(ProbeSucceeds()) << expected;
    EXPECT_TRUE(Fail()) << "one is enough on trial";
  }
}

TEST_F(Health, TheRowOfEjectionsEndsWithASuccessOfWhatWasSentAfterTheReturn) {
  const TimePoint before = clock_.Now();
  for (int i = 0; i < 3; ++i) Fail();
  clock_.Advance(seconds(1));
  ProbeSucceeds();
  RecordSuccess(state_, clock_.Now(), before);  // a long stream ends
  EXPECT_TRUE(Fail());
  clock_.Advance(seconds(2));
  ProbeSucceeds();
  Succeed();
  EXPECT_FALSE(Fail());
  EXPECT_FALSE(Fail());
  EXPECT_TRUE(Fail());
  EXPECT_EQ(state_.ejections.load(), 1u);
}

TEST_F(Health, TheRowOfEjectionsEndsAfterAQuietMinute) {
  for (const bool quiet : {false, true}) {
    Refuse();
    clock_.Advance(seconds(60));
    ProbeSucceeds();
    clock_.Advance(quiet ? seconds(60) : seconds(60) - milliseconds(1));
    EXPECT_EQ(Fail(), !quiet);
    if (!quiet) clock_.Advance(seconds(60));
    ProbeSucceeds();
    Succeed();
  }
}

TEST_F(Health, AnEndpointThatCameBackIsTriedByFewRequestsThenByMore) {
  EXPECT_EQ(StandingWith(1000), Standing::kInUse);
  for (int i = 0; i < 3; ++i) Fail();
  EXPECT_EQ(StandingWith(0), Standing::kFailing);
  clock_.Advance(seconds(1));
  ProbeSucceeds();
  for (int32_t allowed : {1, 2, 4, 8, 16, 32, 64, 128, 256, 512}) {
    EXPECT_EQ(StandingWith(allowed - 1), Standing::kInUse) << allowed;
    EXPECT_EQ(StandingWith(allowed), Standing::kOnTrial) << allowed;
    clock_.Advance(seconds(1));
  }
  EXPECT_EQ(StandingWith(1000), Standing::kInUse);
}

TEST_F(Health, ThreeSuccessesEndTheTrial) {
  Refuse();
  EXPECT_EQ(StandingWith(0), Standing::kRefusing);
  clock_.Advance(seconds(1));
  ProbeSucceeds();
  Succeed();
  Succeed();
  EXPECT_EQ(StandingWith(1), Standing::kOnTrial);
  Succeed();
  EXPECT_EQ(StandingWith(1000), Standing::kInUse);
}

TEST_F(Health, WhatFailedLatelyCostsShareAndIsForgotten) {
  EXPECT_EQ(PenaltyOf(state_, clock_.Now()), 0);
  Fail();
  EXPECT_FLOAT_EQ(PenaltyOf(state_, clock_.Now()), 0.25f);
  RecordRefusal(state_, clock_.Now(), false);
  EXPECT_FLOAT_EQ(PenaltyOf(state_, clock_.Now()), 0.5f);
  clock_.Advance(seconds(5));
  EXPECT_NEAR(PenaltyOf(state_, clock_.Now()), 0.25f, 1e-4);
  Succeed();
  EXPECT_NEAR(PenaltyOf(state_, clock_.Now()), 0.125f, 1e-4);
  clock_.Advance(seconds(30));
  EXPECT_EQ(PenaltyOf(state_, clock_.Now()), 0);
  for (int i = 0; i < 1000; ++i) RecordRefusal(state_, clock_.Now(), false);
  EXPECT_FLOAT_EQ(PenaltyOf(state_, clock_.Now()), kPenaltyMax);
}

TEST_F(Health, BackOffNeverOverflows) {
  EXPECT_EQ(BackoffOf(1, seconds(1), seconds(10)), seconds(1));
  EXPECT_EQ(BackoffOf(4'000'000'000u, seconds(1), seconds(10)), seconds(10));
}

// The header's words, as slow and obvious as they can be: times are doubles in seconds.
struct Oracle {
  bool ejected = false;
  double until = 0;
  double returned = -1;  // since the last ejection
  int row = 0;           // of failures
  double row_began = 0;
  int dispatched = 0;  // since then
  int ejections = 0;   // in a row
  int successes = 0;   // on trial
  double penalty = 0;
  double penalty_at = 0;

  double Penalty(double now) const {
    const double left = penalty * std::pow(0.5, (now - penalty_at) / 5);
    return left < 0.01 ? 0 : left;
  }
  void SetPenalty(double now, double value) {
    penalty = std::min(value, 8.0);
    penalty_at = now;
  }
  void Eject(double now, double most) {
    ejected = true;
    ++ejections;
    until = now + std::min(most, std::pow(2.0, ejections - 1));
    row = successes = 0;
    returned = -1;
  }
  void Fail(double now, bool refused, bool hard) {
    SetPenalty(now, Penalty(now) + 0.25);
    if (ejected && now < until) return;
    if (!ejected && returned >= 0 && now - returned >= 60) {
      ejections = 0;
      returned = -1;
    }
    if (++row >= (refused ? 1 : 3) && dispatched > 2 * row) row = 1;
    if (row == 1) {
      row_began = now;
      dispatched = 0;
    }
    const bool enough = ejected || ejections > 0 || row >= 3 || refused;
    if (enough) Eject(now, hard ? 10 : 60);
  }
  void Succeed(double now, double sent) {
    if (row > 0 && sent < row_began) return;
    row = 0;
    SetPenalty(now, Penalty(now) / 2);
    if (returned < 0 || sent < returned) return;
    ejections = 0;
    if (++successes >= 3) returned = -1;
  }
  void ProbeSucceeds(double now) {
    if (!ejected) return;
    ejected = false;
    returned = now;
    successes = 0;
    SetPenalty(now, 0);
  }
  int Allowed(double now) const {
    if (returned < 0 || now - returned >= 10) return 1 << 20;
    return 1 << static_cast<int>(now - returned);
  }
};

TEST(HealthProperty, DoesWhatItsHeaderSays) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    Random random(seed);
    ManualClock clock;
    EndpointState state(0);
    Oracle oracle;
    for (int step = 0; step < 3000; ++step) {
      // Whole eighths, so that doubles are exact.
      clock.Advance(milliseconds(125) * random.Below(random.Below(20) == 0 ? 600 : 12));
      const TimePoint now = clock.Now();
      const double at = ToSeconds(now.time_since_epoch());
      const Duration ago = milliseconds(125) * random.Below(40);
      const uint64_t dispatches = random.Below(8);
      oracle.dispatched += static_cast<int>(dispatches);
      state.dispatched_requests += dispatches;
      constexpr EndpointFailure kKinds[] = {
          EndpointFailure::kConnectRefused, EndpointFailure::kConnectTimeout,
          EndpointFailure::kNoAnswer, EndpointFailure::kBadAnswer, EndpointFailure::kErrorStatus};
      switch (random.Below(4)) {
        case 0: {
          const EndpointFailure kind = kKinds[random.Below(std::size(kKinds))];
          const bool was = oracle.ejected && at < oracle.until;
          oracle.Fail(at, kind == EndpointFailure::kConnectRefused, kind < kKinds[2]);
          EXPECT_EQ(RecordFailure(state, now, kind), !was && oracle.ejected);
          break;
        }
        case 1:
          oracle.Succeed(at, at - ToSeconds(ago));
          RecordSuccess(state, now, now - ago);
          break;
        case 2:
          if (random.Below(3) == 0) {
            if (!oracle.ejected || at >= oracle.until) oracle.Eject(at, 10);
            RecordProbeFailure(state, now);
          } else {
            oracle.SetPenalty(at, oracle.Penalty(at) + 0.25);
            RecordRefusal(state, now, true);
          }
          break;
        case 3:
          if (oracle.ejected && at >= oracle.until) {
            oracle.ProbeSucceeds(at);
            EXPECT_TRUE(RecordProbeSuccess(state, now));
          }
          break;
      }
      ASSERT_EQ(IsEjected(state), oracle.ejected) << "seed " << seed << ", step " << step;
      ASSERT_EQ(IsProbeDue(state, now), oracle.ejected && at >= oracle.until) << seed;
      ASSERT_EQ(state.ejections.load(), static_cast<uint32_t>(oracle.ejections)) << seed;
      ASSERT_NEAR(PenaltyOf(state, now), oracle.Penalty(at), 0.02 * (1 + oracle.Penalty(at)));
      if (!oracle.ejected) {
        const int allowed = oracle.Allowed(at);
        ASSERT_EQ(StandingOf(state, allowed - 1, now), Standing::kInUse) << seed;
        if (allowed < 1 << 20) ASSERT_EQ(StandingOf(state, allowed, now), Standing::kOnTrial);
      }
    }
  }
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
          for (int i = 0; i < 20; ++i) {
            ejections += RecordFailure(state, now, EndpointFailure::kNoAnswer) ? 1 : 0;
          }
        });
      }
    }
    EXPECT_EQ(ejections.load(), 1);
    EXPECT_EQ(state.ejections.load(), 1u);
    EXPECT_TRUE(IsEjected(state));
    EXPECT_FLOAT_EQ(PenaltyOf(state, now), kPenaltyMax);
  }
}

}  // namespace
}  // namespace gw
