// Three gateways with a limit as of one, in virtual time, with a network that loses and delays.

#include "peers/use_topic.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "peers/test_network.h"
#include "peers/varint.h"

namespace gw::peers {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr char kTenant[] = "default/alice";
const TimePoint kStart{seconds(1000)};

class Gateway {
 public:
  explicit Gateway(const RateLimits& limits, size_t tenants_max = 1000)
      : meter(meters.Get(kTenant, limits)), topic(meters, tenants_max, limit) {}

  MetricRegistry registry;
  Counter& limit = registry.AddCounter("limit", "");
  RateMeters meters;
  std::shared_ptr<RateMeter> meter;
  UseTopic topic;
};

// Clients that ask each gateway again and again, for a limit of requests and tokens.
class UseTest : public testing::Test {
 protected:
  static constexpr Duration kGather = milliseconds(5);

  void Add(const RateLimits& limits) {
    gateways_.push_back(std::make_unique<Gateway>(limits));
    network_.Add(gateways_.back()->topic);
  }
  // Each gateway is asked each millisecond with that chance, for so many tokens; what a request has
  // used in the end is something else. Returns what was granted, in requests.
  int64_t Run(Duration time, double chance, int64_t tokens = 10) {
    const int64_t before = granted_;
    for (const TimePoint end = now_ + time; now_ < end; now_ += milliseconds(1)) {
      network_.Advance(now_);
      for (const auto& gateway : gateways_) {
        if (gateway == nullptr || random_.Unit() >= chance) continue;
        if (!gateway->meter->Reserve(tokens, now_).admitted()) continue;
        ++granted_;
        const auto used = static_cast<int64_t>(random_.Below(2 * tokens + 1));
        gateway->meter->Settle(tokens, used, now_);
        used_ += used;
      }
    }
    return granted_ - before;
  }

