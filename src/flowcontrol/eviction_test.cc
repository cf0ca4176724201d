// RequestQueue ending requests in flight for others.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "base/random.h"
#include "flowcontrol/request_queue.h"

namespace gw {
namespace {

using Id = RequestQueue::Id;
using Stage = Victims::Stage;

int64_t RoomIn(int64_t places) { return std::max<int64_t>(0, places); }

// A pool of some places. Requests of priorities below 0 may be ended for others.
class EvictionTest : public testing::Test {
 protected:
  void SetUp() override {
    queue_ = std::make_shared<RequestQueue>(clock_);
    options_.evict_below = 0;
    SetPlaces(0);
  }
  void TearDown() override { places_ = -1'000'000; }
  void SetPlaces(int64_t places) {
    places_ = places;
    queue_->SetPool(options_, [this](TimePoint, int64_t) { return RoomIn(places_ - in_flight_); });
  }
  FairQueue::Request Ask(Id id, int priority, std::string_view tenant = "a") {
    return {.id = id, .priority = priority, .tenant = tenant, .tokens = 10, .bytes = 100};
  }
  void Wait(const FairQueue::Request& request) {
    ASSERT_EQ(queue_->Wait(request,
                           [this, id = request.id](Grant grant) {
                             grants_.emplace(id, std::move(grant));
                             Dispatch(id);
                           }),
              FairQueue::Refused::kNo);
  }
  void Wait(Id id, int priority) { Wait(Ask(id, priority)); }
  void Dispatch(Id id) {
    ++in_flight_;
    grants_.at(id).Dispatched([this, id](int for_priority) {
      told_.push_back(id);
      for_priority_ = for_priority;
    });
  }
  // That many of priority -1 are in flight: 1, 2, ...
  void Fill(Id count, Stage stage = Stage::kStreams) {
    SetPlaces(static_cast<int64_t>(count));
    for (Id id = 1; id <= count; ++id) {
      Wait(id, -1);
      grants_.at(id).SetStage(stage);
    }
    ASSERT_EQ(in_flight_, places_);
  }
  void End(Id id) {
    --in_flight_;
    auto ended = grants_.extract(id);
    ended.mapped().End(10);
  }
  bool Goes(Id id) const { return grants_.contains(id); }

