#include "flowcontrol/request_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <thread>

#include "base/random.h"

namespace gw {
namespace {

using Id = RequestQueue::Id;

class RequestQueueTest : public testing::Test {
 protected:
  void SetUp() override {
    queue_ = std::make_shared<RequestQueue>(clock_);
    SetRoom(0);
  }
  // Turns that end with the test bring no further ones about.
  void TearDown() override { room_ = -1'000'000; }
  void SetRoom(int64_t room) {
    room_ = room;
    queue_->SetPool(options_, [this](TimePoint, int64_t kept) { return Room(kept); });
  }
  int64_t Room(int64_t kept_free) const { return room_ - in_flight_ - kept_free; }
  FairQueue::Request Ask(Id id, int priority = 0, std::string_view tenant = "a") {
    return {.id = id, .priority = priority, .tenant = tenant, .tokens = 10, .bytes = 100};
  }
  std::optional<Grant> Pass(const FairQueue::Request& request) {
    return queue_->Pass(request, [this](int64_t kept_free) { return Room(kept_free); });
  }
  FairQueue::Refused Wait(const FairQueue::Request& request) {
    return queue_->Wait(request, [this, id = request.id](Grant grant) {
      order_.push_back(id);
      grants_.emplace(id, std::move(grant));
    });
  }
  void Dispatch(Id id) {
    ++in_flight_;
    grants_.at(id).Dispatched();
  }
  void End(Id id) {
    --in_flight_;
    grants_.at(id).End(10);
    grants_.erase(id);
  }

