// Tenants that load several gateways, in virtual time: who is served how much over all of them.

#include "peers/turns_topic.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "peers/test_gateways.h"
#include "peers/varint.h"

namespace gw::peers {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class TurnsTest : public TestGateways {
 protected:
  std::unique_ptr<Topic> Make(const RequestQueues& queues, Counter& limit) override {
    return std::make_unique<TurnsTopic>(queues, 1000, limit);
  }
  // Tokens over all gateways.
  double Served(const std::string& tenant) {
    int64_t sum = 0;
    for (const auto& gateway : gateways_) sum += gateway->served(tenant);
    return static_cast<double>(sum);
  }
};

TEST_F(TurnsTest, WhoLoadsTwoGatewaysGetsNoMoreThanWhoLoadsOne) {
  network_.set_late(milliseconds(10));
  TestGateway& a = Add(8);
  TestGateway& b = Add(12);
  a.Load("everywhere", 20, 1000, milliseconds(200));
  b.Load("everywhere", 20, 1000, milliseconds(200));
  b.Load("there", 20, 1000, milliseconds(200));
  Run(seconds(60));
  EXPECT_NEAR(Served("everywhere") / Served("there"), 1, 0.03);
  EXPECT_GT(Served("there"), 60 * 5 * 8 * 1000 * 0.9);
}

// As the one before would be if they did not tell each other.
TEST_F(TurnsTest, WithoutAWordItWouldGetMore) {
  network_.set_lost(1);
  TestGateway& a = Add(8);
  TestGateway& b = Add(12);
  a.Load("everywhere", 20, 1000, milliseconds(200));
  b.Load("everywhere", 20, 1000, milliseconds(200));
  b.Load("there", 20, 1000, milliseconds(200));
  Run(seconds(60));
  EXPECT_GT(Served("everywhere") / Served("there"), 2);
}

TEST_F(TurnsTest, WeightsHoldOverAllAndLongRequestsGetNoMoreThanShortOnes) {
  network_.set_late(milliseconds(10));
  for (int i = 0; i < 3; ++i) {
    TestGateway& gateway = Add(10);
    gateway.Load("heavy", 20, 500, milliseconds(100), {.weight = 3});
    gateway.Load("light", 20, 2000, milliseconds(400));
  }
  gateways_[1]->Load("light", 0, 2000, milliseconds(400));
  Run(seconds(60));
  EXPECT_NEAR(Served("heavy") / Served("light"), 3, 0.1);
}

TEST_F(TurnsTest, LostWordsShiftItByAsMuch) {
  network_.set_lost(0.02);
  TestGateway& a = Add(8);
  TestGateway& b = Add(12);
  a.Load("everywhere", 20, 1000, milliseconds(200));
  b.Load("everywhere", 20, 1000, milliseconds(200));
  b.Load("there", 20, 1000, milliseconds(200));
  Run(seconds(60));
  EXPECT_NEAR(Served("everywhere") / Served("there"), 1, 0.06);
}

// It had the other gateway to itself for an hour: here it waits for a while and not for an hour.
TEST_F(TurnsTest, WhatWasServedElsewhereIsHeldAgainstNobodyForEver) {
  TestGateway& a = Add(100);
  TestGateway& b = Add(4);
  a.Load("rich", 200, 10'000, milliseconds(100));
  b.Load("rich", 20, 1000, milliseconds(100));
  b.Load("poor", 20, 1000, milliseconds(100));
  Run(seconds(60));
  EXPECT_GT(a.served("rich"), 100 * b.served("poor"));
  a.Load("rich", 0, 10'000, milliseconds(100));
  Run(seconds(30));
  const int64_t rich = b.served("rich");
  const int64_t poor = b.served("poor");
  Run(seconds(30));
  EXPECT_NEAR(static_cast<double>(b.served("rich") - rich),
              static_cast<double>(b.served("poor") - poor), 60'000);
}

// A give-back whose charge came before the tenant did is nothing that it could save up.
TEST(TurnsTopic, NobodyIsGivenBackWhatItWasNotCharged) {
  FairQueue queue({});
  for (FairQueue::Id id = 1; id <= 20; ++id) {
    queue.Push({.id = id, .tenant = id % 2 == 0 ? "a" : "b", .tokens = 100, .bytes = 1});
  }
  queue.ServedElsewhere(0, "a", -1'000'000);
  int of_a = 0;
  for (int i = 0; i < 10; ++i) of_a += queue.Pop()->id % 2 == 0;
  EXPECT_EQ(of_a, 5);
  queue.ServedElsewhere(0, "a", 300);
  queue.ServedElsewhere(0, "a", -200);
  of_a = 0;
  for (int i = 0; i < 7; ++i) of_a += queue.Pop()->id % 2 == 0;
  EXPECT_EQ(of_a, 3);
}

TEST(TurnsTopic, WhoHasNothingHereIsNotCharged) {
  FairQueue queue({});
  queue.ServedElsewhere(0, "a", 1000);
  queue.ServedElsewhere(7, "a", 1000);
  for (FairQueue::Id id = 1; id <= 4; ++id) {
    queue.Push({.id = id, .tenant = id % 2 == 0 ? "a" : "b", .tokens = 100, .bytes = 1});
  }
  EXPECT_EQ(queue.Pop()->id, 1u);
  EXPECT_EQ(queue.Pop()->id, 2u);
  EXPECT_EQ(queue.waiting(), 2u);
}

std::string Told(TurnsTopic& topic, TimePoint now, bool whole) {
  std::string bytes;
  MessageWriter writer(&bytes);
  topic.Tell(now, whole, &writer);
  writer.End();
  return bytes;
}

struct Alone {
  MetricRegistry registry;
  Counter& limit = registry.AddCounter("limit", "");
  RequestQueues queues;
  std::shared_ptr<RequestQueue> queue = queues.Get(kPool);

  Alone() {
    queue->SetPool({}, [](TimePoint, int64_t) { return int64_t{1000}; });
  }
  std::optional<Grant> Pass(FairQueue::Id id, std::string_view tenant) {
    return queue->Pass({.id = id, .tenant = tenant, .tokens = 100, .bytes = 1},
                       [](int64_t) { return int64_t{1000}; });
  }
};

TEST(TurnsTopic, TellsWhatIsNewAndNothingOfWhatOthersServed) {
  Alone one;
  TurnsTopic topic(one.queues, 1000, one.limit);
  TimePoint now{seconds(10)};
  // What was served while there was nobody is left out.
  auto first = one.Pass(1, "a");
  EXPECT_EQ(Told(topic, now, true), "");
  auto second = one.Pass(2, "a");
  EXPECT_NE(Told(topic, now += milliseconds(5), false), "");
  EXPECT_EQ(Told(topic, now += milliseconds(5), false), "");
  one.queue->ServedElsewhere(0, "a", 500);
  EXPECT_EQ(Told(topic, now += milliseconds(5), false), "");
  second->End(70);
  EXPECT_NE(Told(topic, now += milliseconds(5), false), "");
}

TEST(TurnsTopic, OfMoreTenantsThanMayBeToldAtOnceEachHasItsTurn) {
  Alone one;
  TurnsTopic topic(one.queues, 10, one.limit);
  TimePoint now{seconds(10)};
  Told(topic, now, true);
  std::vector<std::optional<Grant>> grants;
  for (FairQueue::Id id = 1; id <= 25; ++id) grants.push_back(one.Pass(id, std::to_string(id)));
  for (int i = 0; i < 3; ++i) EXPECT_NE(Told(topic, now += milliseconds(5), false), "") << i;
  EXPECT_EQ(Told(topic, now += milliseconds(5), false), "");
  EXPECT_EQ(one.limit.value(), 2u);
}

TEST(TurnsTopic, WhatIsMalformedIsRefusedWithAReason) {
  Alone one;
  TurnsTopic topic(one.queues, 1000, one.limit);
  const auto entry = [](std::string_view pool, int64_t priority, std::string_view tenant,
                        int64_t tokens) {
    std::string bytes;
    PutText(pool, &bytes);
    PutSigned(priority, &bytes);
    PutText(tenant, &bytes);
    PutSigned(tokens, &bytes);
    return bytes;
  };
  const auto why = [&](const std::string& payload) {
    return std::string(topic.Take(1, payload, TimePoint()).message());
  };
  const std::string whole = entry(kPool, std::numeric_limits<int>::min(), "a", -5);
  EXPECT_EQ(why(whole), "");
  EXPECT_EQ(why(entry("no pool", std::numeric_limits<int>::max(), "a", 5)), "");
  EXPECT_EQ(why(entry(std::string(kNameMax + 1, 'x'), 0, "a", 5)), "malformed turns: pool");
  EXPECT_EQ(why(entry(kPool, int64_t{1} << 31, "a", 5)), "malformed turns: priority");
  EXPECT_EQ(why(entry(kPool, 0, std::string(kNameMax + 1, 'x'), 5)), "malformed turns: tenant");
  EXPECT_EQ(why(entry(kPool, 0, "a", int64_t{1} << 49)), "malformed turns: tokens");
  for (size_t length = 1; length < whole.size(); ++length) {
    EXPECT_NE(why(whole.substr(0, length)), "") << length;
  }
}

}  // namespace
}  // namespace gw::peers
