#include "flowcontrol/fair_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace gw {
namespace {

using testing::ElementsAre;

FairQueue::Request Of(FairQueue::Id id, std::string_view tenant, int64_t tokens = 100,
                      int priority = 0) {
  return {.id = id, .priority = priority, .tenant = tenant, .tokens = tokens, .bytes = 10};
}

// All that can be popped; none of it ends.
std::vector<FairQueue::Id> PopAll(FairQueue& queue) {
  std::vector<FairQueue::Id> ids;
  while (const auto next = queue.Pop()) ids.push_back(next->id);
  return ids;
}

TEST(FairQueue, OfOneTenantTheFirstComesFirst) {
  FairQueue queue({});
  EXPECT_EQ(queue.Pop().has_value(), false);
  for (FairQueue::Id id = 1; id <= 4; ++id) queue.Push(Of(id, "a", 100 * static_cast<int>(id)));
  EXPECT_EQ(queue.waiting(), 4u);
  EXPECT_EQ(queue.waiting_bytes(), 40u);
  EXPECT_EQ(queue.Peek(), 1u);
  EXPECT_THAT(PopAll(queue), ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(queue.waiting(), 0u);
  EXPECT_EQ(queue.waiting_bytes(), 0u);
  EXPECT_EQ(queue.Peek(), std::nullopt);
}

TEST(FairQueue, AHigherPriorityIsServedBeforeALowerOneThatCameBefore) {
  FairQueue queue({});
  queue.Push(Of(1, "a", 100, -1));
  queue.Push(Of(2, "b", 100, 0));
  queue.Push(Of(3, "a", 100, 1));
  queue.Push(Of(4, "a", 100, 1));
  EXPECT_EQ(queue.WaitingAtLeast(1), 2u);
  EXPECT_EQ(queue.WaitingAtLeast(0), 3u);
  EXPECT_EQ(queue.WaitingAtLeast(-5), 4u);
  EXPECT_THAT(PopAll(queue), ElementsAre(3, 4, 2, 1));
}

TEST(FairQueue, TenantsAreServedByTokensAndNotByRequests) {
  FairQueue queue({});
  for (FairQueue::Id id = 1; id <= 3; ++id) queue.Push(Of(id, "long", 1000));
  for (FairQueue::Id id = 11; id <= 30; ++id) queue.Push(Of(id, "short", 100));
  std::map<char, int> served;
  for (int i = 0; i < 12; ++i) served[queue.Pop()->id < 10 ? 'l' : 's'] += 1;
  EXPECT_EQ(served['l'], 2);
  EXPECT_EQ(served['s'], 10);
}

TEST(FairQueue, AWeightIsAShare) {
  FairQueue queue({});
  for (FairQueue::Id id = 1; id <= 300; ++id) {
    FairQueue::Request heavy = Of(id, "heavy");
    heavy.terms.weight = 3;
    queue.Push(heavy);
    queue.Push(Of(1000 + id, "light"));
  }
  int heavy = 0;
  for (int i = 0; i < 200; ++i) heavy += queue.Pop()->id < 1000;
  EXPECT_EQ(heavy, 150);
}

// Nobody saves up, and nobody is held to account for what it used while nobody else wanted it.
TEST(FairQueue, WhoComesInBeginsWhereTheOthersAre) {
  FairQueue queue({});
  std::vector<FairQueue::Charge> charges;
  for (FairQueue::Id id = 1; id <= 50; ++id) charges.push_back(*queue.Pass(Of(id, "a")));
  for (FairQueue::Id id = 101; id <= 104; ++id) queue.Push(Of(id, "a"));
  for (FairQueue::Id id = 201; id <= 204; ++id) queue.Push(Of(id, "b"));
  std::map<FairQueue::Id, int> served;
  for (int i = 0; i < 4; ++i) served[queue.Pop()->id / 100] += 1;
  EXPECT_EQ(served[1], 2);
  EXPECT_EQ(served[2], 2);
}

TEST(FairQueue, WhatARequestUsedIsChargedWhenItHasEnded) {
  FairQueue queue({});
  for (FairQueue::Id id = 1; id <= 20; ++id) {
    queue.Push(Of(id, "talks"));
    queue.Push(Of(100 + id, "terse"));
  }
  // Answers of 900 tokens and of none, one request at a time.
  std::map<char, int64_t> used;
  for (int i = 0; i < 22; ++i) {
    FairQueue::Next next = *queue.Pop();
    const bool talks = next.id < 100;
    const int64_t tokens = talks ? 1000 : 100;
    used[talks ? 't' : 's'] += tokens;
    queue.Settle(std::move(next.charge), tokens);
  }
  EXPECT_EQ(used['s'], 2000);
  EXPECT_EQ(used['t'], 2000);
}

TEST(FairQueue, AnAnswersLengthIsExpectedAsItWasLately) {
  FairQueue queue({});
  for (int i = 0; i < 60; ++i) queue.Settle(*queue.Pass(Of(1, "a")), 100 + 400);
  FairQueue::Charge charge = *queue.Pass(Of(2, "a"));
  EXPECT_NEAR(static_cast<double>(charge.tokens()), 500, 1);
  queue.Settle(std::move(charge), std::nullopt);  // was not served: that says nothing of lengths
  charge = *queue.Pass(Of(3, "a"));
  EXPECT_NEAR(static_cast<double>(charge.tokens()), 500, 1);
  queue.Settle(std::move(charge), 100);
}

TEST(FairQueue, ACeilingHoldsItsTenantBackAndNobodyElse) {
  FairQueue queue({});
  const auto limited = [](FairQueue::Id id, int priority = 5) {
    FairQueue::Request request = Of(id, "limited", 100, priority);
    request.terms.requests_max = 2;
    return request;
  };
  FairQueue::Charge first = *queue.Pass(limited(1));
  for (FairQueue::Id id = 2; id <= 4; ++id) queue.Push(limited(id));
  queue.Push(limited(5, 9));
  queue.Push(Of(10, "free"));
  EXPECT_EQ(queue.Pop()->id, 5u);
  EXPECT_FALSE(queue.Pass(limited(6)).has_value());
  EXPECT_EQ(queue.Pop()->id, 10u);  // of a lower priority
  EXPECT_FALSE(queue.Pop().has_value());
  EXPECT_EQ(queue.waiting(), 3u);
  queue.Settle(std::move(first), 100);
  EXPECT_EQ(queue.Pop()->id, 2u);
  EXPECT_FALSE(queue.Pop().has_value());
  // Its newest request says what it may have.
  FairQueue::Request more = limited(7);
  more.terms.requests_max = 4;
  queue.Push(more);
  EXPECT_THAT(PopAll(queue), ElementsAre(3, 4));
}

TEST(FairQueue, ACeilingOfTokensCountsWhatIsInFlight) {
  FairQueue queue({});
  FairQueue::Request request = Of(1, "a", 600);
  request.terms.tokens_max = 1000;
  FairQueue::Charge one = *queue.Pass(request);
  EXPECT_TRUE(queue.Pass(request).has_value());  // it may go above by one request
  EXPECT_FALSE(queue.Pass(request).has_value());
  queue.Settle(std::move(one), 10'000);
  EXPECT_TRUE(queue.Pass(request).has_value());
}

TEST(FairQueue, ABandHasLimitsOfItsOwn) {
  FairQueue queue({.requests_max = 2, .bytes_max = 100});
  EXPECT_EQ(queue.Push(Of(1, "a")), FairQueue::Refused::kNo);
  EXPECT_EQ(queue.Push(Of(2, "b")), FairQueue::Refused::kNo);
  EXPECT_EQ(queue.Push(Of(3, "c")), FairQueue::Refused::kRequests);
  FairQueue::Request large = Of(4, "a", 100, 1);
  large.bytes = 101;
  EXPECT_EQ(queue.Push(large), FairQueue::Refused::kBytes);
  large.bytes = 100;
  EXPECT_EQ(queue.Push(large), FairQueue::Refused::kNo);
  EXPECT_THAT(PopAll(queue), ElementsAre(4, 1, 2));
  EXPECT_EQ(queue.Push(Of(5, "c")), FairQueue::Refused::kNo);
}

TEST(FairQueue, WhoLeavesIsOutOfItWhereverItStood) {
  FairQueue queue({});
  for (FairQueue::Id id = 1; id <= 5; ++id) queue.Push(Of(id, "a"));
  for (FairQueue::Id id : {3, 1, 5}) EXPECT_TRUE(queue.Remove(id));
  EXPECT_FALSE(queue.Remove(3));
  EXPECT_FALSE(queue.Remove(99));
  EXPECT_EQ(queue.waiting_bytes(), 20u);
  EXPECT_THAT(PopAll(queue), ElementsAre(2, 4));
}

TEST(FairQueue, ASmallestShareTricklesOnUnderHigherPriorities) {
  FairQueue queue({.shares = {{-1, 0.1}}});
  FairQueue::Id id = 0;
  for (int i = 0; i < 400; ++i) {
    queue.Push(Of(++id, "interactive", 100, 1));
    queue.Push(Of(1000 + id, "batch", 100, -1));
  }
  int batch = 0;
  for (int i = 0; i < 400; ++i) batch += queue.Pop()->id > 1000;
  EXPECT_NEAR(batch, 40, 1);
  // Nothing is saved up while nothing of it waits.
  while (queue.waiting() > 0) queue.Pop();
  for (int i = 0; i < 100; ++i) queue.Push(Of(++id, "interactive", 100, 1));
  PopAll(queue);
  queue.Push(Of(5001, "batch", 100, -1));
  queue.Push(Of(++id, "interactive", 100, 1));
  EXPECT_EQ(queue.Pop()->id, id);
}

TEST(FairQueue, ATurnSaysItsPriorityAndWhetherAShareHasBroughtIt) {
  FairQueue queue({.shares = {{-1, 0.5}}});
  queue.Push(Of(1, "batch", 100, -1));
  queue.Push(Of(2, "interactive", 100, 1));
  queue.Push(Of(3, "interactive", 100, 1));
  queue.Push(Of(4, "interactive", 100, 1));
  int of_share = 0;
  while (const auto next = queue.Pop()) {
    EXPECT_EQ(next->priority, next->id == 1 ? -1 : 1);
    of_share += next->of_share;
    if (next->of_share) EXPECT_EQ(next->id, 1u);
  }
  EXPECT_EQ(of_share, 1);
  queue.Push(Of(5, "batch", 100, -1));
  EXPECT_FALSE(queue.Pop()->of_share) << "nobody else was there";
}

TEST(FairQueue, CountsThoseThatWaitForNothingButRoom) {
  FairQueue queue({});
  FairQueue::Request limited = Of(1, "limited");
  limited.terms.requests_max = 2;
  for (; limited.id <= 5; ++limited.id) queue.Push(limited);
  queue.Push(Of(11, "a", 100, 3));
  queue.Push(Of(12, "a", 100, -1));
  EXPECT_EQ(queue.ReadyAtLeast(0, 100).count, 3u) << "two of the limited ones may go";
  EXPECT_EQ(queue.ReadyAtLeast(0, 100).highest, 3);
  EXPECT_EQ(queue.ReadyAtLeast(0, 2).count, 2u) << "no more were asked for";
  EXPECT_EQ(queue.ReadyAtLeast(-1, 100).count, 4u);
  EXPECT_EQ(queue.ReadyAtLeast(4, 100).count, 0u);
  queue.Pop();
  queue.Pop();
  EXPECT_EQ(queue.ReadyAtLeast(0, 100).count, 1u);
  EXPECT_EQ(queue.ReadyAtLeast(0, 100).highest, 0);
}

TEST(FairQueue, ACeilingOfTokensCountsAsManyAsItLeaves) {
  FairQueue queue({});
  FairQueue::Request limited = Of(1, "limited");
  limited.terms.tokens_max = 250;
  for (; limited.id <= 5; ++limited.id) queue.Push(limited);
  EXPECT_EQ(queue.ReadyAtLeast(0, 100).count, 3u);
  size_t popped = PopAll(queue).size();
  EXPECT_EQ(popped, 3u);
  EXPECT_EQ(queue.ReadyAtLeast(0, 100).count, 0u);
}

TEST(FairQueue, TenantsAboveTheLimitAreOneToTheOthers) {
  FairQueue queue({.tenants_max = 2});
  for (const char* tenant : {"a", "b", "c", "d", "e"}) queue.Push(Of(tenant[0], tenant));
  std::vector<std::string> names;
  queue.ForEachTenant([&](const FairQueue::TenantView& view) {
    names.push_back(std::string(view.tenant) + ":" + std::to_string(view.waiting));
  });
  EXPECT_THAT(names, ElementsAre("(others):3", "a:1", "b:1"));
}

TEST(FairQueue, TenantsThatAreGoneTakeNoRoom) {
  FairQueue queue({.tenants_max = 4});
  for (int i = 0; i < 1000; ++i) {
    const std::string tenant = std::to_string(i);
    FairQueue::Charge charge = *queue.Pass(Of(1, tenant));
    std::string seen;
    queue.ForEachTenant([&](const FairQueue::TenantView& view) { seen += view.tenant; });
    EXPECT_THAT(seen, testing::HasSubstr(tenant));
    queue.Settle(std::move(charge), 100);
  }
}

}  // namespace
}  // namespace gw
