#include "sim/server/prompt_tokens.h"

#include <gtest/gtest.h>

#include <set>

namespace gw::sim {
namespace {

TEST(PromptTokens, ASegmentIsCutIntoTokensOfFourBytes) {
  PromptTokens tokens;
  tokens.AddSegment("abcdefghi");
  EXPECT_EQ(tokens.size(), 3u);
  tokens.AddSegment("abcd");
  EXPECT_EQ(tokens.size(), 4u);
  tokens.AddSegment("");
  EXPECT_EQ(tokens.size(), 4u);
  tokens.AddTokenId(77);
  EXPECT_EQ(tokens.size(), 5u);
}

TEST(PromptTokens, EqualPrefixesHaveEqualTokens) {
  PromptTokens a;
  a.AddSegment("system");
  a.AddSegment("hello world");
  PromptTokens b;
  b.AddSegment("system");
  b.AddSegment("hello there");
  EXPECT_EQ(a.bytes().substr(0, 12), b.bytes().substr(0, 12));
  EXPECT_NE(a.bytes(), b.bytes());
}

TEST(OutputToken, IsFourLettersThatDependOnSeedAndPlace) {
  std::string first;
  std::string again;
  std::string other;
  for (uint32_t i = 0; i < 50; ++i) {
    AppendOutputToken(1, i, &first);
    AppendOutputToken(1, i, &again);
    AppendOutputToken(2, i, &other);
    ASSERT_EQ(first.size(), (i + 1) * kTokenBytes);
  }
  EXPECT_EQ(first, again);
  EXPECT_NE(first, other);
  EXPECT_NE(first.front(), ' ');
  EXPECT_NE(first.back(), ' ');
}

TEST(OutputToken, TextSentBackHasTheTokensItWasMadeOf) {
  std::string text;
  for (uint32_t i = 0; i < 9; ++i) AppendOutputToken(3, i, &text);
  PromptTokens tokens;
  tokens.AddSegment(text);
  EXPECT_EQ(tokens.size(), 9u);
  EXPECT_EQ(tokens.bytes(), text);
}

TEST(NaturalOutputTokens, AreSixteenTo128) {
  std::set<uint32_t> seen;
  for (uint64_t seed = 0; seed < 5000; ++seed) seen.insert(NaturalOutputTokens(seed));
  EXPECT_EQ(*seen.begin(), 16u);
  EXPECT_EQ(*seen.rbegin(), 128u);
}

}  // namespace
}  // namespace gw::sim
