#include "bench/load/prose.h"

#include <gtest/gtest.h>

#include <set>

namespace gw::bench {
namespace {

TEST(Prose, EachTokenIsABlankAndThreeLetters) {
  const std::string text = ProseOf(std::vector<Part>{{7, 1000}});
  ASSERT_EQ(text.size(), 4000u);
  std::set<std::string> words;
  for (size_t i = 0; i < text.size(); i += 4) {
    EXPECT_EQ(text[i], ' ') << i;
    words.insert(text.substr(i + 1, 3));
  }
  EXPECT_GT(words.size(), 100u);
  EXPECT_LE(words.size(), 128u);
  for (const std::string& word : words) {
    for (const char c : word) EXPECT_TRUE(c >= 'a' && c <= 'z') << word;
  }
}

TEST(Prose, EqualIdsAreEqualTextAndAShorterOneBeginsTheLonger) {
  const std::string text = ProseOf(std::vector<Part>{{7, 100}});
  EXPECT_EQ(ProseOf(std::vector<Part>{{7, 100}}), text);
  for (const uint32_t tokens : {0u, 1u, 8u, 9u, 10u, 99u}) {
    EXPECT_EQ(ProseOf(std::vector<Part>{{7, tokens}}), text.substr(0, tokens * 4)) << tokens;
  }
  EXPECT_EQ(ProseOf(std::vector<Part>{{7, 100}, {8, 3}}).substr(0, 400), text);
}

TEST(Prose, TextsOfDifferentIdsHaveNoBlockInCommon) {
  std::set<std::string> blocks;
  for (uint64_t id = 0; id < 200; ++id) {
    const std::string text = ProseOf(std::vector<Part>{{id, 64}});
    for (size_t i = 0; i < 4; ++i) blocks.insert(text.substr(i * 64, 64));
  }
  EXPECT_EQ(blocks.size(), 800u);
}

TEST(Prose, IdsOfSeedsKindsAndNumbersDiffer) {
  std::set<uint64_t> ids;
  for (uint64_t seed = 0; seed < 10; ++seed) {
    for (uint64_t kind = 0; kind < 5; ++kind) {
      for (uint64_t number = 0; number < 100; ++number) ids.insert(ProseId(seed, kind, number));
    }
  }
  EXPECT_EQ(ids.size(), 5000u);
  EXPECT_EQ(ProseId(3, 1, 2), ProseId(3, 1, 2));
}

}  // namespace
}  // namespace gw::bench
