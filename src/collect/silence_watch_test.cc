#include "collect/silence_watch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace gw {
namespace {

using std::chrono::seconds;

class SilenceWatchTest : public ::testing::Test {
 protected:
  SilenceWatchTest() {
    Follow({"a", "b"});
    Look();
  }
  void Follow(const std::vector<std::string>& names) {
    for (const SilenceWatch::Subject& before : held_) {
      if (!std::count(names.begin(), names.end(), before.name)) watch_.Forget(before.state.get());
    }
    for (const std::string& name : names) {
      held_.push_back({table_.Get(name), "pool", name});
      watch_.Watch(held_.back());
    }
  }
  EndpointState& At(const std::string& name) { return *table_.Get(name); }
  void Look() {
    watch_.Look(clock_.Now(), [this](const auto& subject, uint8_t what, bool begins) {
      told_ += (begins ? "+" : "-") + subject.name + (what == Silence::kMetrics ? "m " : "r ");
    });
  }
  // A second at a time, `b` answering a request in each in no time.
  void Pass(int count, bool b_answers = true) {
    for (int i = 0; i < count; ++i) {
      clock_.Advance(seconds(1));
      if (b_answers) {
        ++At("b").first_bytes;
        At("b").scraped_at_ns = clock_.Now().time_since_epoch().count();
      }
      Look();
    }
  }

  ScrapeOptions options_;
  ManualClock clock_;
  EndpointTable table_;
  std::vector<SilenceWatch::Subject> held_;
  SilenceWatch watch_{options_};
  std::string told_;
};

TEST_F(SilenceWatchTest, ScrapesWithoutAnAnswerWhileAnotherIsReadAreSilence) {
  Pass(2);
  At("a").unanswered_scrapes = 2;
  Pass(2);
  EXPECT_EQ(At("a").silence, 0);
  At("a").unanswered_scrapes = 3;
  Pass(1);
  EXPECT_EQ(At("a").silence, Silence::kMetrics);
  EXPECT_EQ(At("a").silent_since_ns, clock_.Now().time_since_epoch().count());
  EXPECT_EQ(At("b").silence, 0);
  At("a").unanswered_scrapes = 0;
  Pass(1);
  EXPECT_EQ(At("a").silence, 0);
  EXPECT_EQ(At("a").silent_since_ns, 0);
  EXPECT_EQ(told_, "+am -am ");
}

TEST_F(SilenceWatchTest, WhereNobodysPagesAreReadNobodyIsSilent) {
  Pass(2);
  At("a").unanswered_scrapes = 9;
  At("b").unanswered_scrapes = 9;
  Pass(20, false);
  EXPECT_EQ(told_, "");
}

TEST_F(SilenceWatchTest, ARequestThatAwaitsFarLongerThanPeersNeedIsSilence) {
  At("a").awaiting_requests = 1;
  Pass(29);
  EXPECT_EQ(At("a").silence, 0);
  Pass(2);
  EXPECT_EQ(At("a").silence, Silence::kRequests);
  ++At("a").first_bytes;
  Pass(1);
  EXPECT_EQ(At("a").silence, 0);
  EXPECT_EQ(told_, "+ar -ar ");
}

TEST_F(SilenceWatchTest, APeerThatNeedsLongMakesItWaitLonger) {
  At("b").first_byte_ns_longest = Duration(seconds(6)).count();
  At("a").awaiting_requests = 1;
  Pass(59);
  EXPECT_EQ(told_, "");
  Pass(2);
  EXPECT_EQ(told_, "+ar ");
}

TEST_F(SilenceWatchTest, WhatAPeerNeededLongAgoIsForgotten) {
  At("b").first_byte_ns_longest = Duration(seconds(600)).count();
  Pass(125);
  At("a").awaiting_requests = 1;
  Pass(32);
  EXPECT_EQ(told_, "+ar ");
}

TEST_F(SilenceWatchTest, AnEndpointThatAnswersSomethingIsNotSilent) {
  At("a").awaiting_requests = 5;
  for (int i = 0; i < 10; ++i) {
    Pass(25);
    ++At("a").first_bytes;
  }
  EXPECT_EQ(told_, "");
}

TEST_F(SilenceWatchTest, WithoutAPeerThatAnswersThereIsNothingToCompareWith) {
  At("a").awaiting_requests = 1;
  Pass(500, false);
  EXPECT_EQ(told_, "");
  At("b").awaiting_requests = 1;
  Pass(500, false);
  EXPECT_EQ(told_, "");
}

TEST_F(SilenceWatchTest, AnIdleEndpointIsNotSilent) {
  Pass(500);
  EXPECT_EQ(told_, "");
}

TEST_F(SilenceWatchTest, OneThatHasNoRequestLeftIsTriedNowAndThen) {
  At("a").awaiting_requests = 1;
  Pass(31);
  ASSERT_EQ(At("a").silence, Silence::kRequests);
  Pass(60);
  EXPECT_EQ(At("a").silence, Silence::kRequests) << "it has a request that would tell";
  At("a").awaiting_requests = 0;
  Pass(1);
  EXPECT_EQ(At("a").silence, Silence::kRequests | Silence::kTrial);
  At("a").awaiting_requests = 1;
  Pass(32);
  EXPECT_EQ(At("a").silence, Silence::kRequests) << "in vain";
  At("a").awaiting_requests = 0;
  Pass(55);
  EXPECT_EQ(At("a").silence, Silence::kRequests) << "twice the time";
  Pass(6);
  EXPECT_EQ(At("a").silence, Silence::kRequests | Silence::kTrial);
  ++At("a").first_bytes;
  Pass(1);
  EXPECT_EQ(At("a").silence, 0);
  EXPECT_EQ(told_, "+ar -ar ") << "told once";
}

TEST_F(SilenceWatchTest, AnEndpointThatLeavesIsNoLongerSilent) {
  At("a").awaiting_requests = 1;
  Pass(31);
  ASSERT_NE(At("a").silence, 0);
  Follow({"b"});
  EXPECT_EQ(At("a").silence, 0);
  EXPECT_EQ(At("a").silent_since_ns, 0);
}

}  // namespace
}  // namespace gw
