// Who holds a Lease, from when, and until when.

#include "kube/lease.h"

#include <algorithm>
#include <string>
#include <vector>

#include "kube/test_lease.h"

namespace gw::kube {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::MatchesRegex;

LeaseRecord Others(int64_t transitions = 4,
                   const std::string& renewed = "2026-01-01T00:00:00.000000Z") {
  return {.holder = "other",
          .duration_s = 15,
          .acquire_time = "2026-01-01T00:00:00.000000Z",
          .renew_time = renewed,
          .transitions = transitions};
}

TEST_F(LeaseTest, IsCreatedIfItIsNotThere) {
  const auto a = New("a");
  AdvanceUntil([&] { return a->lease->held(); });
  EXPECT_THAT(a->changes, ElementsAre(true));
  EXPECT_EQ(Field("holderIdentity"), "a");
  EXPECT_EQ(Field("leaseDurationSeconds"), "15");
  EXPECT_EQ(Field("leaseTransitions"), "0");
  EXPECT_EQ(Field("acquireTime"), Field("renewTime"));
  EXPECT_EQ(server_.requests[1].method, "POST");
  EXPECT_TRUE(server_.requests[1].target.ends_with("/penstock-system/leases"));
}

TEST_F(LeaseTest, TimesHaveMicroseconds) {
  EXPECT_EQ(MicroTime(1'767'323'045'678'901'999), "2026-01-02T03:04:05.678901Z");
  EXPECT_EQ(MicroTime(1'767'323'045'000'001'000), "2026-01-02T03:04:05.000001Z");
}

TEST_F(LeaseTest, IsRenewedEveryTwoSecondsByOneRequest) {
  const auto a = New("a");
  AdvanceUntil([&] { return a->lease->held(); });
  const std::string acquired = Field("acquireTime");
  server_.requests.clear();
  Pass(seconds(60));
  EXPECT_GE(server_.requests.size(), 25u);
  EXPECT_LE(server_.requests.size(), 30u);
  for (const TestApiRequest& request : server_.requests) EXPECT_EQ(request.method, "PUT");
  EXPECT_EQ(Field("acquireTime"), acquired);
  EXPECT_GT(Field("renewTime"), acquired);
  EXPECT_EQ(Field("leaseTransitions"), "0");
  EXPECT_THAT(a->changes, ElementsAre(true));
}

TEST_F(LeaseTest, AnothersIsTakenWhenItHasNotChangedForItsTimeByOurClock) {
  PutRecord(Others());  // renewed long ago, by its own word
  const auto a = New("a");
  Pass(seconds(14));
  EXPECT_FALSE(a->lease->held());
  EXPECT_EQ(a->lease->holder(), "other");
  PutRecord(Others(4, "1999-01-01T00:00:00.000000Z"));  // renewed by a clock that goes backwards
  Pass(seconds(14));
  EXPECT_FALSE(a->lease->held());
  AdvanceUntil([&] { return a->lease->held(); }, milliseconds(100));
  EXPECT_EQ(Field("leaseTransitions"), "5");
  EXPECT_EQ(Field("strategy"), "x");
  EXPECT_EQ(MapAt(MapAt(&objects_.At(kLeasePath), "metadata"), "labels")->Find("a")->text, "b");
}

TEST_F(LeaseTest, AnothersTimeIsAsLongAsItsRecordSays) {
  LeaseRecord record = Others();
  record.duration_s = 60;
  PutRecord(record);
  const auto a = New("a");
  Pass(seconds(55));
  EXPECT_FALSE(a->lease->held());
  AdvanceUntil([&] { return a->lease->held(); });
}

TEST_F(LeaseTest, CandidatesLookAgainAfterTwoToFourAndABitSeconds) {
  LeaseRecord record = Others();
  record.duration_s = 100'000;
  PutRecord(record);
  const auto a = New("a");
  Pass(seconds(300));
  std::vector<Duration> gaps;
  for (size_t i = 1; i < server_.requests.size(); ++i) {
    gaps.push_back(server_.requests[i].at - server_.requests[i - 1].at);
  }
  EXPECT_GE(*std::min_element(gaps.begin(), gaps.end()), seconds(2));
  EXPECT_LE(*std::max_element(gaps.begin(), gaps.end()), milliseconds(4900));
  EXPECT_GT(*std::max_element(gaps.begin(), gaps.end()), milliseconds(3900));
}

TEST_F(LeaseTest, OneThatIsGivenBackIsTakenAtOnce) {
  LeaseRecord record = Others();
  record.holder.clear();
  PutRecord(record);
  const auto a = New("a");
  Pass(seconds(1));
  EXPECT_TRUE(a->lease->held());
  EXPECT_EQ(Field("leaseTransitions"), "5");
}

TEST_F(LeaseTest, IsLostTenSecondsAfterTheLastRenewalWasSent) {
  const auto a = New("a");
  AdvanceUntil([&] { return a->lease->held(); });
  Pass(seconds(10));
  server_.hang = true;
  const TimePoint last = server_.requests.back().at;
  AdvanceUntil([&] { return !a->lease->held(); }, milliseconds(100));
  EXPECT_GE(clock_.Now() - last, milliseconds(9500));
  EXPECT_LE(clock_.Now() - last, milliseconds(10'200));
  EXPECT_THAT(a->changes, ElementsAre(true, false));
  EXPECT_EQ(a->lease->counts().losses, 1u);
  server_.hang = false;
  AdvanceUntil([&] { return a->lease->held(); });
  EXPECT_EQ(Field("leaseTransitions"), "0");
}

TEST_F(LeaseTest, OneHungRequestOrSomeErrorsDoNotLoseIt) {
  const auto a = New("a");
  AdvanceUntil([&] { return a->lease->held(); });
  int hung = 1;
  server_.handler = [&](const TestApiRequest& request) {
    return hung-- > 0 ? std::optional<std::string>("") : objects_.Serve(request);
  };
  Pass(seconds(20));
  server_.Script("leases", TestApiServer::Status(500));
  server_.Script("leases", TestApiServer::Status(429));
  server_.Script("leases", TestApiServer::Answer(200, "<html>"));
  Pass(seconds(20));
  EXPECT_THAT(a->changes, ElementsAre(true));
  EXPECT_EQ(a->lease->counts().failures, 4u);
}

TEST_F(LeaseTest, IsLostAtOnceIfAnotherHasIt) {
  const auto a = New("a");
  AdvanceUntil([&] { return a->lease->held(); });
  PutRecord(Others());
  Pass(seconds(3));
  EXPECT_FALSE(a->lease->held());
  EXPECT_THAT(a->changes, ElementsAre(true, false));
  EXPECT_EQ(Field("holderIdentity"), "other");
}

TEST_F(LeaseTest, OneThatVanishesWhileAnotherCountsOnItIsLeftToTheOther) {
  PutRecord(Others());
  const auto a = New("a");
  Pass(seconds(5));
  objects_.Delete(kLeasePath);
  Pass(seconds(8));
  EXPECT_FALSE(objects_.Has(kLeasePath));
  AdvanceUntil([&] { return a->lease->held(); });
}

TEST_F(LeaseTest, IsMadeAnewByItsHolderIfItVanishes) {
  const auto a = New("a");
  AdvanceUntil([&] { return a->lease->held(); });
  objects_.Delete(kLeasePath);
  Pass(seconds(8));
  EXPECT_EQ(Field("holderIdentity"), "a");
  EXPECT_THAT(a->changes, ElementsAre(true));
}

TEST_F(LeaseTest, OneThatIsReleasedIsAnothersWithinSeconds) {
  const auto a = New("a", 1);
  AdvanceUntil([&] { return a->lease->held(); });
  const auto b = New("b", 2);
  Pass(seconds(10));
  std::vector<bool> released;
  a->lease->Release([&](bool done) { released.push_back(done); });
  EXPECT_FALSE(a->lease->held());
  EXPECT_THAT(a->changes, ElementsAre(true, false));
  AdvanceUntil([&] { return !released.empty(); }, milliseconds(10));
  EXPECT_THAT(released, ElementsAre(true));
  EXPECT_EQ(Field("holderIdentity"), "");
  Pass(seconds(5));
  EXPECT_TRUE(b->lease->held());
  Pass(seconds(60));
  EXPECT_FALSE(a->lease->held());
  EXPECT_EQ(a->lease->counts().losses, 0u);
}

TEST_F(LeaseTest, ReleaseComesToAnEndWhateverTheServerDoes) {
  const auto a = New("a");
  AdvanceUntil([&] { return a->lease->held(); });
  server_.hang = true;
  std::vector<bool> released;
  a->lease->Release([&](bool done) { released.push_back(done); });
  Pass(milliseconds(10'100));
  EXPECT_THAT(released, ElementsAre(false));
  server_.hang = false;
  PutRecord(Others());
  const auto b = New("b");
  b->lease->Release([&](bool done) { released.push_back(done); });  // before it has begun
  Pass(seconds(1));
  EXPECT_THAT(released, ElementsAre(false, true));
}

TEST_F(LeaseTest, AConflictOrATakeOfWhichNothingWasHeardIsReleasedToo) {
  bool lose = true;
  server_.handler = [&](const TestApiRequest& request) {
    auto bytes = objects_.Serve(request);
    const bool lost = request.method == "POST" && std::exchange(lose, false);
    return lost ? std::optional<std::string>("") : bytes;
  };
  const auto a = New("a");
  AdvanceUntil([&] { return objects_.Has(kLeasePath); });
  EXPECT_FALSE(a->lease->held());
  EXPECT_EQ(Field("holderIdentity"), "a");
  int conflicts = 1;
  server_.handler = [&](const TestApiRequest& request) {
    const bool conflict = request.method == "PUT" && conflicts-- > 0;
    return conflict ? TestApiServer::Status(409) : objects_.Serve(request);
  };
  std::vector<bool> released;
  a->lease->Release([&](bool done) { released.push_back(done); });
  AdvanceUntil([&] { return !released.empty(); });
  EXPECT_THAT(released, ElementsAre(true));
  EXPECT_EQ(Field("holderIdentity"), "");
}

// Requests are lost before or behind the server, answered by errors, or carried out long after
// they were given up; candidates die and come back; one at a time is cut off.
TEST_F(LeaseTest, ThereIsOneHolderAtATimeWhateverHappensToTheRequests) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    std::string cut_off;
    bool faults = true;
    std::vector<TestApiRequest> late;
    objects_.Delete(kLeasePath);
    server_.handler = [&](const TestApiRequest& request) -> std::optional<std::string> {
      if (!faults) return objects_.Serve(request);
      const uint64_t chance = random.Below(100);
      const bool cut = request.fields.at("host") == cut_off;
      if (chance < 10) late.push_back(request);
      if (chance < 15 || cut) return "";
      if (chance < 20) return TestApiServer::Status(500);
      const auto bytes = objects_.Serve(request);
      return chance < 30 ? "" : bytes;
    };
    std::vector<std::unique_ptr<Candidate>> candidates;
    for (const char* name : {"a", "b", "c"}) candidates.push_back(New(name, random.Next()));
    const auto holders = [&] {
      return std::count_if(candidates.begin(), candidates.end(),
                           [](const auto& c) { return c->lease->held(); });
    };
    size_t held_steps = 0;
    for (int step = 0; step < 2400; ++step) {
      Advance(milliseconds(250));
      ASSERT_LE(holders(), 1);
      held_steps += static_cast<size_t>(holders());
      const uint64_t chance = random.Below(200);
      if (chance == 0) cut_off = std::string(1, static_cast<char>('a' + random.Below(4)));
      if (chance == 1) {
        const size_t i = random.Below(3);
        candidates[i].reset();
        candidates[i] = New(std::string(1, static_cast<char>('a' + i)), random.Next());
      }
      if (chance < 20 && !late.empty()) {
        objects_.Serve(late.back());
        late.pop_back();
      }
    }
    EXPECT_GT(held_steps, 600u);
    faults = false;
    late.clear();
    Pass(seconds(40));
    EXPECT_EQ(holders(), 1);
  }
}

}  // namespace
}  // namespace gw::kube
