#include "collect/look_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <vector>

#include "base/random.h"
#include "pool/health.h"

namespace gw {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

TimePoint At(int ms) { return TimePoint(std::chrono::seconds(100) + milliseconds(ms)); }

class LookPlanTest : public testing::Test {
 protected:
  EndpointState& Put(uint32_t id, const NextLook& next = {}) {
    if (states_.size() <= id) states_.resize(id + 1);
    states_[id] = std::make_unique<EndpointState>(id);
    plan_.Put(id, states_[id].get(), next);
    return *states_[id];
  }
  // Who is visited at `ms`; each wants nothing more, and the first `turns` of them have theirs.
  std::vector<uint32_t> Round(int ms, size_t turns = 1000) {
    std::vector<uint32_t> visited;
    plan_.Round(At(ms), [&](uint32_t id) {
      visited.push_back(id);
      return LookPlan::Turn{.had = visited.size() <= turns, .next = next_};
    });
    return visited;
  }

  LookPlan plan_;
  NextLook next_;  // what whoever is visited wants then
  std::vector<std::unique_ptr<EndpointState>> states_;
};

TEST_F(LookPlanTest, WhatIsDueIsVisitedInTheOrderOfTheTimes) {
  Put(0, {.at = At(30)});
  Put(1, {.at = At(10)});
  Put(2, {.at = At(20)});
  Put(3, {.at = At(10)});
  EXPECT_THAT(Round(9), IsEmpty());
  EXPECT_THAT(Round(20), ElementsAre(1, 3, 2));
  EXPECT_THAT(Round(29), IsEmpty());
  EXPECT_THAT(Round(30), ElementsAre(0));
  EXPECT_THAT(Round(1'000'000), IsEmpty());
  EXPECT_EQ(plan_.looks(), 4u);
}

TEST_F(LookPlanTest, WhatIsSetOrRemovedIsNotVisitedAtItsTimeOfBefore) {
  Put(0, {.at = At(10)});
  Put(1, {.at = At(10)});
  plan_.Set(0, {.at = At(20)});
  plan_.Remove(1);
  plan_.Remove(1);
  plan_.Remove(77);
  EXPECT_THAT(Round(10), IsEmpty());
  EXPECT_THAT(Round(20), ElementsAre(0));
}

TEST_F(LookPlanTest, WhoeverWantsToBeVisitedAtOnceIsSoOnceInARound) {
  Put(0, {.at = At(10)});
  next_ = {.at = TimePoint::min()};
  EXPECT_THAT(Round(10), ElementsAre(0));
  EXPECT_THAT(Round(12), ElementsAre(0));
}

TEST_F(LookPlanTest, ThoseLeftOutComeFirstAndInTheirOrder) {
  for (uint32_t id = 0; id < 5; ++id) Put(id, {.at = At(10 - static_cast<int>(id))});
  EXPECT_THAT(Round(10, 0), ElementsAre(4, 3, 2, 1, 0));
  Put(5, {.at = At(0)});
  EXPECT_THAT(Round(12, 2), ElementsAre(4, 3, 2, 5)) << "2 is in vain, and ends their turn";
  EXPECT_THAT(Round(14), ElementsAre(2, 1, 0, 5));
}

TEST_F(LookPlanTest, NewsOfAnEndpointMakeItDueIfItWaitsForThem) {
  const uint8_t all[] = {News::kInUse, News::kEjected, News::kDoubted};
  for (uint32_t i = 0; i < 3; ++i) Put(i, {.sooner_on = all[i]});
  EndpointState& deaf = Put(3);
  EXPECT_THAT(Round(0), IsEmpty());
  for (uint32_t i = 0; i < 3; ++i) states_[i]->in_flight_requests = 1;
  deaf.in_flight_requests = 1;
  EXPECT_THAT(Round(2), ElementsAre(0));
  for (uint32_t i = 0; i < 3; ++i) RecordRefusal(*states_[i], At(2), true);
  EXPECT_THAT(Round(4), ElementsAre(2));
  for (uint32_t i = 0; i < 3; ++i) {
    RecordFailure(*states_[i], At(4), EndpointFailure::kConnectRefused);
  }
  EXPECT_THAT(Round(6), ElementsAre(1));
  EXPECT_THAT(Round(8), IsEmpty()) << "they are told once";
}

TEST_F(LookPlanTest, WhoeverIsLeftOutKeepsItsPlaceWhenItComesIntoUse) {
  next_ = {.sooner_on = News::kInUse | News::kEjected};
  for (uint32_t id = 0; id < 3; ++id) Put(id, {.at = At(0)});
  EXPECT_THAT(Round(0, 0), ElementsAre(0, 1, 2));
  states_[1]->in_flight_requests = 1;
  EXPECT_THAT(Round(2, 0), ElementsAre(0));
  RecordFailure(*states_[2], At(2), EndpointFailure::kConnectRefused);
  EXPECT_THAT(Round(4, 0), ElementsAre(0, 2)) << "which is not the budget's business";
}

TEST_F(LookPlanTest, NewsOfThousandsAreFoundInFewRounds) {
  constexpr uint32_t kCount = 5000;
  for (uint32_t id = 0; id < kCount; ++id) Put(id, {.sooner_on = News::kInUse});
  Random random(1);
  for (int trial = 0; trial < 200; ++trial) {
    const auto id = static_cast<uint32_t>(random.Below(kCount));
    states_[id]->in_flight_requests = 1;
    next_ = {.sooner_on = News::kInUse};
    size_t rounds = 1;
    while (Round(trial).empty()) ASSERT_LE(++rounds, LookPlan::kSweepRounds);
    states_[id]->in_flight_requests = 0;
    plan_.Set(id, next_);
  }
  EXPECT_LE(plan_.looks(), 200u * 2);
}

// The same by looking through everyone, again and again.
class SlowPlan {
 public:
  explicit SlowPlan(size_t count) : targets_(count) {}