  TimePoint now_ = kStart;
  Random random_{7};
  TestNetwork network_{kGather, 11};
  std::vector<std::unique_ptr<Gateway>> gateways_;
  int64_t granted_ = 0;
  int64_t used_ = 0;
};

constexpr RateLimits kRequests{.requests_per_minute = 6000, .tokens_per_minute = std::nullopt};
constexpr RateLimits kTokens{.requests_per_minute = std::nullopt, .tokens_per_minute = 60'000};

TEST_F(UseTest, OneAloneGrantsAsBefore) {
  Add(kRequests);
  // A minute's worth at once and what it fills by.
  EXPECT_NEAR(static_cast<double>(Run(minutes(1), 0.5)), 12'000, 2);
}

TEST_F(UseTest, ThreeTogetherGrantWhatOneWould) {
  network_.set_late(milliseconds(20));
  for (int i = 0; i < 3; ++i) Add(kRequests);
  EXPECT_NEAR(static_cast<double>(Run(minutes(1), 0.2)), 12'000, 240);
  EXPECT_NEAR(static_cast<double>(Run(minutes(1), 0.2)), 6000, 120);
}

TEST_F(UseTest, AlsoWhenMessagesAreLost) {
  network_.set_late(milliseconds(50));
  network_.set_lost(0.02);
  for (int i = 0; i < 3; ++i) Add(kRequests);
  Run(minutes(1), 0.2);
  for (int minute = 0; minute < 3; ++minute) {
    const auto granted = static_cast<double>(Run(minutes(1), 0.2));
    EXPECT_LE(granted, 6000 * 1.02) << minute;
    EXPECT_GE(granted, 6000 * 0.95) << minute;
  }
}

TEST_F(UseTest, TokensThatAreGivenBackAreGivenBackEverywhere) {
  network_.set_late(milliseconds(20));
  for (int i = 0; i < 3; ++i) Add(kTokens);
  Run(minutes(1), 0.1);
  used_ = 0;
  Run(minutes(2), 0.1);
  EXPECT_NEAR(static_cast<double>(used_), 120'000, 2400);
}

// A thousandth of what it may: no word of another makes it less.
TEST_F(UseTest, WhoUsesLittleIsNeverRefused) {
  network_.set_late(milliseconds(20));
  for (int i = 0; i < 3; ++i) Add({.requests_per_minute = 6000, .tokens_per_minute = 60'000});
  int64_t asked = 0;
  for (int i = 0; i < 60'000; ++i, now_ += milliseconds(1)) {
    network_.Advance(now_);
    if (i % 1000 != 0) continue;
    RateMeter& meter = *gateways_[asked++ % 3]->meter;
    EXPECT_TRUE(meter.Reserve(500, now_).admitted());
    meter.Settle(500, 100, now_);
  }
  for (const auto& gateway : gateways_) {
    EXPECT_GE(gateway->meter->requests(now_)->remaining, 5999);
    EXPECT_GE(gateway->meter->tokens(now_)->remaining, 59'900);
  }
}

TEST_F(UseTest, ASmallLimitHoldsToo) {
  for (int i = 0; i < 3; ++i) Add({.requests_per_minute = 6, .tokens_per_minute = std::nullopt});
  // All three may grant the one that is there within one tick, and then make up for it.
  EXPECT_LE(Run(minutes(10), 0.01), 66 + 2);
  EXPECT_GE(Run(minutes(10), 0.01), 60 - 3);
}

TEST_F(UseTest, OneThatHasJustStartedGrantsNoMinutesWorthAnew) {
  for (int i = 0; i < 3; ++i) Add(kRequests);
  Run(minutes(1), 0.2);
  network_.Remove(gateways_[2]->topic);
  gateways_[2] = std::make_unique<Gateway>(kRequests);
  network_.Add(gateways_[2]->topic);
  EXPECT_LE(Run(minutes(1), 0.2), 6000 * 1.02);
}

TEST_F(UseTest, APartitionGrantsTwiceAndEndsWithIt) {
  for (int i = 0; i < 3; ++i) Add(kRequests);
  Run(minutes(1), 0.2);
  network_.Cut(gateways_[0]->topic, true);
  EXPECT_NEAR(static_cast<double>(Run(minutes(1), 0.2)), 12'000, 240);
  network_.Cut(gateways_[0]->topic, false);
  const auto healed = static_cast<double>(Run(minutes(1), 0.2));
  EXPECT_LE(healed, 6000 * 1.02);
  // What the side with less has is what all have: nothing was forgotten, nothing counted twice.
  EXPECT_GE(healed, 6000 * 0.95);
}

// What one has gathered while nobody was there is long made up for.
TEST_F(UseTest, WhatWasUsedAloneIsNotTakenFromWhoComes) {
  Add(kRequests);
  network_.set_alone_tells(false);
  Run(minutes(10), 0.5);
  Run(seconds(30), 0);
  Add(kRequests);
  Run(milliseconds(100), 0);
  EXPECT_NEAR(gateways_[1]->meter->requests(now_)->remaining, 3000 + 10 + 25, 10);
}

TEST_F(UseTest, ATenantThatIsNotHereIsLeftOut) {
  Add(kRequests);
  Add(kRequests);
  const auto other = gateways_[0]->meters.Get("default/bob", kRequests);
  EXPECT_TRUE(other->Reserve(0, now_).admitted());
  EXPECT_TRUE(gateways_[0]->meter->Reserve(0, now_).admitted());
  Run(seconds(1), 0);
  EXPECT_EQ(gateways_[1]->meters.All().size(), 1u);
}

std::string Told(UseTopic& topic, TimePoint now, bool whole) {
  std::string bytes;
  MessageWriter writer(&bytes);
  topic.Tell(now, whole, &writer);
  writer.End();
  return bytes;
}

TEST(UseTopic, TellsOnlyWhatWasUsed) {
  Gateway gateway(kRequests);
  EXPECT_NE(Told(gateway.topic, kStart, true), "");
  EXPECT_EQ(Told(gateway.topic, kStart + milliseconds(5), false), "");
  ASSERT_TRUE(gateway.meter->Reserve(0, kStart).admitted());
  EXPECT_NE(Told(gateway.topic, kStart + milliseconds(10), false), "");
  EXPECT_EQ(Told(gateway.topic, kStart + milliseconds(15), false), "");
  // Another's use is not told on.
  gateway.meter->UsedElsewhere({.requests = 5, .tokens = 3}, kStart);
  EXPECT_EQ(Told(gateway.topic, kStart + milliseconds(20), false), "");
}

constexpr RateLimits kFew{.requests_per_minute = 6, .tokens_per_minute = std::nullopt};

TEST(UseTopic, OfMoreTenantsThanMayBeToldAtOnceEachHasItsTurn) {
  Gateway gateway(kFew, 10);
  std::vector<std::shared_ptr<RateMeter>> held;
  for (int i = 0; i < 24; ++i) {
    held.push_back(gateway.meters.Get("t" + std::to_string(i), kFew));
  }
  Gateway other(kFew);
  std::vector<std::shared_ptr<RateMeter>> others;
  for (int i = 0; i < 24; ++i) {
    others.push_back(other.meters.Get("t" + std::to_string(i), kFew));
  }
  TimePoint now = kStart;
  const auto tick = [&](bool whole) {
    const std::string bytes = Told(gateway.topic, now += milliseconds(5), whole);
    std::string_view left = bytes;
    for (Message message; !left.empty();) {
      bool is_whole = false;
      ASSERT_TRUE(TakeMessage(&left, &message, &is_whole).ok() && is_whole);
      ASSERT_TRUE(other.topic.Take(1, message.payload, now).ok());
    }
  };
  tick(true);
  for (const auto& meter : held) ASSERT_TRUE(meter->Reserve(0, now).admitted());
  for (int i = 0; i < 4; ++i) tick(false);
  for (const auto& meter : others) EXPECT_EQ(meter->requests(now)->remaining, 5);
  EXPECT_GT(gateway.limit.value(), 0u);
}

TEST(UseTopic, WhatIsMalformedIsRefusedWithAReason) {
  Gateway gateway(kRequests);
  const auto entry = [](uint64_t requests, int64_t tokens, uint64_t levels) {
    std::string bytes;
    PutText(kTenant, &bytes);
    PutVarint(requests, &bytes);
    PutSigned(tokens, &bytes);
    PutVarint(levels, &bytes);
    return bytes;
  };
  const auto why = [&](const std::string& payload) {
    return std::string(gateway.topic.Take(1, payload, kStart).message());
  };
  EXPECT_EQ(why(entry(1, -5, 0)), "");
  EXPECT_EQ(why(std::string(1, '\x7f')), "malformed use: tenant");
  std::string name;
  PutText(std::string(kNameMax + 1, 'x'), &name);
  EXPECT_EQ(why(name), "malformed use: tenant");
  EXPECT_EQ(why(entry(uint64_t{1} << 33, 0, 0)), "malformed use: requests");
  EXPECT_EQ(why(entry(1, int64_t{1} << 49, 0)), "malformed use: tokens");
  EXPECT_EQ(why(entry(1, -(int64_t{1} << 49), 0)), "malformed use: tokens");
  EXPECT_EQ(why(entry(1, 1, 4)), "malformed use: levels");
  EXPECT_EQ(why(entry(1, 1, 1)), "malformed use: levels");
  const std::string whole = entry(3, 4, 0);
  for (size_t length = 1; length < whole.size(); ++length) {
    EXPECT_NE(why(whole.substr(0, length)), "") << length;
  }
}

// As much as can be told, again and again: the wait is long and a number.
TEST(UseTopic, NoSumOverflows) {
  Gateway gateway({.requests_per_minute = 1, .tokens_per_minute = 1});
  std::string bytes;
  PutText(kTenant, &bytes);
  PutVarint(uint64_t{1} << 32, &bytes);
  PutSigned(int64_t{1} << 48, &bytes);
  PutVarint(3, &bytes);
  PutSigned(-(int64_t{1} << 48) * 1000, &bytes);
  PutSigned(-(int64_t{1} << 48) * 1000, &bytes);
  for (int i = 0; i < 10'000; ++i) ASSERT_TRUE(gateway.topic.Take(1, bytes, kStart).ok());
  const RateVerdict verdict = gateway.meter->Reserve(1, kStart);
  EXPECT_FALSE(verdict.admitted());
  EXPECT_GE(verdict.retry_after, std::chrono::hours(24 * 365));
  EXPECT_EQ(gateway.meter->tokens(kStart)->remaining, 0);
  EXPECT_NE(Told(gateway.topic, kStart, true), "");
}

}  // namespace
}  // namespace gw::peers
