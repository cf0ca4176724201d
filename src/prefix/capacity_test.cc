// Endpoints that say how much they hold, against a cache that does what a model server's does:
// block by block, least recently used out first, the ends of prompts before their beginnings.

#include <gtest/gtest.h>

#include <algorithm>
#include <list>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/random.h"
#include "prefix/index.h"
#include "prefix/recency.h"

namespace gw {
namespace {

using Hashes = std::vector<uint64_t>;

class Cache {
 public:
  void Insert(const Hashes& hashes, size_t blocks_max) {
    for (size_t i = std::min(hashes.size(), blocks_max); i-- > 0;) {
      if (const auto it = places_.find(hashes[i]); it != places_.end()) order_.erase(it->second);
      order_.push_front(hashes[i]);
      places_[hashes[i]] = order_.begin();
    }
    while (order_.size() > blocks_max) {
      places_.erase(order_.back());
      order_.pop_back();
    }
  }
  uint32_t Match(const Hashes& hashes) const {
    uint32_t held = 0;
    while (held < hashes.size() && places_.contains(hashes[held])) ++held;
    return held;
  }

 private:
  std::list<uint64_t> order_;  // the latest first
  std::unordered_map<uint64_t, std::list<uint64_t>::iterator> places_;
};

uint32_t Held(PrefixIndex& index, const Hashes& hashes, uint32_t slot) {
  uint32_t hit = 0;
  index.Match(hashes, {&slot, 1}, {&hit, 1});
  return hit;
}

// Blocks of any of the prompts that are believed to be there.
size_t Claimed(PrefixIndex& index, const std::vector<Hashes>& prompts, uint32_t slot) {
  std::unordered_set<uint64_t> blocks;
  for (const Hashes& prompt : prompts) {
    const uint32_t held = Held(index, prompt, slot);
    blocks.insert(prompt.begin(), prompt.begin() + held);
  }
  return blocks.size();
}

void Extend(Hashes* prompt, size_t blocks, uint64_t seed) {
  Random random(seed);
  for (size_t i = 0; i < blocks; ++i) prompt->push_back(random.Next());
}

// Conversations over a few system prompts, that come back now and then, a turn longer each time.
class Traffic {
 public:
  Traffic(uint64_t seed, size_t conversations, size_t turn_blocks)
      : random_(seed), seed_(seed << 40), turn_blocks_(turn_blocks), prompts_(conversations) {}

  const Hashes& Next() {
    // Skewed, so that some come back at once and some hardly ever.
    const size_t n = prompts_.size();
    const size_t i = random_.Below(1 + random_.Below(n));
    Hashes& prompt = prompts_[i];
    if (prompt.empty()) Extend(&prompt, 3 + i % 7 * 9, i % 7);
    const uint64_t choice = random_.Below(20);
    if (choice == 0) prompt.resize(1 + random_.Below(prompt.size()));  // another turn than before
    Extend(&prompt, choice == 1 ? 1 : 1 + random_.Below(turn_blocks_), ++seed_);
    if (choice == 2) prompt.resize(3 + i % 7 * 9);
    sent_.push_back(prompt);
    return sent_.back();
  }
  const std::vector<Hashes>& sent() const { return sent_; }

