#include "scheduling/prompt_speeds.h"

#include <gtest/gtest.h>

#include <deque>

#include "base/random.h"

namespace gw {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

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
  begin_ += std::chrono::minutes(20);
  for (uint32_t slot = 0; slot < 4; ++slot) Run(slot, 400, 20'000);
  Look();
  EXPECT_FALSE(speeds_.mixed());
  EXPECT_NEAR(speeds_.Of(0), 20'000, 1000);
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
