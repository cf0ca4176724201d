#include "prefix/block_hash.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "base/random.h"

namespace gw {
namespace {

std::vector<uint64_t> Hashes(std::string_view text, uint64_t seed = 1, PrefixOptions options = {}) {
  std::vector<uint64_t> hashes;
  HashBlocks(text, seed, options, &hashes);
  return hashes;
}

size_t SharedBlocks(const std::vector<uint64_t>& a, const std::vector<uint64_t>& b) {
  size_t n = 0;
  while (n < a.size() && n < b.size() && a[n] == b[n]) ++n;
  return n;
}

TEST(HashBlocks, PartialBlockHasNoHash) {
  EXPECT_EQ(Hashes("").size(), 0u);
  EXPECT_EQ(Hashes(std::string(63, 'x')).size(), 0u);
  EXPECT_EQ(Hashes(std::string(64, 'x')).size(), 1u);
  EXPECT_EQ(Hashes(std::string(127, 'x')).size(), 1u);
  EXPECT_EQ(Hashes(std::string(128, 'x')).size(), 2u);
}

TEST(HashBlocks, StopsAtTheMostBlocks) {
  EXPECT_EQ(Hashes(std::string(100, 'x'), 1, {.block_chars = 10, .blocks_max = 3}).size(), 3u);
  EXPECT_EQ(Hashes(std::string(100, 'x'), 1, {.block_chars = 10, .blocks_max = 0}).size(), 0u);
  EXPECT_EQ(Hashes(std::string(4'000'000, 'x'), 1, {}).size(), 62'500u) << "all by default";
}

TEST(PrefixOptions, AllBlocksOfAnySizeAreAllCharacters) {
  EXPECT_EQ(PrefixOptions().chars_max(), SIZE_MAX);
  EXPECT_EQ((PrefixOptions{.block_chars = 65536, .blocks_max = SIZE_MAX / 65536 + 1}).chars_max(),
            SIZE_MAX);
  EXPECT_EQ((PrefixOptions{.block_chars = 64, .blocks_max = 256}).chars_max(), 16384u);
}

TEST(HashBlocks, TextsShareBlocksUpToWhereTheyDiffer) {
  const std::string shared(414, 'a');
  const auto first = Hashes(shared + std::string(500, 'b'));
  const auto second = Hashes(shared + std::string(900, 'c'));
  EXPECT_EQ(SharedBlocks(first, second), 6u);
}

TEST(HashBlocks, EqualBlocksAfterADifferenceAreNotShared) {
  const std::string tail(640, 't');
  const auto first = Hashes(std::string(64, 'a') + tail);
  const auto second = Hashes(std::string(64, 'b') + tail);
  for (size_t i = 0; i < first.size(); ++i) EXPECT_NE(first[i], second[i]) << i;
}

TEST(HashBlocks, RepeatedBlocksHaveDifferentHashes) {
  const auto hashes = Hashes(std::string(64 * 200, 'x'));
  EXPECT_EQ(std::set<uint64_t>(hashes.begin(), hashes.end()).size(), 200u);
}

TEST(HashBlocks, ReplacesWhatTheVectorHeld) {
  std::vector<uint64_t> hashes(10, 7);
  HashBlocks(std::string(64, 'x'), 1, {}, &hashes);
  EXPECT_EQ(hashes, Hashes(std::string(64, 'x')));
}

TEST(BlockHasher, PiecesOfATextHaveTheHashesOfTheText) {
  Random random(5);
  for (int round = 0; round < 500; ++round) {
    std::string text;
    for (uint64_t i = random.Below(2000); i > 0; --i) {
      text += static_cast<char>('a' + random.Below(26));
    }
    const PrefixOptions options = {
        .block_chars = 1 + random.Below(100),
        .blocks_max = random.Below(2) == 0 ? PrefixOptions::kNoLimit : random.Below(20)};
    std::vector<uint64_t> hashes;
    BlockHasher hasher(text.size(), 7, options, &hashes);
    for (std::string_view rest = text; !rest.empty();) {
      const size_t piece = std::min<size_t>(rest.size(), random.Below(150));
      hasher.Add(std::string(rest.substr(0, piece)));  // gone when the next one comes
      rest.remove_prefix(piece);
    }
    ASSERT_EQ(hashes, Hashes(text, 7, options)) << round;
    // By the obvious loop.
    uint64_t hash = 7;
    for (size_t i = 0; i < hashes.size(); ++i) {
      const std::string block = text.substr(i * options.block_chars, options.block_chars);
      hash = Hashes(block, hash, {.block_chars = options.block_chars})[0];
      ASSERT_EQ(hashes[i], hash);
    }
  }
}

TEST(PrefixSeed, DependsOnModelAndSaltAndTellsThemApart) {
  const std::set<uint64_t> seeds = {PrefixSeed("llama", ""),  PrefixSeed("llama", "s"),
                                    PrefixSeed("llama", "t"), PrefixSeed("llamas", ""),
                                    PrefixSeed("", "llama"),  PrefixSeed("", "")};
  EXPECT_EQ(seeds.size(), 6u);
  EXPECT_EQ(PrefixSeed("llama", "s"), PrefixSeed("llama", "s"));
}

TEST(PrefixSeed, SeparatesWholeChains) {
  const std::string text(640, 'x');
  EXPECT_EQ(
      SharedBlocks(Hashes(text, PrefixSeed("base", "")), Hashes(text, PrefixSeed("lora", ""))), 0u);
}

}  // namespace
}  // namespace gw
