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
  const TimePoint begin_{seconds(1000)};
  EndpointState a_{0};
  EndpointState b_{1};
  PoolMemory memory_;
};

TEST_F(PoolMemoryTest, KnowsLittleAtFirst) {
  EXPECT_FLOAT_EQ(memory_.prefill_tokens_per_second(), 10'000);
  EXPECT_FLOAT_EQ(memory_.OutputTokens("m"), 256);
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
