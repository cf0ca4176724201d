#include "prefix/index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <numeric>
#include <thread>
#include <vector>

#include "base/random.h"

namespace gw {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::Le;
using Hashes = std::vector<uint64_t>;

// Small enough to fill: one shard, few slots.
PrefixIndex::Options SmallOptions(size_t bytes) {
  return {.bytes_max = bytes, .shards = 1, .endpoints_max = 1024};
}

Hashes Chain(uint64_t seed, size_t count) {
  Random random(seed);
  Hashes hashes(count);
  for (uint64_t& hash : hashes) hash = random.Next();
  return hashes;
}

Hashes Join(Hashes head, const Hashes& tail) {
  head.insert(head.end(), tail.begin(), tail.end());
  return head;
}

std::vector<uint32_t> Slots(uint32_t count) {
  std::vector<uint32_t> slots(count);
  std::iota(slots.begin(), slots.end(), 0);
  return slots;
}

std::vector<uint32_t> Match(PrefixIndex& index, const Hashes& hashes,
                            const std::vector<uint32_t>& slots) {
  std::vector<uint32_t> hits(slots.size(), 77);
  index.Match(hashes, slots, hits);
  return hits;
}

TEST(PrefixIndex, AnEmptyIndexHitsNothing) {
  PrefixIndex index({});
  EXPECT_THAT(Match(index, Chain(1, 40), {0, 1}), ElementsAre(0, 0));
  EXPECT_THAT(Match(index, {}, {0, 1}), ElementsAre(0, 0));
  EXPECT_THAT(Match(index, Chain(1, 40), {}), ElementsAre());
}

TEST(PrefixIndex, CountsLeadingBlocksPerSlot) {
  PrefixIndex index({});
  const Hashes whole = Chain(1, 100);
  index.Insert(whole, 3);
  index.Insert(std::span(whole).first(37), 7);
  EXPECT_THAT(Match(index, whole, {1, 3, 7}), ElementsAre(0, 100, 37));
  EXPECT_THAT(Match(index, {whole.begin(), whole.begin() + 16}, {7, 3}), ElementsAre(16, 16));
}

TEST(PrefixIndex, StopsAtTheFirstDifference) {
  PrefixIndex index({});
  const Hashes shared = Chain(1, 20);
  index.Insert(Join(shared, Chain(2, 20)), 0);
  index.Insert(Join(shared, Chain(3, 20)), 1);
  EXPECT_THAT(Match(index, Join(shared, Chain(3, 30)), {0, 1}), ElementsAre(20, 40));
}

TEST(PrefixIndex, FindsTheFirstDifferenceWhereverItIs) {
  for (const size_t size : {2, 3, 16, 17, 18, 255, 256, 257}) {
    PrefixIndex index(SmallOptions(4 << 20));
    const Hashes whole = Chain(1, size);
    index.Insert(whole, 0);
    for (size_t at = 0; at <= size; ++at) {
      const Hashes head(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(at));
      const auto held = static_cast<uint32_t>(at);
      ASSERT_THAT(Match(index, head, {0, 1}), ElementsAre(held, 0));
      ASSERT_THAT(Match(index, Join(head, Chain(2 + at, size)), {0, 1}), ElementsAre(held, 0));
    }
  }
}

TEST(PrefixIndex, ManyHoldersOfOneBlockAreAllFound) {
  PrefixIndex index({});
  const Hashes shared = Chain(1, 24);
  const auto slots = Slots(1500);
  for (uint32_t slot = 0; slot < 1500; slot += 2) index.Insert(shared, slot);
  index.Insert(Join(shared, Chain(2, 8)), 1000);
  const auto hits = Match(index, Join(shared, Chain(2, 40)), slots);
  for (uint32_t slot = 0; slot < 1500; ++slot) {
    EXPECT_EQ(hits[slot], slot == 1000 ? 32u : slot % 2 == 0 ? 24u : 0u) << slot;
  }
}

TEST(PrefixIndex, SlotsMayComeInAnyOrderAndWithoutNeighbours) {
  PrefixIndex index({});
  const Hashes chain = Chain(1, 8);
  std::vector<uint32_t> slots = {65535, 3, 40000, 192, 191, 0, 20000, 64, 12345, 500};
  for (const uint32_t slot : slots) {
    if (slot != 12345) index.Insert(chain, slot);
  }
  EXPECT_THAT(Match(index, chain, slots), ElementsAre(8, 8, 8, 8, 8, 8, 8, 8, 0, 8));
  // Few candidates take another path.
  EXPECT_THAT(Match(index, chain, {12345, 65535, 1}), ElementsAre(0, 8, 0));
}

TEST(PrefixIndex, InsertingTwiceChangesNothing) {
  PrefixIndex index({});
  const Hashes chain = Chain(1, 50);
  index.Insert(chain, 1);
  const size_t bytes = index.stats().bytes;
  index.Insert(chain, 1);
  EXPECT_EQ(index.stats().bytes, bytes);
  EXPECT_EQ(index.stats().blocks, 50u);
}

TEST(PrefixIndex, ARemovedEndpointHoldsNothingAndItsSlotStartsEmpty) {
  PrefixIndex index({});
  const Hashes chain = Chain(1, 20);
  index.Insert(chain, 1);
  index.Insert(chain, 2);
  index.RemoveEndpoint(1);
  EXPECT_THAT(Match(index, chain, {1, 2}), ElementsAre(0, 20));
  index.Insert(std::span(chain).first(5), 1);
  EXPECT_THAT(Match(index, chain, {1, 2}), ElementsAre(5, 20));
}

TEST(PrefixIndex, ARemovedEndpointIsForgottenAmongMany) {
  PrefixIndex index({});
  const Hashes chain = Chain(1, 20);
  for (uint32_t slot = 0; slot < 600; ++slot) index.Insert(chain, slot);
  for (uint32_t slot = 0; slot < 600; ++slot) {
    if (slot != 200) index.RemoveEndpoint(slot);
  }
  const auto hits = Match(index, chain, Slots(600));
  for (uint32_t slot = 0; slot < 600; ++slot) EXPECT_EQ(hits[slot], slot == 200 ? 20u : 0u) << slot;
}

TEST(PrefixIndex, ARunWithoutHoldersIsReclaimedWhenMet) {
  PrefixIndex index({});
  const Hashes chain = Chain(1, 20);
  index.Insert(chain, 1);
  index.RemoveEndpoint(1);
  EXPECT_EQ(index.stats().blocks, 20u);
  Match(index, chain, {1});
  EXPECT_EQ(index.stats().blocks, 0u);
}

TEST(PrefixIndex, StaysWithinItsBudget) {
  for (const size_t bytes : {size_t{0}, size_t{5000}, size_t{100'000}, size_t{3'000'000}}) {
    PrefixIndex index({.bytes_max = bytes, .shards = 8, .endpoints_max = 1000});
    const size_t empty = index.stats().bytes;
    for (uint64_t i = 0; i < 12'000; ++i) index.Insert(Chain(i, 60), i % 1000);
    for (uint32_t slot = 0; slot < 100; ++slot) index.Insert(Chain(7, 60), slot);
    EXPECT_LE(index.stats().bytes, std::max(bytes, empty)) << bytes;
    EXPECT_EQ(index.stats().evicted_blocks > 0, bytes > empty + 1000) << bytes;
  }
}

TEST(PrefixIndex, UsesItsBudget) {
  PrefixIndex index({.bytes_max = 4 << 20, .shards = 4, .endpoints_max = 1000});
  for (uint64_t i = 0; i < 14'000; ++i) index.Insert(Chain(i, 64), 1);
  EXPECT_GT(index.stats().bytes, size_t{4 << 20} * 95 / 100);
  EXPECT_GT(index.stats().blocks, 590'000u);
}

TEST(PrefixIndex, TheLeastRecentlyUsedBlocksGoFirst) {
  PrefixIndex index(SmallOptions(64 << 10));
  const Hashes kept = Chain(1, 16);
  const Hashes forgotten = Chain(2, 16);
  index.Insert(kept, 0);
  index.Insert(forgotten, 0);
  for (uint64_t i = 10; index.stats().evicted_blocks < 32; ++i) {
    Match(index, kept, {0});
    index.Insert(Chain(i, 16), 0);
  }
  EXPECT_THAT(Match(index, kept, {0}), ElementsAre(16));
  EXPECT_THAT(Match(index, forgotten, {0}), ElementsAre(0));
}

TEST(PrefixIndex, TheEndOfAPromptGoesBeforeItsBeginning) {
  PrefixIndex index(SmallOptions(64 << 10));
  const Hashes prompt = Chain(1, 100);
  index.Insert(prompt, 0);
  for (uint64_t i = 10; index.stats().evicted_blocks < 60; ++i) {
    index.Insert(Chain(i, 10), 0);
  }
  // Sixteen at a time, some at once.
  EXPECT_THAT(Match(index, prompt, {0}), ElementsAre(AllOf(Ge(8), Le(40))));
}

TEST(PrefixIndex, PromptsThatNeverReturnDoNotPushOutThoseThatDo) {
  PrefixIndex index(SmallOptions(1 << 20));
  for (uint64_t i = 0; i < 20; ++i) index.Insert(Chain(i, 200), 0);
  for (uint64_t i = 0; index.stats().evicted_blocks < 2'000'000; ++i) {
    Match(index, Chain(i % 20, 200), {0});
    for (uint64_t j = 0; j < 20; ++j) index.Insert(Chain(1000 + 20 * i + j, 200), 0);
  }
  for (uint64_t i = 0; i < 20; ++i) {
    EXPECT_THAT(Match(index, Chain(i, 200), {0}), ElementsAre(200)) << i;
  }
}

TEST(PrefixIndex, ALongPromptIsHeldWholeAndTakesAFewBytesPerBlock) {
  PrefixIndex index({});
  const size_t empty = index.stats().bytes;
  const Hashes prompt = Chain(1, 60'000);
  index.Insert(prompt, 1);
  index.Insert(std::span(prompt).first(40'000), 2);
  EXPECT_THAT(Match(index, prompt, {1, 2}), ElementsAre(60'000, 40'000));
  EXPECT_LT(index.stats().bytes - empty, 60'000u * 6);
}

TEST(PrefixIndex, APromptThatGrowsBlockByBlockTakesNoMoreThanAWholeOne) {
  PrefixIndex index({});
  const size_t empty = index.stats().bytes;
  const Hashes prompt = Chain(1, 2000);
  for (uint32_t i = 1; i <= 2000; ++i) index.Insert(std::span(prompt).first(i), 1, i - 1);
  EXPECT_THAT(Match(index, prompt, {1, 2}), ElementsAre(2000, 0));
  EXPECT_LT(index.stats().bytes - empty, 2000u * 6);
}

TEST(PrefixIndex, CountsLookups) {
  PrefixIndex index({});
  const Hashes chain = Chain(1, 30);
  index.Insert(std::span(chain).first(20), 4);
  Match(index, chain, {4, 5});
  Match(index, Chain(2, 10), {4, 5});
  const auto stats = index.stats();
  EXPECT_EQ(stats.lookups, 2u);
  EXPECT_EQ(stats.looked_up_blocks, 40u);
  EXPECT_EQ(stats.hit_blocks, 20u);
}

TEST(PrefixIndex, SmallHashesThatAreNotRandomWorkToo) {
  PrefixIndex index(SmallOptions(1 << 20));
  Hashes counting(5000);
  std::iota(counting.begin(), counting.end(), 0);
  index.Insert(counting, 1);
  EXPECT_THAT(Match(index, counting, {1}), ElementsAre(5000));
}

// Threads share prompts and slots; a thread's own slot tells exactly what it inserted last.
TEST(PrefixIndex, ThreadsSeeTheirOwnInserts) {
  PrefixIndex index({.bytes_max = 64 << 20, .shards = 4, .endpoints_max = 512});
  constexpr uint32_t kThreads = 4;
  const Hashes shared = Chain(1, 24);
  std::atomic<int> wrong{0};
  auto work = [&](uint32_t id) {
    Random random(id);
    const std::vector<uint32_t> slots = {id, 100, 101, 102, 103, 104, 105, 106, 107, 108};
    for (int round = 0; round < 300; ++round) {
      const Hashes prompt = Join(shared, Chain(1000 + random.Below(20), 1 + random.Below(40)));
      index.Insert(prompt, id);
      index.Insert(prompt, 100 + static_cast<uint32_t>(random.Below(9)));
      std::vector<uint32_t> hits(slots.size());
      index.Match(prompt, slots, hits);
      wrong += hits[0] != prompt.size();
      if (round % 10 == 0) index.RemoveEndpoint(100 + static_cast<uint32_t>(random.Below(9)));
      if (round % 25 == 0) {
        index.RemoveEndpoint(id);
        index.Match(prompt, slots, hits);
        wrong += hits[0] != 0;
      }
      wrong += index.stats().bytes > size_t{64 << 20};
    }
  };
  std::vector<std::thread> threads;
  for (uint32_t id = 0; id < kThreads; ++id) threads.emplace_back(work, id);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(PrefixIndex, ThreadsEvictTogetherWithoutHarm) {
  PrefixIndex index({.bytes_max = 200'000, .shards = 4, .endpoints_max = 512});
  std::atomic<int> wrong{0};
  auto work = [&](uint32_t id) {
    Random random(id);
    const auto slots = Slots(300);
    std::vector<uint32_t> hits(slots.size());
    for (int round = 0; round < 400; ++round) {
      const Hashes prompt = Join(Chain(random.Below(4), 20), Chain(random.Below(500), 40));
      index.Insert(prompt, static_cast<uint32_t>(random.Below(300)));
      index.Match(prompt, slots, hits);
      for (const uint32_t hit : hits) wrong += hit > prompt.size();
      if (round % 40 == 0) index.RemoveEndpoint(static_cast<uint32_t>(random.Below(300)));
      wrong += index.stats().bytes > 200'000;
    }
  };
  std::vector<std::thread> threads;
  for (uint32_t id = 0; id < 4; ++id) threads.emplace_back(work, id);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(index.stats().evicted_blocks, 0u);
}

}  // namespace
}  // namespace gw
