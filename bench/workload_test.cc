#include "bench/workload.h"

#include <gtest/gtest.h>

namespace gw::bench {
namespace {

uint32_t Tokens(const std::vector<Part>& parts) {
  uint32_t tokens = 0;
  for (const Part& part : parts) tokens += part.tokens;
  return tokens;
}

TEST(Workload, EachTurnGoesOnFromTheOneBefore) {
  Random random(1);
  const std::vector<Conversation> chats = Chats(4, std::chrono::seconds(20), random);
  ASSERT_GT(chats.size(), 5u);
  const std::vector<Part> first = PromptOf(chats[1], 1, 0);
  const std::vector<Part> second = PromptOf(chats[1], 1, 1);
  EXPECT_EQ(Tokens(first), 2000u);
  EXPECT_EQ(Tokens(second), 3300u);
  EXPECT_EQ(TextOf(first).size(), 8000u);
  EXPECT_EQ(TextOf(second).substr(0, 8000), TextOf(first));
  const std::vector<uint64_t> blocks = BlockNamesOf(second, 16);
  ASSERT_EQ(blocks.size(), 3300u / 16);
  EXPECT_EQ(std::vector(blocks.begin(), blocks.begin() + 2000 / 16), BlockNamesOf(first, 16));
}

TEST(Workload, ChatsShareTheirSystemPromptAndNothingElse) {
  Random random(1);
  const std::vector<Conversation> chats = Chats(4, std::chrono::seconds(20), random);
  const std::vector<uint64_t> one = BlockNamesOf(PromptOf(chats[0], 0, 0), 8);
  const std::vector<uint64_t> other = BlockNamesOf(PromptOf(chats[1], 1, 0), 8);
  for (size_t i = 0; i < one.size(); ++i) EXPECT_EQ(one[i] == other[i], i < 1000 / 8) << i;
}

TEST(Workload, ABlocksNameSaysWhereItsTextIsFrom) {
  const Part a{1, 24};
  const Part b{2, 24};
  // The second block is half of a and half of b.
  EXPECT_NE(BlockNamesOf({a, b}, 16)[1], BlockNamesOf({a, a}, 16)[1]);
  EXPECT_EQ(BlockNamesOf({a, b}, 16)[0], BlockNamesOf({a, a}, 16)[0]);
  EXPECT_NE(BlockNamesOf({a, b}, 16)[2], BlockNamesOf({b, b}, 16)[2]) << "names are chained";
}

TEST(Workload, RequestsComeAsOftenAsWanted) {
  Random random(1);
  const auto requests = SharedPrefixes(20, std::chrono::seconds(1000), random);
  EXPECT_NEAR(static_cast<double>(requests.size()), 20000, 3 * 141);  // of a Poisson process
  EXPECT_EQ(Tokens(PromptOf(requests[7], 7, 0)), 7200u);
}

}  // namespace
}  // namespace gw::bench
