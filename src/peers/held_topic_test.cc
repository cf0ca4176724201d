// A tenant's ceiling over several gateways, in virtual time: how much is in flight, and who of them
// gets the places.

#include "peers/held_topic.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>

#include "peers/test_gateways.h"
#include "peers/varint.h"

namespace gw::peers {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr FairQueue::Terms Ceiling(int64_t requests) {
  return {.weight = 1, .requests_max = requests, .tokens_max = std::nullopt};
}

class HeldTest : public TestGateways {
 protected:
  std::unique_ptr<Topic> Make(const RequestQueues& queues, Counter& limit) override {
    return std::make_unique<HeldTopic>(queues, 1000, limit);
  }
  int64_t InFlight() {
    int64_t sum = 0;
    for (const auto& gateway : gateways_) sum += gateway == nullptr ? 0 : gateway->in_flight("a");
    return sum;
  }
  // How many were in flight at most, and on average.
  struct Use {
    int64_t most = 0;
    double mean = 0;
  };
  Use Watch(Duration time) {
    Use use;
    int64_t looks = 0;
    Run(time, [&] {
      use.most = std::max(use.most, InFlight());
      use.mean += static_cast<double>(InFlight());
      ++looks;
    });
    use.mean /= static_cast<double>(looks);
    return use;
  }
  int64_t Started(size_t gateway) { return gateways_[gateway]->started("a"); }
};

TEST_F(HeldTest, ThreeWithBacklogsHaveOneCeilingAndSharesAsTheirDemand) {
  network_.set_late(milliseconds(3));
  for (int i = 0; i < 3; ++i) Add(100);
  for (int i = 0; i < 3; ++i)
    gateways_[i]->Load("a", 10 * (i + 1), 100, milliseconds(300), Ceiling(9));
  Run(seconds(5));
  int64_t before[3];
  for (int i = 0; i < 3; ++i) before[i] = Started(i);
  const Use use = Watch(seconds(120));
  EXPECT_LE(use.most, 9 + 2);
  EXPECT_LE(use.mean, 9.0);
  EXPECT_GE(use.mean, 8.5);
  int64_t started[3];
  for (int i = 0; i < 3; ++i) started[i] = Started(i) - before[i];
  const auto all = static_cast<double>(started[0] + started[1] + started[2]);
  for (int i = 0; i < 3; ++i) EXPECT_NEAR(started[i] / all, (i + 1) / 6.0, 0.03) << i;
}

// What each would take if it did not know of the others.
TEST_F(HeldTest, WithoutAWordEachHasTheCeiling) {
  network_.set_lost(1);
  for (int i = 0; i < 3; ++i) Add(100).Load("a", 20, 100, milliseconds(300), Ceiling(9));
  EXPECT_EQ(Watch(seconds(5)).most, 27);
}

TEST_F(HeldTest, WithOnePlaceNobodyStarves) {
  network_.set_late(milliseconds(3));
  for (int i = 0; i < 3; ++i) Add(100).Load("a", 5, 100, milliseconds(100), Ceiling(1));
  Run(seconds(1));
  const Use use = Watch(seconds(60));
  EXPECT_LE(use.most, 2);
  EXPECT_LE(use.mean, 1.02);
  EXPECT_GE(use.mean, 0.8);
  const int64_t all = Started(0) + Started(1) + Started(2);
  for (int i = 0; i < 3; ++i) EXPECT_GT(Started(i), all / 4) << i;
}

TEST_F(HeldTest, LostWordsMakeItNoWorseThanForAMoment) {
  network_.set_late(milliseconds(10));
  network_.set_lost(0.05);
  for (int i = 0; i < 3; ++i) Add(100).Load("a", 10, 100, milliseconds(300), Ceiling(9));
  Run(seconds(1));
  const Use use = Watch(seconds(60));
  EXPECT_LE(use.mean, 9 * 1.05);
  EXPECT_GE(use.mean, 8.0);
  EXPECT_LE(use.most, 9 + 6);
}

TEST_F(HeldTest, ACeilingOfTokensHoldsToo) {
  for (int i = 0; i < 2; ++i) {
    Add(100).Load("a", 10, 1000, milliseconds(200),
                  {.weight = 1, .requests_max = std::nullopt, .tokens_max = 5000});
  }
  Run(seconds(1));
  const Use use = Watch(seconds(30));
  // Of about 1000 tokens each, and what it goes on by is what it does not reach yet.
  EXPECT_LE(use.most, 7);
  EXPECT_GE(use.mean, 4.0);
  EXPECT_NEAR(static_cast<double>(Started(0)) / static_cast<double>(Started(1)), 1, 0.15);
}

TEST_F(HeldTest, WhoDiesGivesItsPlacesBack) {
  TestGateway& dying = Add(100);
  TestGateway& other = Add(100);
  dying.Load("a", 20, 100, seconds(1000), Ceiling(4));
  Run(milliseconds(100));
  ASSERT_EQ(dying.in_flight("a"), 4);
  other.Load("a", 20, 100, milliseconds(100), Ceiling(4));
  Run(seconds(2));
  EXPECT_EQ(other.started("a"), 0);
  network_.Remove(dying.topic());
  gateways_[0] = nullptr;
  Run(milliseconds(1));
  EXPECT_EQ(other.in_flight("a"), 4);
}

// It claims the oldest place and cannot take it, as its pool is full.
TEST_F(HeldTest, WhoHasNoRoomClaimsNothing) {
  TestGateway& full = Add(0);
  TestGateway& other = Add(100);
  full.Load("a", 20, 100, milliseconds(100), Ceiling(4));
  Run(milliseconds(500));
  other.Load("a", 20, 100, milliseconds(100), Ceiling(4));
  Run(seconds(1));
  const Use use = Watch(seconds(10));
  EXPECT_GT(use.mean, 3.95);
  EXPECT_EQ(full.started("a"), 0);
}

// It has hung with a claim in the others' ears, and its connection is not given up yet.
TEST_F(HeldTest, AClaimOfOneThatHangsHoldsNobodyUpForLong) {
  TestGateway& hanging = Add(100);
  TestGateway& other = Add(100);
  other.Load("a", 20, 100, milliseconds(300), Ceiling(1));
  Run(milliseconds(50));
  hanging.Load("a", 1, 100, milliseconds(100), Ceiling(1));
  Run(milliseconds(100));
  ASSERT_EQ(hanging.in_flight("a") + hanging.started("a"), 0);
  other.Load("a", 0, 100, milliseconds(300), Ceiling(1));
  network_.Hang(hanging.topic(), true);
  hanging.set_places(0);
  int64_t longest = 0;
  int64_t idle = 0;
  Run(seconds(5), [&] {
    idle = other.in_flight("a") == 0 && other.queue().waiting() > 0 ? idle + 1 : 0;
    longest = std::max(longest, idle);
  });
  EXPECT_GT(other.started("a"), 10);
  EXPECT_LE(longest, 110);
}

TEST_F(HeldTest, WhatOthersHaveIsShownAsTheCeiling) {
  TestGateway& a = Add(100);
  TestGateway& b = Add(100);
  a.Load("a", 20, 100, seconds(100), Ceiling(4));
  Run(milliseconds(100));
  b.Load("a", 1, 100, seconds(100), Ceiling(4));
  Run(milliseconds(100));
  const RequestQueue::View view = b.queue().Look();
  ASSERT_EQ(view.tenants.size(), 1u);
  EXPECT_TRUE(view.tenants[0].is_at_ceiling);
  EXPECT_EQ(view.tenants[0].in_flight_requests, 0);
}

TEST_F(HeldTest, WithoutACeilingNothingIsTold) {
  TestGateway& a = Add(2);
  Add(2);
  a.Load("a", 20, 100, milliseconds(100));
  Run(milliseconds(50));
  std::string bytes;
  MessageWriter writer(&bytes);
  a.topic().Tell(clock_.Now(), false, &writer);
  writer.End();
  EXPECT_EQ(bytes, "");
}

// One gateway that hears words that are written out.
class HeardTest : public testing::Test {
 protected:
  HeardTest() {
    queue_->SetPool({}, [this](TimePoint, int64_t) { return room_; });
  }
  ~HeardTest() override { queue_->Close(); }