  ManualClock clock_;
  QueueOptions options_;
  std::shared_ptr<RequestQueue> queue_;
  int64_t places_ = 0;
  int64_t in_flight_ = 0;
  std::vector<Id> told_;
  int for_priority_ = 0;
  std::map<Id, Grant> grants_;  // goes first: what ends may have others told
};

TEST_F(EvictionTest, OneIsEndedForOneThatWaits) {
  Fill(3);
  Wait(10, 1);
  EXPECT_EQ(told_, std::vector<Id>{3}) << "the youngest";
  EXPECT_EQ(for_priority_, 1);
  queue_->OnRoom();
  queue_->OnRoom();
  EXPECT_EQ(told_.size(), 1u) << "its end is under way";
  EXPECT_TRUE(grants_.at(3).GivesWay());
  End(3);
  EXPECT_TRUE(Goes(10));
  EXPECT_EQ(told_.size(), 1u);
}

TEST_F(EvictionTest, WhoWasSentNothingGoesFirst) {
  Fill(3);
  grants_.at(1).SetStage(Stage::kUnsent);
  Wait(10, 0);
  Wait(11, 5);
  EXPECT_EQ(told_, (std::vector<Id>{1, 3}));
  EXPECT_EQ(for_priority_, 5);
}

TEST_F(EvictionTest, OnlyForThoseOfThePriorityAndAbove) {
  Fill(2);
  Wait(10, -1);
  EXPECT_TRUE(told_.empty());
  Wait(11, 0);
  EXPECT_EQ(told_.size(), 1u);
}

TEST_F(EvictionTest, WhoCouldEndOthersIsNotEnded) {
  SetPlaces(1);
  Wait(1, 0);
  Wait(10, 5);
  EXPECT_TRUE(told_.empty());
  End(1);
  EXPECT_TRUE(Goes(10));
}

TEST_F(EvictionTest, NobodyIsEndedWhereThePoolDoesNotSaySo) {
  options_.evict_below.reset();
  Fill(2);
  Wait(10, 5);
  EXPECT_TRUE(told_.empty());
}

TEST_F(EvictionTest, WithRoomNobodyIsEnded) {
  Fill(2);
  ++places_;
  Wait(10, 5);
  EXPECT_TRUE(Goes(10));
  EXPECT_TRUE(told_.empty());
}

// Its place shows with the next page only, or is not enough.
TEST_F(EvictionTest, OneThatWaitsDoesNotEndTwoAtOnce) {
  Fill(3);
  places_ = 1;  // somebody else has come
  Wait(10, 0);
  End(told_.at(0));
  queue_->OnRoom();
  EXPECT_FALSE(Goes(10));
  EXPECT_EQ(told_.size(), 1u);
  Wait(11, 0);
  EXPECT_EQ(told_.size(), 2u) << "of another one that waits";
  End(told_.at(1));
  places_ = 3;
  queue_->OnRoom();
  EXPECT_TRUE(Goes(10) && Goes(11));
  EXPECT_EQ(told_.size(), 2u);
}

// Another client of the endpoint has the place: who waits does not wait on behind low priorities.
TEST_F(EvictionTest, AnotherIsEndedIfThePlaceIsNoRoomAfterAWhile) {
  Fill(3);
  places_ = 1;
  Wait(10, 0);
  End(told_.at(0));
  clock_.Advance(RequestQueue::kEvictAgainAfter - std::chrono::milliseconds(1));
  queue_->OnRoom();
  EXPECT_EQ(told_.size(), 1u);
  clock_.Advance(std::chrono::milliseconds(1));
  queue_->OnRoom();
  EXPECT_EQ(told_.size(), 2u);
  End(told_.at(1));
  places_ = 2;
  queue_->OnRoom();
  EXPECT_TRUE(Goes(10));
  clock_.Advance(10 * RequestQueue::kEvictAgainAfter);
  queue_->OnRoom();
  EXPECT_EQ(told_.size(), 2u);
}

TEST_F(EvictionTest, WhatWasEndedForOneThatHasLeftIsNotCountedAgainstTheNext) {
  Fill(3);
  places_ = 2;
  Wait(10, 0);
  End(told_.at(0));
  EXPECT_FALSE(Goes(10));
  EXPECT_TRUE(queue_->Leave(10));
  Wait(11, 0);
  EXPECT_EQ(told_.size(), 2u);
}

TEST_F(EvictionTest, ItGoesOnIfNobodyWaitsAnyMore) {
  Fill(2);
  Wait(10, 0);
  EXPECT_EQ(told_, std::vector<Id>{2});
  End(1);  // room from elsewhere
  EXPECT_TRUE(Goes(10));
  EXPECT_FALSE(grants_.at(2).GivesWay());
  Wait(11, 0);
  EXPECT_EQ(told_, (std::vector<Id>{2, 2})) << "and may be told again";
  EXPECT_TRUE(grants_.at(2).GivesWay());
  EXPECT_TRUE(queue_->Leave(11));
  EXPECT_FALSE(grants_.at(2).GivesWay());
}

TEST_F(EvictionTest, AnotherGoesInPlaceOfOneWhoseAnswerHasBegunMeanwhile) {
  Fill(2, Stage::kUnsent);
  Wait(10, 0);
  EXPECT_EQ(told_, std::vector<Id>{2});
  grants_.at(2).SetStage(Stage::kFixed);
  EXPECT_FALSE(grants_.at(2).GivesWay());
  EXPECT_EQ(told_, (std::vector<Id>{2, 1}));
  EXPECT_TRUE(grants_.at(1).GivesWay());
}

TEST_F(EvictionTest, OneThatIsToldEndsByItself) {
  Fill(2);
  Wait(10, 0);
  End(2);
  EXPECT_TRUE(Goes(10));
  EXPECT_EQ(told_.size(), 1u);
}

TEST_F(EvictionTest, AGrantThatMovedIsTheSameRequest) {
  Fill(2);
  Grant moved = std::move(grants_.at(2));
  grants_.at(2) = std::move(moved);
  Wait(10, 0);
  EXPECT_EQ(told_, std::vector<Id>{2});
  EXPECT_TRUE(grants_.at(2).GivesWay());
  EXPECT_FALSE(Grant().GivesWay());
}

TEST_F(EvictionTest, OneThatBecomesEvictableWhileAnotherWaitsIsTold) {
  Fill(1, Stage::kFixed);
  Wait(10, 0);
  EXPECT_TRUE(told_.empty());
  grants_.at(1).SetStage(Stage::kUnsent);
  EXPECT_EQ(told_, std::vector<Id>{1});
}

TEST_F(EvictionTest, AChangedPriorityHoldsForThoseInFlight) {
  Fill(2);
  options_.evict_below = -1;
  SetPlaces(2);
  Wait(10, 0);
  EXPECT_TRUE(told_.empty());
  options_.evict_below = 0;
  SetPlaces(2);
  EXPECT_EQ(told_, std::vector<Id>{2});
}

TEST_F(EvictionTest, APoolThatGoesEndsNobody) {
  Fill(2);
  Wait(10, 0);
  queue_->Close();
  EXPECT_TRUE(Goes(10));
  EXPECT_FALSE(grants_.at(2).GivesWay());
  SetPlaces(3);
  Wait(11, 0);
  EXPECT_EQ(told_, (std::vector<Id>{2, 2})) << "it is back, and so is the account";
}

TEST_F(EvictionTest, WhereNobodyServesNobodyIsEnded) {
  Fill(2);
  queue_->SetPool(options_, [](TimePoint, int64_t) { return RequestQueue::kNobodyServes; });
  Wait(10, 0);
  EXPECT_TRUE(told_.empty());
}

// For them room is not what is missing.
TEST_F(EvictionTest, WhoseCeilingIsReachedHasNobodyEnded) {
  FairQueue::Request limited = Ask(10, 0, "limited");
  limited.terms.requests_max = 1;
  Fill(3);
  Wait(limited);
  EXPECT_EQ(told_.size(), 1u);
  limited.id = 11;
  Wait(limited);
  EXPECT_EQ(told_.size(), 1u) << "only one of them may go";
  End(told_.at(0));
  EXPECT_TRUE(Goes(10));
  queue_->OnRoom();
  EXPECT_EQ(told_.size(), 1u);
}

TEST_F(EvictionTest, WhatAShareHasBroughtIsNotEnded) {
  options_.shares = {{-1, 0.5}};
  SetPlaces(1);
  Wait(1, 0);
  Wait(2, -1);
  Wait(3, 0);
  Wait(4, 0);
  Wait(5, 0);
  for (const Id id : {1, 3, 4}) End(id);
  ASSERT_TRUE(Goes(2));
  EXPECT_EQ(queue_->waiting(), 1u) << "it went before one of a higher priority";
  queue_->OnRoom();
  EXPECT_TRUE(told_.empty());
}

// From all sides at once: each worker has requests of its own, some of which it is told to end.
class EvictionThreads : public testing::Test {
 protected:
  static constexpr int kThreads = 4;
  static constexpr Id kEach = 1'000;
  static constexpr size_t kWaitingMax = 20;
  static constexpr int64_t kPlaces = 7;

