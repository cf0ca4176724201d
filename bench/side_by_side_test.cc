#include "bench/side_by_side.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace gw::bench {
namespace {

// Two replicas for half a minute of chats.
SideBySide Small(int gateways) {
  return {.replica = *sim::FindServerSpec("q32h100"), .replicas = 2, .gateways = gateways};
}

std::vector<Conversation> HalfAMinute() {
  Random random(7);
  return Chats(4, std::chrono::seconds(30), random);
}

TEST(SideBySide, EveryTurnIsAnsweredWhoeverHasIt) {
  const std::vector<Conversation> chats = HalfAMinute();
  for (const int gateways : {1, 2, 4}) {
    EXPECT_EQ(RunSideBySide(Small(gateways), chats).ttfts.size(), 4 * chats.size()) << gateways;
  }
}

TEST(SideBySide, ASeedIsARun) {
  const std::vector<Conversation> chats = HalfAMinute();
  const Measured first = RunSideBySide(Small(2), chats);
  const Measured again = RunSideBySide(Small(2), chats);
  EXPECT_EQ(first.ttfts, again.ttfts);
  EXPECT_EQ(first.cached_tokens, again.cached_tokens);
}

TEST(SideBySide, OneGatewayKnowsWhereAConversationIsAndSeveralDoNot) {
  const std::vector<Conversation> chats = HalfAMinute();
  const Measured one = RunSideBySide(Small(1), chats);
  const Measured four = RunSideBySide(Small(4), chats);
  EXPECT_EQ(one.prompt_tokens, four.prompt_tokens);
  EXPECT_GT(one.cached_tokens, four.cached_tokens);
  // Nobody has a question in its cache before it was asked: 1,000 tokens of 2,000 to 5,900.
  EXPECT_LT(one.cached_tokens, one.prompt_tokens * 3 / 4);
}

TEST(SideBySide, PagesCostAReplicaItsShareHoweverManyReadThem) {
  Random random(7);
  // Never idle.
  const std::vector<Conversation> busy = SharedPrefixes(4, std::chrono::seconds(60), random);
  for (const int gateways : {1, 2, 4}) {
    const SideBySide options = Small(gateways);
    const Measured run = RunSideBySide(options, busy);
    const double share = static_cast<double>(run.pages) * ToSeconds(options.page_time) /
                         (ToSeconds(run.lasted) * options.replicas);
    EXPECT_LT(share, 0.05 * 1.05) << gateways << ": a little above, as each begins with a page";
    EXPECT_GT(share, 0.03) << gateways;
  }
}

TEST(SideBySide, TheWarmUpIsNotCounted) {
  const std::vector<Conversation> chats = HalfAMinute();
  SideBySide options = Small(1);
  options.warm_up = std::chrono::seconds(60);
  const Measured run = RunSideBySide(options, chats);
  EXPECT_GT(run.ttfts.size(), chats.size());
  EXPECT_LT(run.ttfts.size(), 4 * chats.size());
}

}  // namespace
}  // namespace gw::bench
