#include "scheduling/prompt_speeds.h"

#include <gtest/gtest.h>

#include <deque>

#include "base/random.h"

namespace gw {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// What is learned of a pool, prompt by prompt.
class PoolSpeedTest : public testing::Test {
 protected:
  // A first token `at` after the beginning, of a prompt that was sent `sent` after it.
  void First(const EndpointState& state, int64_t tokens, Duration sent, Duration at) {
    speeds_.OnFirstToken(state, tokens, begin_ + sent, begin_ + at);
  }
  // Makes the group before it a whole one, and adds nothing by itself.
  void Close(const EndpointState& state, Duration at) { First(state, 0, at, at); }
  double rate() const { return speeds_.pool(); }

  const TimePoint begin_{seconds(1000)};
  EndpointState a_{0};
  EndpointState b_{1};
  PromptSpeeds speeds_;
};

// The prior: 500 tokens in 50 ms.
constexpr double kSquare = 250'000;
constexpr double kTime = 25;

TEST_F(PoolSpeedTest, APromptThatWaitsForNothingTakesFromItsDispatch) {
  First(a_, 4000, seconds(0), milliseconds(200));
  EXPECT_FLOAT_EQ(rate(), 10'000) << "more of the group may come";
  Close(a_, seconds(1));
  EXPECT_NEAR(rate(), (kSquare + 16e6) / (kTime + 4000 * 0.2), 1);
}

TEST_F(PoolSpeedTest, APromptInAQueueTakesFromTheFirstTokenBeforeIt) {
  First(a_, 4000, seconds(0), milliseconds(200));
  First(a_, 2000, milliseconds(10), milliseconds(300));  // 100 ms for 2,000
  First(b_, 1000, seconds(0), milliseconds(310));        // another endpoint's
  Close(a_, seconds(1));
  Close(b_, seconds(1));
  EXPECT_NEAR(rate(),
              (kSquare + 16e6 + 4e6 + 1e6) / (kTime + 4000 * 0.2 + 2000 * 0.1 + 1000 * 0.31), 10);
}

TEST_F(PoolSpeedTest, FirstTokensThatComeTogetherAreOneGroup) {
  First(a_, 1000, milliseconds(50), milliseconds(200));
  First(a_, 1500, milliseconds(20), milliseconds(201));  // the first that was sent
  First(a_, 500, milliseconds(90), milliseconds(202));
  First(a_, 4000, milliseconds(100), milliseconds(402));  // from 202 on
  Close(a_, seconds(1));
  EXPECT_NEAR(rate(), (kSquare + 9e6 + 16e6) / (kTime + 3000 * 0.18 + 4000 * 0.2), 10);
}

TEST_F(PoolSpeedTest, WhatTookSeveralStepsIsNotCounted) {
  First(a_, 8193, seconds(0), seconds(1));
  First(a_, 8192, seconds(0), seconds(2));
  Close(a_, seconds(3));
  EXPECT_NEAR(rate(), (kSquare + 8192.0 * 8192) / (kTime + 8192), 1);
}

TEST_F(PoolSpeedTest, FollowsAChangeOfSpeedInMinutes) {
  Duration at{};
  const auto run = [&](Duration lasts, Duration each) {
    const Duration until = at + lasts;
    for (; at < until; at += seconds(1)) First(a_, 1000, at, at + each);
  };
  run(minutes(10), milliseconds(50));
  EXPECT_NEAR(rate(), 20'000, 100);
  run(minutes(2), milliseconds(200));
  EXPECT_LT(rate(), 10'000);
  run(minutes(8), milliseconds(200));
  EXPECT_NEAR(rate(), 5'000, 100);
}

// Endpoints that compute one prompt after another, a new one as soon as one is done.
class PromptSpeedsTest : public testing::Test {
 protected:
  EndpointState& state(uint32_t slot) {
    while (states_.size() <= slot) states_.emplace_back(static_cast<uint32_t>(states_.size()));
    return states_[slot];
  }
  // `count` prompts of 500 to 1,500 tokens at about so many tokens per second.
  void Run(uint32_t slot, int count, double rate) {
    TimePoint now = begin_;
    for (int i = 0; i < count; ++i) {
      const auto tokens = static_cast<int64_t>(500 + random_.Below(1000));
      const double noise = 0.8 + static_cast<double>(random_.Below(400)) / 1000;
      const auto took =
          microseconds(static_cast<int64_t>(1e6 * noise * static_cast<double>(tokens) / rate));
      speeds_.OnDispatch(state(slot));
      speeds_.OnFirstToken(state(slot), tokens, now, now + took);
      now += took;
    }
    last_ = std::max(last_, now);
  }
  // Looks at the spread, as each first token does a second after the last time.
  void Look() {
    last_ += seconds(2);
    for (int i = 0; i < 2; ++i, last_ += milliseconds(100)) {
      speeds_.OnFirstToken(state(0), 1, last_, last_ + milliseconds(1));
    }
  }

  TimePoint begin_{seconds(1000)};
  TimePoint last_ = begin_;
  std::deque<EndpointState> states_;
  Random random_{1};
  PromptSpeeds speeds_;
};

TEST_F(PromptSpeedsTest, EqualsHaveOneValue) {
  for (uint32_t slot = 0; slot < 8; ++slot) Run(slot, 20 + static_cast<int>(slot) * 50, 20'000);
  Look();
  EXPECT_FALSE(speeds_.mixed());
  EXPECT_NEAR(speeds_.pool(), 20'000, 1000);
  for (uint32_t slot = 0; slot < 9; ++slot) EXPECT_EQ(speeds_.Of(slot), speeds_.pool());
}

TEST_F(PromptSpeedsTest, HalvesOfWhichOneIsTwiceAsFastHaveTheirOwn) {
  for (uint32_t slot = 0; slot < 8; ++slot) Run(slot, 400, slot < 4 ? 10'000 : 20'000);
  Look();
  ASSERT_TRUE(speeds_.mixed());
  for (uint32_t slot = 0; slot < 8; ++slot) {
    EXPECT_NEAR(speeds_.Of(slot), slot < 4 ? 10'000 : 20'000, 1200) << slot;
  }
}

TEST_F(PromptSpeedsTest, WhoHasShownLittleIsLikeTheMean) {
  for (uint32_t slot = 0; slot < 4; ++slot) Run(slot, 400, slot < 2 ? 10'000 : 20'000);
  Run(4, static_cast<int>(PromptSpeeds::kOwnGroupsMin) - 5, 1000);
  Run(5, static_cast<int>(PromptSpeeds::kOwnGroupsMin) + 10, 10'000);
  Look();
  ASSERT_TRUE(speeds_.mixed());
  EXPECT_NEAR(speeds_.Of(4), 14'000, 1500);
  EXPECT_EQ(speeds_.Of(6), speeds_.Of(4)) << "which nobody has heard of";
  EXPECT_GT(speeds_.Of(5), 10'800) << "on its way";
  EXPECT_LT(speeds_.Of(5), speeds_.Of(4));
}

TEST_F(PromptSpeedsTest, OnesThatBecomeEqualsHaveOneValueAgain) {
  for (uint32_t slot = 0; slot < 4; ++slot) Run(slot, 400, slot < 2 ? 10'000 : 20'000);
  Look();
  ASSERT_TRUE(speeds_.mixed());
  begin_ += minutes(20);
  for (uint32_t slot = 0; slot < 4; ++slot) Run(slot, 400, 20'000);
  Look();
  EXPECT_FALSE(speeds_.mixed());
  EXPECT_NEAR(speeds_.Of(0), 20'000, 1000);
}

TEST_F(PromptSpeedsTest, OneThatIsLongGoneMakesNoPoolMixed) {
  for (uint32_t slot = 0; slot < 4; ++slot) Run(slot, 400, slot < 2 ? 5'000 : 20'000);
  Look();
  ASSERT_TRUE(speeds_.mixed());
  begin_ += std::chrono::hours(1);
  for (uint32_t slot = 2; slot < 4; ++slot) Run(slot, 400, 20'000);
  Look();
  EXPECT_FALSE(speeds_.mixed());
}

// An endpoint that another gateway keeps busy answers late, and is not slow.
TEST_F(PromptSpeedsTest, IntervalsWithOthersPromptsSayNothingOfTheEndpoint) {
  const auto shared_by = [this](auto set) {
    speeds_ = {};
    for (uint32_t slot = 0; slot < 4; ++slot) {
      if (slot < 2) set(state(slot), true);
      Run(slot, 400, slot < 2 ? 8'000 : 20'000);
      if (slot < 2) set(state(slot), false);
    }
    Look();
    return speeds_.mixed();
  };
  EXPECT_TRUE(shared_by([](EndpointState&, bool) {}));
  EXPECT_FALSE(shared_by([](EndpointState& of, bool on) { of.others.prompts = on ? 1 : 0; }));
  EXPECT_FALSE(shared_by([](EndpointState& of, bool on) { of.foreign_requests = on ? 1.0f : 0; }));
}

// They had come and gone between this one's dispatch and its first token.
TEST_F(PromptSpeedsTest, OthersAtTheDispatchCount) {
  for (uint32_t slot = 0; slot < 4; ++slot) Run(slot, 400, 20'000);
  TimePoint now = last_;
  for (int i = 0; i < 400; ++i) {
    state(0).others.prompts = 1;
    speeds_.OnDispatch(state(0));
    state(0).others.prompts = 0;
    speeds_.OnFirstToken(state(0), 1000, now, now + milliseconds(500));
    now += milliseconds(500);
  }
  last_ = now;
  Look();
  EXPECT_FALSE(speeds_.mixed());
}

}  // namespace
}  // namespace gw