  // What other threads hand to a worker.
  struct Post {
    std::mutex mutex;
    std::vector<std::pair<Id, Grant>> came;
    std::set<Id> told;
  };
  struct Worker {
    explicit Worker(uint64_t seed) : random(seed) {}
    Post post;
    Random random;
    std::map<Id, Grant> at_work;
  };

  void SetUp() override {
    QueueOptions options;
    options.requests_max = kThreads * kEach;
    options.evict_below = 0;
    queue_->SetPool(options,
                    [this](TimePoint, int64_t) { return RoomIn(kPlaces - in_flight_.load()); });
  }
  void Take(Worker& worker, Id id, Grant grant) {
    in_flight_.fetch_add(1);
    Grant& held = worker.at_work.emplace(id, std::move(grant)).first->second;
    held.Dispatched([&post = worker.post, id](int for_priority) {
      EXPECT_GE(for_priority, 0);
      const std::lock_guard lock(post.mutex);
      post.told.insert(id);
    });
    if (worker.random.Below(2) == 0) held.SetStage(static_cast<Stage>(worker.random.Below(3)));
  }
  void End(Worker& worker, Id id) {
    auto ended = worker.at_work.extract(id);
    in_flight_.fetch_sub(1);
    ended.mapped().End(10);
  }
  // One round of its loop.
  void Look(Worker& worker) {
    std::vector<std::pair<Id, Grant>> came;
    std::set<Id> told;
    {
      const std::lock_guard lock(worker.post.mutex);
      came.swap(worker.post.came);
      told.swap(worker.post.told);
    }
    for (auto& [id, grant] : came) Take(worker, id, std::move(grant));
    for (const Id id : told) {
      const auto at = worker.at_work.find(id);
      if (at == worker.at_work.end() || !at->second.GivesWay()) continue;
      evicted_.fetch_add(1);
      End(worker, id);
    }
    if (worker.at_work.empty() || worker.random.Below(2) == 0) return;
    served_.fetch_add(1);
    End(worker, worker.at_work.begin()->first);
  }
  void Ask(Worker& worker, Id id, int priority) {
    const FairQueue::Request request{.id = id, .priority = priority, .tenant = "a", .tokens = 10};
    if (auto grant = queue_->Pass(request, [&](int64_t) { return kPlaces - in_flight_.load(); })) {
      Take(worker, id, *std::move(grant));
      return;
    }
    if (request.priority >= 0) high_waited_.fetch_add(1);
    const auto answer = [&post = worker.post, id](Grant granted) {
      const std::lock_guard lock(post.mutex);
      post.came.emplace_back(id, std::move(granted));
    };
    ASSERT_EQ(queue_->Wait(request, answer), FairQueue::Refused::kNo);
    if (worker.random.Below(4) == 0 && queue_->Leave(id)) left_.fetch_add(1);
  }
  uint64_t Done() const { return served_.load() + left_.load() + evicted_.load(); }