  ManualClock clock_;
  QueueOptions options_;
  std::shared_ptr<RequestQueue> queue_;
  int64_t room_ = 0;
  int64_t in_flight_ = 0;
  std::vector<Id> order_;
  std::map<Id, Grant> grants_;
};

TEST_F(RequestQueueTest, WithRoomNobodyWaits) {
  SetRoom(1);
  std::optional<Grant> grant = Pass(Ask(1));
  ASSERT_TRUE(grant);
  EXPECT_TRUE(grant->held());
  EXPECT_EQ(queue_->waiting(), 0u);
}

// A burst: none of them is in any sample yet.
TEST_F(RequestQueueTest, WhatIsGrantedAndNotDispatchedTakesRoom) {
  SetRoom(2);
  std::optional<Grant> first = Pass(Ask(1));
  std::optional<Grant> second = Pass(Ask(2));
  EXPECT_TRUE(first && second);
  EXPECT_FALSE(Pass(Ask(3)));
  first->End(std::nullopt);
  EXPECT_TRUE(Pass(Ask(4)));
}

TEST_F(RequestQueueTest, ADispatchIsCountedByItsEndpointFromThenOn) {
  SetRoom(2);
  std::optional<Grant> first = Pass(Ask(1));
  ++in_flight_;
  first->Dispatched();
  std::optional<Grant> second = Pass(Ask(2));
  EXPECT_TRUE(second);
  EXPECT_FALSE(Pass(Ask(3)));
}

TEST_F(RequestQueueTest, NobodyPassesWhoWaits) {
  EXPECT_EQ(Wait(Ask(1)), FairQueue::Refused::kNo);
  room_ = 5;  // and nobody has said so yet
  EXPECT_FALSE(Pass(Ask(2)));
  queue_->OnRoom();
  EXPECT_EQ(order_, std::vector<Id>{1});
}

TEST_F(RequestQueueTest, RoomThatCameWhileItWasAskedForIsNotMissed) {
  EXPECT_FALSE(Pass(Ask(1)));
  room_ = 1;
  Wait(Ask(1));
  EXPECT_EQ(order_, std::vector<Id>{1});
}

TEST_F(RequestQueueTest, AnEndMakesRoomForTheBest) {
  SetRoom(1);
  Wait(Ask(1));
  Dispatch(1);
  Wait(Ask(2, -1));
  Wait(Ask(3, 0));
  Wait(Ask(4, 1));
  EXPECT_EQ(order_, std::vector<Id>{1});
  End(1);
  Dispatch(4);
  End(4);
  Dispatch(3);
  End(3);
  EXPECT_EQ(order_, (std::vector<Id>{1, 4, 3, 2}));
}

TEST_F(RequestQueueTest, ReservedPlacesAreOfAPriorityAndThoseAboveIt) {
  options_.reserved = {{1, 2}, {5, 1}};
  SetRoom(4);
  std::optional<Grant> first = Pass(Ask(1, 0));
  EXPECT_TRUE(first);
  EXPECT_FALSE(Pass(Ask(2, 0))) << "three are kept free, and one has its turn";
  Wait(Ask(2, 0));
  Wait(Ask(3, 0));
  EXPECT_TRUE(order_.empty());
  Wait(Ask(4, 1));  // before those that wait, whom there is no room for
  Wait(Ask(5, 4));
  EXPECT_EQ(order_, (std::vector<Id>{4, 5}));
  Wait(Ask(6, 4));
  EXPECT_EQ(order_.size(), 2u) << "the last one is of priority 5";
  Wait(Ask(7, 5));
  EXPECT_EQ(order_, (std::vector<Id>{4, 5, 7}));
  EXPECT_EQ(queue_->Look().tenants[0].priority, 5);
  EXPECT_FALSE(queue_->Look().tenants[0].has_room);
  SetRoom(6);
  EXPECT_EQ(order_, (std::vector<Id>{4, 5, 7, 6}));
  EXPECT_TRUE(queue_->Look().tenants[0].has_room);
  EXPECT_FALSE(queue_->Look().tenants[1].has_room);
  SetRoom(10);
  EXPECT_EQ(order_, (std::vector<Id>{4, 5, 7, 6, 2, 3}));
}

TEST_F(RequestQueueTest, AShareThatIsOwedDoesNotBlockReservedPlaces) {
  options_.shares = {{-1, 0.9}};
  options_.reserved = {{0, 1}};
  SetRoom(1);
  for (Id id = 1; id <= 3; ++id) Wait(Ask(id, -1));
  for (Id id = 4; id <= 6; ++id) Wait(Ask(id, 0));
  for (const Id id : {4, 5}) {
    EXPECT_EQ(order_.back(), id);
    Dispatch(id);
    End(id);
  }
  EXPECT_EQ(order_, (std::vector<Id>{4, 5, 6})) << "what it is owed is not reserved for it";
  SetRoom(3);
  EXPECT_EQ(order_, (std::vector<Id>{4, 5, 6, 1}));
}

TEST_F(RequestQueueTest, AGrantThatIsDroppedIsGivenBack) {
  SetRoom(1);
  Wait(Ask(1));
  Wait(Ask(2));
  EXPECT_EQ(order_, std::vector<Id>{1});
  grants_.extract(1);  // not erase: it brings another one in
  EXPECT_EQ(order_, (std::vector<Id>{1, 2}));
}

TEST_F(RequestQueueTest, WhoLeavesIsNotAnswered) {
  Wait(Ask(1));
  Wait(Ask(2));
  EXPECT_TRUE(queue_->Leave(1));
  EXPECT_FALSE(queue_->Leave(1));
  SetRoom(5);
  EXPECT_EQ(order_, std::vector<Id>{2});
  EXPECT_FALSE(queue_->Leave(2));
}

TEST_F(RequestQueueTest, MoreThanMayWaitAreRefused) {
  options_.requests_max = 1;
  SetRoom(0);
  EXPECT_EQ(Wait(Ask(1)), FairQueue::Refused::kNo);
  EXPECT_EQ(Wait(Ask(2)), FairQueue::Refused::kRequests);
  EXPECT_EQ(Wait(Ask(3, 1)), FairQueue::Refused::kNo);  // each priority has its own
  options_ = {.bytes_max = 150};
  SetRoom(0);
  EXPECT_EQ(Wait(Ask(4)), FairQueue::Refused::kBytes);
}

TEST_F(RequestQueueTest, APoolThatGoesLetsAllGo) {
  FairQueue::Request limited = Ask(1);
  limited.terms.requests_max = 1;
  SetRoom(1);
  Wait(limited);
  limited.id = 2;
  Wait(limited);  // its tenant's ceiling is reached
  Wait(Ask(3));
  queue_->Close();
  EXPECT_EQ(order_.size(), 3u);
  EXPECT_EQ(queue_->waiting(), 0u);
  EXPECT_TRUE(Pass(Ask(4)));
  Wait(Ask(5));
  EXPECT_EQ(order_.back(), 5u);
}

// An answer that brings the next one about, as a try that fails at once does.
TEST_F(RequestQueueTest, AnAnswerMayEndItsTurnAtOnce) {
  int answered = 0;
  options_.requests_max = 10'000;
  SetRoom(0);
  for (Id id = 1; id <= 10'000; ++id) {
    queue_->Wait(Ask(id), [&](Grant grant) {
      ++answered;
      grant.Dispatched();
      grant.End(std::nullopt);
    });
  }
  SetRoom(1);
  EXPECT_EQ(answered, 10'000);
}

TEST_F(RequestQueueTest, TheWaitIsToldByHowFastItDrains) {
  EXPECT_FALSE(queue_->ExpectedWait(0));
  SetRoom(1);
  for (Id id = 1; id <= 100; ++id) {
    std::optional<Grant> grant = Pass(Ask(id));
    ASSERT_TRUE(grant);
    clock_.Advance(std::chrono::milliseconds(100));
  }
  SetRoom(0);
  for (Id id = 101; id < 120; ++id) Wait(Ask(id));
  ASSERT_TRUE(queue_->ExpectedWait(0));
  EXPECT_NEAR(ToSeconds(*queue_->ExpectedWait(0)), 20 / 10.0, 0.3);
  EXPECT_NEAR(ToSeconds(*queue_->ExpectedWait(1)), 1 / 10.0, 0.03);
}

TEST_F(RequestQueueTest, LooksAtWhatThereIs) {
  Wait(Ask(1, 0, "a"));
  Wait(Ask(2, 0, "b"));
  Wait(Ask(3, 1, "a"));
  const RequestQueue::Ahead ahead = queue_->AheadOf(Ask(4, 0, "a"));
  EXPECT_EQ(ahead.higher, 1u);
  EXPECT_EQ(ahead.others, 1u);
  EXPECT_EQ(ahead.own, 1u);
  const RequestQueue::View view = queue_->Look();
  EXPECT_EQ(view.waiting, 3u);
  EXPECT_EQ(view.waiting_bytes, 300u);
  EXPECT_EQ(view.tenants.size(), 3u);
  EXPECT_EQ(view.room, 0);
}

// From all sides at once: nobody is lost, nobody is answered twice, the room is kept.
TEST(RequestQueueThreads, NobodyIsLostOrAnsweredTwice) {
  constexpr int kThreads = 4;
  constexpr Id kEach = 5'000;
  constexpr int64_t kRoom = 7;
  std::atomic<int64_t> in_flight{0};
  std::atomic<int64_t> most{0};
  std::atomic<uint64_t> served{0};
  std::atomic<uint64_t> left{0};
  const auto queue = std::make_shared<RequestQueue>(RealClock());
  QueueOptions options;
  options.requests_max = kThreads * kEach;
  queue->SetPool(options, [&](TimePoint, int64_t) { return kRoom - in_flight.load(); });
  const auto serve = [&](Grant grant) {
    const int64_t now = in_flight.fetch_add(1) + 1;
    for (int64_t seen = most.load(); seen < now && !most.compare_exchange_weak(seen, now);) {
    }
    grant.Dispatched();
    in_flight.fetch_sub(1);
    served.fetch_add(1);
    grant.End(10);
  };
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      Random random(static_cast<uint64_t>(t) + 1);
      for (Id i = 0; i < kEach; ++i) {
        const Id id = static_cast<Id>(t) * kEach + i + 1;
        const std::string tenant(1, static_cast<char>('a' + random.Below(5)));
        const FairQueue::Request request{.id = id,
                                         .priority = static_cast<int>(random.Below(3)) - 1,
                                         .tenant = tenant,
                                         .tokens = 10};
        if (auto grant = queue->Pass(request, [&](int64_t) { return kRoom - in_flight.load(); })) {
          serve(*std::move(grant));
          continue;
        }
        ASSERT_EQ(queue->Wait(request, serve), FairQueue::Refused::kNo);
        if (random.Below(4) == 0 && queue->Leave(id)) left.fetch_add(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(served.load() + left.load(), kThreads * kEach);
  EXPECT_EQ(queue->waiting(), 0u);
  EXPECT_EQ(queue->Look().granted, 0);
  EXPECT_LE(most.load(), kRoom);
}

}  // namespace
}  // namespace gw
