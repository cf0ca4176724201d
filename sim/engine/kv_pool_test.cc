#include "sim/engine/kv_pool.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <vector>

#include "base/random.h"

namespace gw::sim {
namespace {

std::vector<BlockId> Allocate(KvPool& pool, uint32_t count) {
  std::vector<BlockId> blocks;
  pool.Allocate(count, &blocks);
  return blocks;
}

std::vector<BlockId> AllocateNamed(KvPool& pool, const std::vector<uint64_t>& names) {
  std::vector<BlockId> blocks = Allocate(pool, static_cast<uint32_t>(names.size()));
  for (size_t i = 0; i < names.size(); ++i) pool.Name(blocks[i], names[i]);
  return blocks;
}

std::vector<BlockId> Find(const KvPool& pool, const std::vector<uint64_t>& names) {
  std::vector<BlockId> found;
  pool.Find(names, &found);
  return found;
}

TEST(KvPool, FindsTheLongestRunOfLeadingNames) {
  KvPool pool(8);
  const std::vector<BlockId> blocks = AllocateNamed(pool, {10, 11, 12});
  EXPECT_EQ(Find(pool, {10, 11, 12, 13}), blocks);
  EXPECT_EQ(Find(pool, {10, 99, 12}), (std::vector<BlockId>{blocks[0]}));
  EXPECT_TRUE(Find(pool, {99, 10}).empty());
}

TEST(KvPool, ReleasedBlocksAreFoundUntilTheyAreAllocatedAgain) {
  KvPool pool(4);
  const std::vector<BlockId> blocks = AllocateNamed(pool, {1, 2, 3, 4});
  pool.Release(blocks);
  EXPECT_EQ(pool.free_blocks(), 4u);
  EXPECT_EQ(pool.utilization_ratio(), 0.0);
  EXPECT_EQ(Find(pool, {1, 2, 3, 4}), blocks);
  // The end of the sequence goes first.
  EXPECT_EQ(Allocate(pool, 2), (std::vector<BlockId>{blocks[3], blocks[2]}));
  EXPECT_EQ(Find(pool, {1, 2, 3, 4}), (std::vector<BlockId>{blocks[0], blocks[1]}));
  EXPECT_EQ(pool.evictions(), 2u);
  pool.CheckConsistent();
}

TEST(KvPool, TheLeastRecentlyReleasedIsTakenFirst) {
  KvPool pool(2);
  const std::vector<BlockId> a = AllocateNamed(pool, {1});
  const std::vector<BlockId> b = AllocateNamed(pool, {2});
  pool.Release(b);
  pool.Release(a);
  EXPECT_EQ(Allocate(pool, 1), b);
}

TEST(KvPool, SharingKeepsABlockFromBeingTaken) {
  KvPool pool(2);
  const std::vector<BlockId> a = AllocateNamed(pool, {1});
  const std::vector<BlockId> b = AllocateNamed(pool, {2});
  pool.Release(a);
  pool.Release(b);
  std::vector<BlockId> found;
  const std::vector<uint64_t> names = {1};
  EXPECT_EQ(pool.Find(names, &found), 1u);
  pool.Share(found);
  EXPECT_EQ(pool.Find(names, &found), 0u);
  pool.Share(a);
  EXPECT_EQ(pool.references(a[0]), 2u);
  EXPECT_EQ(Allocate(pool, 1), b);
  pool.Release(a);
  EXPECT_EQ(pool.free_blocks(), 0u);
  pool.Release(a);
  EXPECT_EQ(pool.free_blocks(), 1u);
  pool.CheckConsistent();
}

TEST(KvPool, BlocksWithoutNameAreTakenBeforeNamedOnes) {
  KvPool pool(3);
  const std::vector<BlockId> named = AllocateNamed(pool, {1, 2});
  const std::vector<BlockId> unnamed = Allocate(pool, 1);
  pool.Release(named);
  pool.Release(unnamed);
  EXPECT_EQ(Allocate(pool, 1), unnamed);
  EXPECT_EQ(pool.evictions(), 0u);
}

TEST(KvPool, ANameHeldTwiceSurvivesTheLossOfEither) {
  for (const int lost : {0, 1}) {
    KvPool pool(2);
    const std::vector<BlockId> blocks = {AllocateNamed(pool, {7})[0], AllocateNamed(pool, {7})[0]};
    pool.Release(std::vector<BlockId>{blocks[lost]});
    Allocate(pool, 1);
    EXPECT_EQ(Find(pool, {7}), (std::vector<BlockId>{blocks[1 - lost]}));
    pool.CheckConsistent();
  }
}

TEST(KvPool, ResetForgetsNamesUnlessBlocksAreInUse) {
  KvPool pool(2);
  const std::vector<BlockId> blocks = AllocateNamed(pool, {1});
  EXPECT_FALSE(pool.Reset());
  EXPECT_EQ(Find(pool, {1}), blocks);
  pool.Release(blocks);
  EXPECT_TRUE(pool.Reset());
  EXPECT_TRUE(Find(pool, {1}).empty());
  EXPECT_EQ(pool.named_blocks(), 0u);
  pool.CheckConsistent();
}

// Random sequences come, share what they find, and go; names are drawn from few, so that probe
// sequences of the table collide and names are held more than once. A map of sets is the oracle.
TEST(KvPool, AgreesWithAMapUnderRandomOperations) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Random random(seed);
    KvPool pool(1 + static_cast<uint32_t>(random.Below(40)));
    std::vector<std::vector<BlockId>> sequences;
    std::map<uint64_t, std::set<BlockId>> oracle;
    std::map<BlockId, uint64_t> name_of;
    for (int step = 0; step < 2000; ++step) {
      if (random.Below(2) == 0 && !sequences.empty()) {
        const size_t i = random.Below(sequences.size());
        pool.Release(sequences[i]);
        sequences[i] = std::move(sequences.back());
        sequences.pop_back();
      } else {
        std::vector<uint64_t> names;
        for (size_t n = random.Below(5); n > 0; --n) names.push_back(random.Below(30) << 40);
        std::vector<BlockId> blocks;
        pool.Find(names, &blocks);
        for (size_t i = 0; i < names.size(); ++i) {
          ASSERT_EQ(i < blocks.size(),
                    i <= blocks.size() && oracle.contains(names[i]) && !oracle[names[i]].empty());
          if (i == blocks.size()) break;
          ASSERT_TRUE(oracle[names[i]].contains(blocks[i]));
        }
        pool.Share(blocks);
        const size_t shared = blocks.size();
        const size_t more = std::min<size_t>(random.Below(4), pool.free_blocks());
        pool.Allocate(static_cast<uint32_t>(more), &blocks);
        for (size_t i = shared; i < blocks.size(); ++i) {
          if (const auto old = name_of.find(blocks[i]); old != name_of.end()) {
            oracle[old->second].erase(blocks[i]);
            name_of.erase(old);
          }
          if (random.Below(3) == 0) continue;
          const uint64_t name = random.Below(30) << 40;
          pool.Name(blocks[i], name);
          oracle[name].insert(blocks[i]);
          name_of[blocks[i]] = name;
        }
        sequences.push_back(std::move(blocks));
      }
      pool.CheckConsistent();
    }
    for (const std::vector<BlockId>& blocks : sequences) pool.Release(blocks);
    EXPECT_EQ(pool.free_blocks(), pool.blocks());
    EXPECT_EQ(pool.named_blocks(), name_of.size());
  }
}

}  // namespace
}  // namespace gw::sim