  void Put(uint32_t id, const EndpointState* state, const NextLook& next) {
    targets_[id] = {state, next, order_++, false};
  }
  void Set(uint32_t id, const NextLook& next) { Put(id, targets_[id].state, next); }
  void Remove(uint32_t id) { targets_[id] = {}; }
  bool Has(uint32_t id) const { return targets_[id].state != nullptr; }

  template <typename Look>
  void Round(TimePoint now, Look look) {
    for (uint32_t id = 0; id < targets_.size(); ++id) {
      Target& target = targets_[id];
      if (!Has(id) || (News::Of(*target.state) & target.next.sooner_on) == 0) continue;
      const bool is_due = !target.left_out && target.next.at <= now;
      if (is_due) {
        target.next.sooner_on = 0;
      } else {
        Set(id, {.at = now});
      }
    }
    for (int64_t id = FirstLeftOut(); id >= 0 && Visit(id, now, look); id = FirstLeftOut()) {
    }
    for (int64_t id = FirstDue(now); id >= 0; id = FirstDue(now)) Visit(id, now, look);
  }

 private:
  struct Target {
    const EndpointState* state = nullptr;
    NextLook next;
    uint64_t order = 0;
    bool left_out = false;
  };

  template <typename Look>
  bool Visit(int64_t at, TimePoint now, Look& look) {
    const auto id = static_cast<uint32_t>(at);
    const LookPlan::Turn turn = look(id);
    if (turn.had) {
      Set(id, turn.next);
      if (turn.next.at <= now) targets_[id].next.at = now + Duration(1);
      return true;
    }
    if (!targets_[id].left_out) Set(id, turn.next);
    targets_[id].left_out = true;
    targets_[id].next.sooner_on = turn.next.sooner_on & ~News::kInUse;
    return false;
  }
  int64_t FirstLeftOut() const {
    int64_t first = -1;
    for (size_t id = 0; id < targets_.size(); ++id) {
      if (!targets_[id].left_out) continue;
      if (first < 0 || targets_[id].order < targets_[first].order) first = id;
    }
    return first;
  }
  int64_t FirstDue(TimePoint now) const {
    const auto key = [](const Target& target) { return std::pair(target.next.at, target.order); };
    int64_t first = -1;
    for (size_t id = 0; id < targets_.size(); ++id) {
      const Target& target = targets_[id];
      if (!Has(id) || target.left_out || target.next.at > now) continue;
      if (first < 0 || key(target) < key(targets_[first])) first = id;
    }
    return first;
  }

  std::vector<Target> targets_;
  uint64_t order_ = 0;
};

NextLook AnyNext(TimePoint now, Random& random) {
  return {.at = random.Below(8) == 0 ? NextLook::kNever
                                     : now + milliseconds(static_cast<int>(random.Below(30)) - 2),
          .sooner_on = static_cast<uint8_t>(random.Below(8))};
}

void HappenToAny(EndpointState& state, Random& random) {
  state.in_flight_requests = static_cast<int32_t>(random.Below(2));
  state.ever_failed = true;
  state.ejected_until_ns = random.Below(4) == 0 ? 1 : 0;
  state.health_doubted = random.Below(4) == 0;
}

// One round of `plan`, with as many turns as `random` says. Who was visited.
template <typename Plan>
std::vector<uint32_t> VisitsOf(Plan& plan, TimePoint now, Random random) {
  std::vector<uint32_t> visited;
  size_t turns = random.Below(6);
  plan.Round(now, [&](uint32_t id) {
    visited.push_back(id);
    const bool needs_turn = random.Below(3) != 0;
    const bool had = !needs_turn || turns > 0;
    if (needs_turn && had) --turns;
    return LookPlan::Turn{had, AnyNext(now, random)};
  });
  return visited;
}

TEST(LookPlan, VisitsWhomASlowPlanVisits) {
  constexpr uint32_t kCount = 24;
  size_t visits = 0;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    Random random(seed);
    std::vector<std::unique_ptr<EndpointState>> states;
    LookPlan plan;
    SlowPlan slow(kCount);
    const auto put = [&](uint32_t id, TimePoint now) {
      const NextLook next = AnyNext(now, random);
      plan.Put(id, states[id].get(), next);
      slow.Put(id, states[id].get(), next);
    };
    for (uint32_t id = 0; id < kCount; ++id) states.push_back(std::make_unique<EndpointState>(id));
    for (uint32_t id = 0; id < kCount; ++id) put(id, At(0));
    for (int ms = 0; ms < 400; ms += 2) {
      const auto id = static_cast<uint32_t>(random.Below(kCount));
      HappenToAny(*states[random.Below(kCount)], random);
      const uint64_t what = random.Below(8);
      if (what == 0 && slow.Has(id)) {
        plan.Remove(id);
        slow.Remove(id);
      } else if (what == 1 && slow.Has(id)) {
        const NextLook next = AnyNext(At(ms), random);
        plan.Set(id, next);
        slow.Set(id, next);
      } else if (what == 2) {
        put(id, At(ms));
      }
      const Random turns(random.Next());
      const std::vector<uint32_t> expected = VisitsOf(slow, At(ms), turns);
      ASSERT_EQ(VisitsOf(plan, At(ms), turns), expected) << "seed " << seed << ", at " << ms;
      visits += expected.size();
    }
  }
  EXPECT_GT(visits, 20'000u);
}

}  // namespace
}  // namespace gw