 private:
  Random random_;
  uint64_t seed_;
  const size_t turn_blocks_;
  std::vector<Hashes> prompts_;
  std::vector<Hashes> sent_;
};

struct Case {
  uint64_t seed;
  size_t blocks_max;
  size_t conversations;
  size_t turn_blocks;
  // Shares of what is claimed that the cache has not, and of what it has that is not claimed.
  double wrong_max;
  double missed_max;
};

class PrefixCapacity : public ::testing::TestWithParam<Case> {};

TEST_P(PrefixCapacity, ClaimsWhatALeastRecentlyUsedCacheHoldsAndNoMoreThanFits) {
  const Case& c = GetParam();
  PrefixIndex index({.bytes_max = 64 << 20, .shards = 4, .endpoints_max = 4});
  Cache caches[3];
  Traffic traffic(c.seed, c.conversations, c.turn_blocks);
  Random random(c.seed);
  uint64_t claimed = 0, wrong = 0, held = 0, missed = 0;
  for (int step = 0; step < 3000; ++step) {
    const Hashes& prompt = traffic.Next();
    const auto slot = static_cast<uint32_t>(random.Below(3));
    const uint32_t believed = Held(index, prompt, slot);
    const uint32_t there = caches[slot].Match(prompt);
    claimed += believed;
    held += there;
    wrong += believed - std::min(believed, there);
    missed += there - std::min(believed, there);
    index.Insert(prompt, slot, believed, c.blocks_max);
    caches[slot].Insert(prompt, c.blocks_max);
    // It is served at once: its end changes nothing.
    if (random.Below(2) == 0) index.Insert(prompt, slot, 0, c.blocks_max);
    if (step % 1000 == 999) {
      for (uint32_t s = 0; s < 3; ++s) {
        EXPECT_LE(Claimed(index, traffic.sent(), s), c.blocks_max) << step;
      }
    }
  }
  EXPECT_GT(held, 0u);
  EXPECT_LE(static_cast<double>(wrong) / static_cast<double>(claimed), c.wrong_max);
  EXPECT_LE(static_cast<double>(missed) / static_cast<double>(held), c.missed_max);
  EXPECT_EQ(index.stats().evicted_blocks, 0u) << "the budget alone decides nothing here";
}

// A run is let go as a whole, so that little room is used worse.
INSTANTIATE_TEST_SUITE_P(
    Sizes, PrefixCapacity,
    ::testing::Values(Case{1, 20'000, 300, 100, 0.005, 0.02}, Case{2, 5'000, 100, 60, 0.005, 0.04},
                      Case{3, 1'000, 30, 20, 0.005, 0.1}, Case{4, 50'000, 400, 600, 0.005, 0.02},
                      Case{5, 200, 10, 20, 0.005, 0.3}, Case{6, 7, 4, 3, 0.005, 0.1}));

TEST(PrefixCapacityThreads, EightOnTheSameEndpointsClaimNoMoreThanFits) {
  constexpr uint64_t kBlocksMax = 3000;
  PrefixIndex index({.bytes_max = 1 << 20, .shards = 4, .endpoints_max = 200});
  std::vector<Traffic> traffic;
  for (uint64_t id = 0; id < 8; ++id) traffic.emplace_back(id + 1, 60, 60);
  std::vector<std::thread> threads;
  for (uint64_t id = 0; id < 8; ++id) {
    threads.emplace_back([&, id] {
      Random random(id);
      for (int step = 0; step < 1500; ++step) {
        const auto slot = static_cast<uint32_t>(random.Below(4));
        const Hashes& prompt = traffic[id].Next();
        const uint32_t held = Held(index, prompt, slot);
        index.Insert(prompt, slot, held, kBlocksMax);
        if (random.Below(100) == 0) index.RemoveEndpoint(slot);
        EXPECT_LE(index.stats().bytes, 1u << 20);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<Hashes> sent;
  for (const Traffic& one : traffic) sent.insert(sent.end(), one.sent().begin(), one.sent().end());
  for (uint32_t slot = 0; slot < 4; ++slot) {
    EXPECT_LE(Claimed(index, sent, slot), kBlocksMax) << slot;
  }
}

PrefixIndex::Options OneShard() {
  return {.bytes_max = 4 << 20, .shards = 1, .endpoints_max = 100};
}

Hashes Prompt(uint64_t seed, size_t blocks) {
  Hashes prompt;
  Extend(&prompt, blocks, seed);
  return prompt;
}

TEST(PrefixCapacity, OfAPromptThatIsLongerItsBeginningIsHeld) {
  PrefixIndex index(OneShard());
  const Hashes prompt = Prompt(1, 2000);
  index.Insert(prompt, 3, 0, 700);
  EXPECT_EQ(Held(index, prompt, 3), 700u);
}

TEST(PrefixCapacity, WhatIsSentAgainStaysAndWhatIsNotGoes) {
  PrefixIndex index(OneShard());
  const Hashes again = Prompt(1, 100);
  const Hashes once = Prompt(2, 100);
  index.Insert(once, 3, 0, 1000);
  index.Insert(again, 3, 0, 1000);
  for (uint64_t i = 0; i < 50; ++i) {
    index.Insert(Prompt(10 + i, 100), 3, 0, 1000);
    index.Insert(again, 3, 100, 1000);
  }
  EXPECT_EQ(Held(index, again, 3), 100u);
  EXPECT_EQ(Held(index, once, 3), 0u);
}

TEST(PrefixCapacity, ABeginningThatIsSentAgainDoesNotKeepTheEndOfTheFirstPromptThatHadIt) {
  PrefixIndex index(OneShard());
  const Hashes first = Prompt(1, 200);
  index.Insert(first, 3, 0, 1000);
  for (uint64_t i = 0; i < 20; ++i) {
    Hashes other(first.begin(), first.begin() + 20);
    Extend(&other, 80, 10 + i);
    index.Insert(other, 3, 20, 1000);
    EXPECT_EQ(Held(index, other, 3), 100u);
  }
  EXPECT_EQ(Held(index, first, 3), 20u);
}

TEST(PrefixCapacity, TheEndOfAPromptGoesBeforeItsBeginning) {
  PrefixIndex index(OneShard());
  const Hashes prompt = Prompt(1, 2560);
  index.Insert(prompt, 3, 0, 3000);
  index.Insert(Prompt(2, 1000), 3, 0, 3000);
  const uint32_t held = Held(index, prompt, 3);
  EXPECT_LE(held, 2000u);
  EXPECT_GE(held, 1700u);
}

TEST(PrefixCapacity, ARemovedEndpointHasAllOfItsRoomAgain) {
  PrefixIndex index(OneShard());
  for (uint64_t i = 0; i < 10; ++i) index.Insert(Prompt(i, 100), 3, 0, 1000);
  index.RemoveEndpoint(3);
  EXPECT_EQ(Held(index, Prompt(9, 100), 3), 0u);
  for (uint64_t i = 10; i < 20; ++i) index.Insert(Prompt(i, 100), 3, 0, 1000);
  for (uint64_t i = 10; i < 20; ++i) EXPECT_EQ(Held(index, Prompt(i, 100), 3), 100u);
}

TEST(PrefixCapacity, RoomThatShrinksIsKeptToWithTheNextPrompt) {
  PrefixIndex index(OneShard());
  std::vector<Hashes> prompts;
  for (uint64_t i = 0; i < 10; ++i) {
    prompts.push_back(Prompt(i, 100));
    index.Insert(prompts.back(), 3, 0, 1000);
  }
  prompts.push_back(Prompt(10, 50));
  index.Insert(prompts.back(), 3, 0, 300);
  EXPECT_LE(Claimed(index, prompts, 3), 300u);
  EXPECT_GE(Claimed(index, prompts, 3), 250u);
}

TEST(PrefixCapacity, WhereItIsNotKnownAllIsHeld) {
  PrefixIndex index(OneShard());
  for (uint64_t i = 0; i < 100; ++i) index.Insert(Prompt(i, 100), 3);
  for (uint64_t i = 0; i < 100; ++i) EXPECT_EQ(Held(index, Prompt(i, 100), 3), 100u);
}

TEST(PrefixCapacity, ARunThatManyHoldLetsGoOfEachInItsTime) {
  PrefixIndex index(OneShard());
  const Hashes prompt = Prompt(1, 100);
  for (uint32_t slot = 0; slot < 100; ++slot) index.Insert(prompt, slot, 0, 500);
  for (uint32_t slot = 0; slot < 100; slot += 2) {
    for (uint64_t i = 0; i < 5; ++i) index.Insert(Prompt(1000 * (slot + 1) + i, 100), slot, 0, 500);
  }
  std::vector<uint32_t> slots(100);
  std::vector<uint32_t> hits(100);
  for (uint32_t slot = 0; slot < 100; ++slot) slots[slot] = slot;
  index.Match(prompt, slots, hits);
  for (uint32_t slot = 0; slot < 100; ++slot) EXPECT_EQ(hits[slot], slot % 2 ? 100u : 0u) << slot;
  // The beginning alone is sent again, and the rest goes later.
  const std::span beginning(prompt.data(), 30);
  for (uint32_t slot = 1; slot < 100; slot += 2) {
    index.Insert(beginning, slot, 30, 500);
    for (uint64_t i = 0; i < 5; ++i) {
      index.Insert(Prompt(1000 * (slot + 1) + i, 90), slot, 0, 500);
      index.Insert(beginning, slot, 30, 500);
    }
  }
  index.Match(prompt, slots, hits);
  for (uint32_t slot = 0; slot < 100; ++slot) EXPECT_EQ(hits[slot], slot % 2 ? 30u : 0u) << slot;
}

TEST(PrefixCapacity, WhatIsCountedIsPartOfTheBudget) {
  PrefixIndex index({.bytes_max = 1 << 20, .shards = 1, .endpoints_max = 1000});
  const size_t before = index.stats().bytes;
  for (uint32_t slot = 0; slot < 1000; ++slot) index.Insert(Prompt(slot, 300), slot, 0, 10'000);
  EXPECT_GE(index.stats().bytes, before + 30 * sizeof(internal::Recency));
  EXPECT_LE(index.stats().bytes, 1u << 20);
  // One that came too late for that counts as one that does not say how much it holds.
  index.Insert(Prompt(5000, 20), 999, 0, 10);
  EXPECT_LE(Held(index, Prompt(5000, 20), 999), 10u);
}

TEST(Recency, HoldsAsMuchAsThereIsRoomForWhateverIsAddedAndTakenAway) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Random random(seed);
    internal::Recency recency;
    std::unordered_map<uint64_t, int64_t> touched;  // number -> blocks
    uint64_t number = 0;
    uint64_t gone = 0;
    const uint64_t room = 1 + random.Below(5000);
    for (int step = 0; step < 3000; ++step) {
      const int64_t blocks = 1 + static_cast<int64_t>(random.Below(std::min<uint64_t>(room, 256)));
      number += 1 + random.Below(300);
      const uint64_t late = random.Below(10) == 0 ? number - random.Below(number) : number;
      touched[late] += blocks;
      recency.Add(late, blocks, room);
      if (!touched.empty() && random.Below(2) == 0) {
        const auto moved = touched.begin();
        recency.Add(moved->first, -moved->second, room);
        touched.erase(moved);
      }
      gone = recency.Trim(room);
      int64_t held = 0;
      std::erase_if(touched, [&](const auto& one) { return one.first <= gone; });
      for (const auto& one : touched) held += one.second;
      ASSERT_EQ(held, recency.held()) << "seed " << seed << " step " << step;
      ASSERT_LE(held, static_cast<int64_t>(room));
    }
    recency.Forget(number);
    EXPECT_EQ(recency.held(), 0);
  }
}

}  // namespace
}  // namespace gw