  std::shared_ptr<RequestQueue> queue_ = std::make_shared<RequestQueue>(RealClock());
  std::atomic<int64_t> in_flight_{0};
  std::atomic<uint64_t> served_{0}, left_{0}, evicted_{0}, high_waited_{0};
};

TEST_F(EvictionThreads, NoMoreAreEndedThanHaveWaited) {
  std::deque<Worker> workers;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) workers.emplace_back(static_cast<uint64_t>(t) + 1);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([this, t, &worker = workers[static_cast<size_t>(t)]] {
      for (Id i = 1; i <= kEach; ++i) {
        // So few of them, and such a short queue, that low ones have places.
        const bool high = worker.random.Below(8) == 0;
        const int priority = high ? static_cast<int>(worker.random.Below(2)) : -1;
        Ask(worker, static_cast<Id>(t) * kEach + i, priority);
        while (queue_->waiting() > kWaitingMax) Look(worker);
        Look(worker);
      }
      while (Done() < kThreads * kEach) Look(worker);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Done(), kThreads * kEach);
  EXPECT_EQ(in_flight_.load(), 0);
  EXPECT_GT(evicted_.load(), 10u);
  EXPECT_LE(evicted_.load(), high_waited_.load());
  EXPECT_EQ(queue_->waiting(), 0u);
  EXPECT_EQ(queue_->Look().granted, 0);
}

}  // namespace
}  // namespace gw