  static std::string Entry(std::string_view pool, std::string_view tenant, uint64_t requests,
                           uint64_t tokens, uint64_t wait_ms) {
    std::string bytes(1, '\0');
    PutText(pool, &bytes);
    PutText(tenant, &bytes);
    PutVarint(requests, &bytes);
    PutVarint(tokens, &bytes);
    PutVarint(wait_ms, &bytes);
    return bytes;
  }
  void Hear(uint64_t peer, const std::string& payload) {
    ASSERT_TRUE(topic_.Take(peer, payload, clock_.Now()).ok());
  }
  void Tick(Duration time) {
    clock_.Advance(time);
    MessageWriter writer(&told_);
    topic_.Tell(clock_.Now(), false, &writer);
  }
  void Wait(FairQueue::Id id, int64_t ceiling) {
    queue_->Wait({.id = id, .tenant = "a", .terms = Ceiling(ceiling), .tokens = 10, .bytes = 1},
                 [this](Grant grant) { grants_.push_back(std::move(grant)); });
  }

  MetricRegistry registry_;
  Counter& limit_ = registry_.AddCounter("limit", "");
  ManualClock clock_;
  int64_t room_ = 100;
  RequestQueues queues_{clock_};
  std::shared_ptr<RequestQueue> queue_ = queues_.Get(kPool);
  HeldTopic topic_{queues_, 1000, limit_};
  std::string told_;
  std::vector<Grant> grants_;
};

const std::string kBegin(1, '\1');
const std::string kEnd(1, '\2');

TEST_F(HeardTest, APlaceIsLeftToWhoHasWaitedLonger) {
  Hear(1, Entry(kPool, "a", 2, 20, 0));
  Wait(1, 2);
  clock_.Advance(milliseconds(50));
  Hear(1, Entry(kPool, "a", 1, 10, 20));
  EXPECT_EQ(grants_.size(), 1u) << "it has waited longer here";
  Hear(1, Entry(kPool, "a", 1, 10, 90));
  Wait(2, 3);
  EXPECT_EQ(grants_.size(), 1u) << "one of the two is free, and claimed";
  Hear(1, Entry(kPool, "a", 1, 10, 0));
  EXPECT_EQ(grants_.size(), 2u) << "the claim was taken back";
}

TEST_F(HeardTest, AClaimThatIsNotToldAgainEnds) {
  Hear(1, Entry(kPool, "a", 0, 0, 3'600'000));
  Wait(1, 1);
  Tick(milliseconds(100));
  EXPECT_TRUE(grants_.empty());
  Tick(milliseconds(1));
  EXPECT_EQ(grants_.size(), 1u);
}

TEST_F(HeardTest, ThereAreAsManyClaimsAsPeers) {
  for (uint64_t peer = 1; peer <= 3; ++peer) Hear(peer, Entry(kPool, "a", 0, 0, 1000));
  for (FairQueue::Id id = 1; id <= 5; ++id) Wait(id, 4);
  EXPECT_EQ(grants_.size(), 1u);
  topic_.Forget(2, clock_.Now());
  EXPECT_EQ(grants_.size(), 2u);
}

TEST_F(HeardTest, WhatIsMissingInAWholeIsNothing) {
  Hear(1, Entry(kPool, "a", 2, 20, 0) + Entry(kPool, "b", 2, 20, 0));
  Hear(2, Entry(kPool, "a", 1, 10, 0));
  Wait(1, 3);
  Hear(1, kBegin + Entry(kPool, "b", 2, 20, 0));
  EXPECT_TRUE(grants_.empty()) << "it is not whole yet";
  Hear(1, kEnd);
  EXPECT_EQ(grants_.size(), 1u);
}

TEST_F(HeardTest, AClaimIsToldAgainAndOnlyWithRoom) {
  Hear(1, Entry(kPool, "a", 1, 10, 0));
  Wait(1, 1);
  const auto told = [&](Duration time) {
    told_.clear();
    Tick(time);
    return !told_.empty();
  };
  EXPECT_TRUE(told(milliseconds(5)));
  EXPECT_FALSE(told(milliseconds(5)));
  EXPECT_FALSE(told(milliseconds(40)));
  EXPECT_TRUE(told(milliseconds(5)));
  room_ = 0;
  EXPECT_TRUE(told(milliseconds(5))) << "it is taken back";
  EXPECT_FALSE(told(milliseconds(100)));
  room_ = 1;
  EXPECT_TRUE(told(milliseconds(5)));
}

// The queue was made after it was told: the next whole says it again.
TEST_F(HeardTest, AQueueThatComesLaterIsToldWithTheNextWhole) {
  const std::string other = "default/other";
  Hear(1, Entry(other, "a", 1, 10, 0));
  const auto queue = queues_.Get(other);
  queue->SetPool({}, [](TimePoint, int64_t) { return int64_t{10}; });
  Hear(1, kBegin + Entry(other, "a", 1, 10, 0) + kEnd);
  EXPECT_FALSE(queue->Pass({.id = 1, .tenant = "a", .terms = Ceiling(1), .tokens = 1, .bytes = 1},
                           [](int64_t) { return int64_t{10}; }));
}

TEST_F(HeardTest, OfMoreTenantsThanMayBeToldAtOnceEachHasItsTurn) {
  HeldTopic topic(queues_, 10, limit_);
  HeldTopic heard(queues_, 1000, limit_);
  std::vector<std::optional<Grant>> grants;
  for (int i = 0; i < 25; ++i) {
    const std::string tenant = std::to_string(i);
    grants.push_back(
        queue_->Pass({.id = 1, .tenant = tenant, .terms = Ceiling(2), .tokens = 1, .bytes = 1},
                     [](int64_t) { return int64_t{100}; }));
  }
  size_t entries = 0;
  for (const bool whole : {true, true, false, false, false}) {
    std::string bytes;
    MessageWriter writer(&bytes);
    topic.Tell(clock_.Now(), whole, &writer);
    writer.End();
    std::string_view left = bytes;
    for (size_t at = 0; (at = left.find(kPool, at)) != std::string_view::npos; ++at) ++entries;
  }
  // Once, and again for what was asked for while the first was under way.
  EXPECT_GE(entries, 25u + 10u);
  EXPECT_GE(limit_.value(), 4u);
}

TEST_F(HeardTest, WhatIsMalformedIsRefusedWithAReason) {
  const auto why = [&](const std::string& payload) {
    return std::string(topic_.Take(1, payload, clock_.Now()).message());
  };
  const std::string name(kNameMax + 1, 'x');
  const std::string whole = Entry(kPool, "a", 1, 2, 3);
  EXPECT_EQ(why(whole), "");
  EXPECT_EQ(why("\3"), "malformed held: entry");
  EXPECT_EQ(why(Entry(name, "a", 1, 2, 3)), "malformed held: pool");
  EXPECT_EQ(why(Entry(kPool, name, 1, 2, 3)), "malformed held: tenant");
  EXPECT_EQ(why(Entry(kPool, "a", uint64_t{1} << 33, 2, 3)), "malformed held: in flight");
  EXPECT_EQ(why(Entry(kPool, "a", 1, uint64_t{1} << 49, 3)), "malformed held: in flight");
  EXPECT_EQ(why(Entry(kPool, "a", 1, 2, uint64_t{1} << 40)), "malformed held: wait");
  for (size_t length = 1; length < whole.size(); ++length) {
    EXPECT_NE(why(whole.substr(0, length)), "") << length;
  }
}

TEST_F(HeardTest, NoSumOverflows) {
  for (uint64_t peer = 1; peer <= 64; ++peer) {
    Hear(peer, Entry(kPool, "a", uint64_t{1} << 32, uint64_t{1} << 48, 604'800'000));
  }
  Wait(1, std::numeric_limits<int64_t>::max());
  EXPECT_EQ(grants_.size(), 1u) << "the ceiling is higher yet";
  Wait(2, 1);
  EXPECT_EQ(grants_.size(), 1u);
  for (uint64_t peer = 1; peer <= 64; ++peer) topic_.Forget(peer, clock_.Now());
  // What ends lets others go meanwhile.
  std::vector<Grant> ended = std::exchange(grants_, {});
  ended.clear();
  EXPECT_EQ(grants_.size(), 1u);
}

}  // namespace
}  // namespace gw::peers
