#include "inference/prompt_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"

namespace gw {
namespace {

std::vector<std::string_view> PiecesOf(const PromptText& text) {
  std::vector<std::string_view> pieces;
  text.ForEachPiece([&](std::string_view piece) { pieces.push_back(piece); });
  return pieces;
}

TEST(PromptText, LongPiecesStayWhereTheyAreAndShortOnesAreJoined) {
  const std::string large(PromptText::kLongPiece, 'x');
  PromptText text;
  text.Add("a");
  text.AddCopy("b");
  text.Add(large);
  text.Add("c");
  text.Add("d");
  const auto pieces = PiecesOf(text);
  EXPECT_THAT(pieces, ::testing::ElementsAre("ab", large, "cd"));
  EXPECT_EQ(pieces[1].data(), large.data());
  EXPECT_EQ(text.size(), large.size() + 4);
  EXPECT_EQ(text.Joined(), "ab" + large + "cd");
  text.Clear();
  EXPECT_EQ(text.size(), 0u);
  EXPECT_THAT(PiecesOf(text), ::testing::IsEmpty());
}

TEST(PromptText, IsTheTextThatWasAddedHoweverItCame) {
  const std::string source(5000, 's');
  Random random(3);
  PromptText text;
  for (int round = 0; round < 200; ++round) {
    std::string expected;
    text.Clear();
    for (uint64_t i = random.Below(30); i > 0; --i) {
      const std::string_view piece =
          std::string_view(source).substr(random.Below(4000), random.Below(1000));
      if (random.Below(3) == 0) {
        text.AddCopy(std::string(piece.size(), 'c'));
        expected += std::string(piece.size(), 'c');
      } else {
        text.Add(piece);
        expected += piece;
      }
    }
    ASSERT_EQ(text.Joined(), expected);
    ASSERT_EQ(text.size(), expected.size());
  }
}

}  // namespace
}  // namespace gw
