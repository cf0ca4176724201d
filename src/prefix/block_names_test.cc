// Single blocks of the index, against a set that forgets nothing but what is removed.

#include "prefix/block_names.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

#include "base/random.h"
#include "prefix/index.h"

namespace gw {
namespace {

using Hashes = std::vector<uint64_t>;

uint32_t Held(PrefixIndex& index, std::span<const uint64_t> hashes, uint32_t slot) {
  uint32_t hit = 0;
  index.Match(hashes, {&slot, 1}, {&hit, 1});
  return hit;
}

// What a model server calls a block.
uint64_t Called(uint64_t hash) { return hash * 3 + 1; }

struct Case {
  uint64_t seed;
  size_t bytes;
  uint32_t slots;
  uint64_t blocks_max;  // of an endpoint; 0: not known
  bool exact;           // nothing is forgotten for want of room
};

class SingleBlocks : public ::testing::TestWithParam<Case> {
 protected:
  const Case& c = GetParam();
  PrefixIndex index{
      {.bytes_max = c.bytes, .names_bytes_max = c.bytes / 4, .shards = 4, .endpoints_max = 256}};
  // By slot; a block that is behind a removed one in the same run is forgotten, too, so that this
  // is the most that may be held.
  std::vector<std::set<uint64_t>> held{c.slots};

  // Chained, in a tree: half of them part at each of the first forks, and few later on.
  Hashes Prompt(Random* random) {
    Hashes prompt(1 + random->Below(300));
    uint64_t node = 1;
    for (size_t i = 0; i < prompt.size(); ++i) {
      uint64_t branch = 0;
      if (i % 20 == 0) branch = random->Below(i < 60 ? 2 : 1) * 3 + (random->Below(8) == 0);
      prompt[i] = node = Random(node + branch).Next();
    }
    return prompt;
  }
  void Insert(const Hashes& prompt, uint32_t slot) {
    index.Insert(prompt, slot, 0, c.blocks_max);
    held[slot].insert(prompt.begin(), prompt.end());
    Hashes names;
    for (const uint64_t hash : prompt) names.push_back(Called(hash));
    index.NameBlocks(prompt, 0, prompt);
    index.NameBlocks(prompt, prompt.size() / 2, std::span(names).subspan(prompt.size() / 2));
  }
};

TEST_P(SingleBlocks, AreFoundAndRemovedByHashAndByAnotherName) {
  Random random(c.seed);
  uint64_t removed = 0, wanted = 0, found = 0;
  for (int step = 0; step < 1500; ++step) {
    const Hashes prompt = Prompt(&random);
    const auto slot = static_cast<uint32_t>(random.Below(c.slots));
    if (random.Below(2) == 0) {
      Insert(prompt, slot);
      continue;
    }
    const uint32_t before = Held(index, prompt, slot);
    std::vector<uint32_t> others;
    for (uint32_t s = 0; s < c.slots; ++s) others.push_back(Held(index, prompt, s));
    const size_t at = random.Below(prompt.size());
    const bool by_hash = random.Below(2) == 0;
    const uint64_t name = by_hash ? prompt[at] : Called(prompt[at]);
    const bool holds = index.HoldsBlock(name, slot);
    if (at < before && by_hash) {
      ++wanted;
      found += holds;
    }
    ASSERT_EQ(index.RemoveBlock(name, slot), holds) << step;
    ASSERT_FALSE(index.HoldsBlock(name, slot));
    removed += holds;
    if (holds) {
      held[slot].erase(prompt[at]);
      ASSERT_EQ(Held(index, prompt, slot), std::min<size_t>(before, at)) << step;
    }
    for (uint32_t s = 0; s < c.slots; ++s) {
      const uint32_t now = Held(index, prompt, s);
      if (s != slot) ASSERT_EQ(now, others[s]) << "another endpoint's, step " << step;
      for (uint32_t i = 0; i < now; ++i) {
        ASSERT_TRUE(held[s].contains(prompt[i])) << "step " << step << " block " << i;
      }
    }
    ASSERT_LE(index.stats().bytes, c.bytes);
  }
  EXPECT_GT(removed, 50u);
  if (c.exact)
    EXPECT_GE(found * 100, wanted * 98) << "names are forgotten where many fall together";
}

INSTANTIATE_TEST_SUITE_P(
    Budgets, SingleBlocks,
    ::testing::Values(Case{1, 16 << 20, 3, 0, true}, Case{2, 16 << 20, 80, 0, true},
                      Case{3, 16 << 20, 3, 2000, false}, Case{4, 16 << 20, 80, 1000, false},
                      Case{5, 200'000, 10, 0, false},
                      // Blocks stand in two runs, unless it is seen to.
                      Case{1000, 112'000, 5, 0, false}, Case{1282, 52'000, 8, 0, false}));

TEST(SingleBlocks, WhatIsPutBackBehindARemovedBlockIsHeldAgain) {
  PrefixIndex index({.bytes_max = 4 << 20, .names_bytes_max = 1 << 20, .shards = 1});
  Hashes prompt(600);
  for (size_t i = 0; i < prompt.size(); ++i) prompt[i] = 1000 + i;
  index.Insert(prompt, 7, 0, 1000);
  index.NameBlocks(prompt, 0, prompt);
  EXPECT_TRUE(index.RemoveBlock(prompt[100], 7));
  EXPECT_TRUE(index.HoldsBlock(prompt[99], 7));
  EXPECT_TRUE(index.HoldsBlock(prompt[300], 7)) << "in a run of its own";
  EXPECT_EQ(Held(index, prompt, 7), 100u);
  index.Insert(std::span(prompt).first(256), 7, 100, 1000);
  EXPECT_EQ(Held(index, prompt, 7), 600u);
  // The room of what was removed was given back: all of this fits beside it.
  Hashes other(400);
  for (size_t i = 0; i < other.size(); ++i) other[i] = 5000 + i;
  index.Insert(other, 7, 0, 1000);
  EXPECT_EQ(Held(index, prompt, 7), 600u);
  EXPECT_EQ(Held(index, other, 7), 400u);
}

TEST(SingleBlocks, WithoutRoomForNamesNoneIsFound) {
  PrefixIndex index({.bytes_max = 4 << 20, .shards = 1});
  const Hashes prompt = {1, 2, 3};
  index.Insert(prompt, 7);
  index.NameBlocks(prompt, 0, prompt);
  EXPECT_FALSE(index.HoldsBlock(2, 7));
  EXPECT_FALSE(index.RemoveBlock(2, 7));
  EXPECT_EQ(Held(index, prompt, 7), 3u);
}

TEST(BlockNames, TheLatestOfABucketAreKept) {
  internal::BlockNames names(96);
  for (uint64_t name = 1; name <= 6; ++name) names.Put(name, {name, 5, 255, 9});
  names.Put(4, {44, 1u << 23, 0, 1});
  internal::BlockPlace place;
  EXPECT_FALSE(names.Find(1, &place));
  EXPECT_FALSE(names.Find(2, &place));
  for (uint64_t name = 3; name <= 6; ++name) EXPECT_TRUE(names.Find(name, &place)) << name;
  ASSERT_TRUE(names.Find(4, &place));
  EXPECT_EQ(place.run, 44u);
  EXPECT_EQ(place.base, 1u << 23);
  ASSERT_TRUE(names.Find(3, &place));
  EXPECT_EQ(place.offset, 255u);
  EXPECT_EQ(place.hash, 9u);
}

}  // namespace
}  // namespace gw
