#include "prefix/prompt_names.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace gw {
namespace {

using Names = std::vector<uint64_t>;

// Text that does not repeat itself.
std::string TextOf(size_t chars) {
  std::string text;
  for (uint64_t i = 0; text.size() < chars; ++i) text += std::to_string(i * 2'654'435'761) + " ";
  text.resize(chars);
  return text;
}

PromptNames NamesOf(const std::string& text, size_t block_chars = 64) {
  std::vector<uint64_t> blocks;
  HashBlocks(text, 7, NamedBlocks(block_chars), &blocks);
  PromptNames names;
  names.Take(blocks, block_chars, text.size());
  return names;
}

TEST(PromptNames, AreHashesOfTheLastBlockOfEachStretch) {
  const std::string text = TextOf(3 * 2048 + 2047);
  std::vector<uint64_t> blocks;
  HashBlocks(text, 7, {}, &blocks);
  const PromptNames names = NamesOf(text);
  EXPECT_EQ(names.names, (Names{blocks[31], blocks[63], blocks[95]}));
  EXPECT_EQ(names.stretch_tokens(), 512u);
  EXPECT_FALSE(names.cut) << "the last stretch is not full";
}

TEST(PromptNames, AreEqualAsFarAsTextIs) {
  const std::string text = TextOf(8 * 2048);
  std::string other = text;
  other[3 * 2048 + 100] ^= 1;
  const PromptNames a = NamesOf(text), b = NamesOf(other);
  ASSERT_EQ(a.names.size(), 8u);
  for (size_t i = 0; i < 8; ++i) EXPECT_EQ(a.names[i] == b.names[i], i < 3) << i;
}

TEST(PromptNames, AStretchIsOfWholeBlocksWhateverTheirSize) {
  const std::string text = TextOf(200'000);
  for (const auto& [block_chars, stretch] : std::vector<std::pair<size_t, size_t>>{
           {16, 2048}, {100, 2000}, {2048, 2048}, {5000, 5000}}) {
    const PromptNames names = NamesOf(text, block_chars);
    EXPECT_EQ(names.stretch_chars, stretch);
    EXPECT_EQ(names.names.size(), 200'000 / stretch);
    EXPECT_FALSE(names.cut);
  }
}

TEST(PromptNames, LongPromptsAreCutAndSaySo) {
  const std::string text = TextOf((PromptNames::kNamesMax + 1) * 2048);
  const PromptNames longest = NamesOf(text.substr(0, text.size() - 1));
  EXPECT_EQ(longest.names.size(), PromptNames::kNamesMax);
  EXPECT_FALSE(longest.cut);
  const PromptNames cut = NamesOf(text);
  EXPECT_EQ(cut.names, longest.names);
  EXPECT_TRUE(cut.cut);
}

// A log is read long after it was written, beside those of gateways of other versions.
TEST(PromptNames, AreTheSameEverywhere) {
  std::vector<uint64_t> blocks;
  HashBlocks(std::string(2048, 'a'), PrefixSeed("qwen", ""), NamedBlocks(64), &blocks);
  PromptNames names;
  names.Take(blocks, 64, 2048);
  EXPECT_EQ(names.names, Names{2296191036943464534});
}

}  // namespace
}  // namespace gw
