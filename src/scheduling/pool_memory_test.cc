#include "scheduling/pool_memory.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/random.h"
#include "scheduling/test_views.h"

namespace gw {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

class PoolMemoryTest : public testing::Test {
 protected:
  // A first token `at` after the beginning, of a prompt that was sent `sent` after it.
  void First(const EndpointState& state, int64_t tokens, Duration sent, Duration at) {
    memory_.OnFirstToken(state, tokens, begin_ + sent, begin_ + at);
  }
  // Makes the group before it a whole one, and adds nothing by itself.
  void Close(const EndpointState& state, Duration at) { First(state, 0, at, at); }
  float rate() const { return memory_.prefill_tokens_per_second(); }

  const TimePoint begin_{seconds(1000)};
  EndpointState a_{0};
  EndpointState b_{1};
  PoolMemory memory_;
};

// The prior: 500 tokens in 50 ms.
constexpr double kSquare = 250'000;
constexpr double kTime = 25;

TEST_F(PoolMemoryTest, KnowsLittleAtFirst) {
  EXPECT_FLOAT_EQ(rate(), 10'000);
  EXPECT_FLOAT_EQ(memory_.OutputTokens("m"), 256);
}

TEST_F(PoolMemoryTest, APromptThatWaitsForNothingTakesFromItsDispatch) {
  First(a_, 4000, seconds(0), milliseconds(200));
  EXPECT_FLOAT_EQ(rate(), 10'000) << "more of the group may come";
  Close(a_, seconds(1));
  EXPECT_NEAR(rate(), (kSquare + 16e6) / (kTime + 4000 * 0.2), 1);
}

TEST_F(PoolMemoryTest, APromptInAQueueTakesFromTheFirstTokenBeforeIt) {
  First(a_, 4000, seconds(0), milliseconds(200));
  First(a_, 2000, milliseconds(10), milliseconds(300));  // 100 ms for 2,000
  First(b_, 1000, seconds(0), milliseconds(310));        // another endpoint's
  Close(a_, seconds(1));
  Close(b_, seconds(1));
  EXPECT_NEAR(rate(),
              (kSquare + 16e6 + 4e6 + 1e6) / (kTime + 4000 * 0.2 + 2000 * 0.1 + 1000 * 0.31), 10);
}

TEST_F(PoolMemoryTest, FirstTokensThatComeTogetherAreOneGroup) {
  First(a_, 1000, milliseconds(50), milliseconds(200));
  First(a_, 1500, milliseconds(20), milliseconds(201));  // the first that was sent
  First(a_, 500, milliseconds(90), milliseconds(202));
  First(a_, 4000, milliseconds(100), milliseconds(402));  // from 202 on
  Close(a_, seconds(1));
  EXPECT_NEAR(rate(), (kSquare + 9e6 + 16e6) / (kTime + 3000 * 0.18 + 4000 * 0.2), 10);
}

TEST_F(PoolMemoryTest, WhatTookSeveralStepsIsNotCounted) {
  First(a_, 8193, seconds(0), seconds(1));
  First(a_, 8192, seconds(0), seconds(2));
  Close(a_, seconds(3));
  EXPECT_NEAR(rate(), (kSquare + 8192.0 * 8192) / (kTime + 8192), 1);
}

TEST_F(PoolMemoryTest, FollowsAChangeOfSpeedInMinutes) {
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

TEST_F(PoolMemoryTest, AnswersAreKnownByModel) {
  for (int i = 0; i < 5000; ++i) {
    memory_.OnEnd(a_, "long", 1000, begin_);
    memory_.OnEnd(a_, "short", 10, begin_);
  }
  EXPECT_NEAR(memory_.OutputTokens("long"), 1000, 1);
  EXPECT_NEAR(memory_.OutputTokens("short"), 10, 1);
  EXPECT_NEAR(memory_.OutputTokens("new"), 505, 5) << "the pool's";
  memory_.OnEnd(a_, "new", 0, begin_);  // nothing came: says nothing
  memory_.OnEnd(a_, "new", -1, begin_);
  EXPECT_NEAR(memory_.OutputTokens("new"), 505, 5);
}

TEST_F(PoolMemoryTest, TheFirstAnswersMoveTheMeanFromItsPrior) {
  memory_.OnEnd(a_, "m", 1156, begin_);
  EXPECT_NEAR(memory_.OutputTokens("m"), 256 + 900.0 / 9, 0.01);
}

TEST_F(PoolMemoryTest, FollowsAnswersThatBecomeLonger) {
  for (int i = 0; i < 20'000; ++i) memory_.OnEnd(a_, "m", 100, begin_);
  for (int i = 0; i < 10'000; ++i) memory_.OnEnd(a_, "m", 500, begin_);
  EXPECT_NEAR(memory_.OutputTokens("m"), 500, 5);
}

TEST_F(PoolMemoryTest, InventedModelsDoNotFillIt) {
  for (int i = 0; i < 10'000; ++i) memory_.OnEnd(a_, "m" + std::to_string(i), 100, begin_);
  EXPECT_NEAR(memory_.OutputTokens("m9999"), 100, 5) << "the pool's";
}

TEST_F(PoolMemoryTest, WindowsHoldThreeMinutes) {
  std::vector<EndpointView> views(3, View({}));
  for (uint32_t i = 0; i < 3; ++i) views[i].slot = i;
  const Candidates candidates(views);
  const auto at = [&](Duration since) {
    std::vector<float> tokens(3, -1.0f);
    memory_.FillWindows(candidates, begin_ + since, tokens);
    return tokens;
  };
  memory_.OnDispatch(a_, 100, begin_);
  memory_.OnDispatch(a_, 50, begin_ + seconds(100));
  memory_.OnEnd(b_, "m", 7, begin_ + seconds(100));
  EXPECT_EQ(at(seconds(100)), (std::vector<float>{150, 7, 0}));
  EXPECT_EQ(at(seconds(179)), (std::vector<float>{150, 7, 0}));
  EXPECT_EQ(at(seconds(180)), (std::vector<float>{50, 7, 0}));
  EXPECT_EQ(at(seconds(280)), (std::vector<float>{0, 0, 0}));
  memory_.OnDispatch(a_, 1, begin_ + seconds(3600));
  EXPECT_EQ(at(seconds(3600)), (std::vector<float>{1, 0, 0}));
}

TEST_F(PoolMemoryTest, ManyThreadsMayTeachIt) {
  std::vector<std::thread> threads;
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    threads.emplace_back([this, seed] {
      Random random(seed);
      for (int i = 0; i < 5000; ++i) {
        const EndpointState& state = random.Below(2) == 0 ? a_ : b_;
        const TimePoint now = begin_ + milliseconds(20 * i);
        memory_.OnDispatch(state, 100, now);
        memory_.OnFirstToken(state, 100, now, now + milliseconds(1 + random.Below(20)));
        memory_.OnEnd(state, "m", 50, now);
        ASSERT_GT(memory_.prefill_tokens_per_second(), 0);
        ASSERT_GT(memory_.OutputTokens("m"), 0);
        memory_.TakeTurn(0);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(memory_.TakeTurn(0), 20'000u);
}

TEST(PoolMemories, OneIsKeptAsLongAsAnybodyHoldsIt) {
  PoolMemories memories;
  std::shared_ptr<PoolMemory> first = memories.Get("a");
  first->TakeTurn(0);
  EXPECT_EQ(memories.Get("a"), first);
  EXPECT_NE(memories.Get("b"), first);
  first = nullptr;
  EXPECT_EQ(memories.Get("a")->TakeTurn(0), 0u) << "another one";
}

}  // namespace
}  // namespace gw
