#include "base/random.h"

#include <gtest/gtest.h>

#include <array>
#include <set>

namespace gw {
namespace {

TEST(Random, EqualSeedsGiveEqualSequences) {
  Random a(7);
  Random b(7);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(a.Next(), b.Next());
}

TEST(Random, NeighbouringSeedsGiveUnrelatedSequences) {
  std::set<uint64_t> firsts;
  for (uint64_t seed = 0; seed < 1000; ++seed) firsts.insert(Random(seed).Next());
  EXPECT_EQ(firsts.size(), 1000u);
}

// The first values of the published algorithm: splitmix64 from seed 0 fills the state, of which
// xoshiro256** makes these.
TEST(Random, SplitMixSeededStateGivesThePublishedSequence) {
  // The first four outputs of splitmix64(0).
  constexpr std::array<uint64_t, 4> kState = {0xe220a8397b1dcdaf, 0x6e789e6aa1b965f4,
                                              0x06c45d188009454f, 0xf88bb8a8724c81ec};
  const auto rotate = [](uint64_t x, int k) { return (x << k) | (x >> (64 - k)); };
  // The first output depends on the second word only, the second on the words after one step.
  Random random(0);
  EXPECT_EQ(random.Next(), rotate(kState[1] * 5, 7) * 9);
  EXPECT_EQ(random.Next(), rotate((kState[1] ^ kState[2] ^ kState[0]) * 5, 7) * 9);
}

TEST(Random, BelowStaysBelowAndReachesEveryValue) {
  Random random(1);
  std::array<int, 10> seen{};
  for (int i = 0; i < 100'000; ++i) {
    const uint64_t value = random.Below(10);
    ASSERT_LT(value, 10u);
    ++seen[value];
  }
  // Five standard deviations around 10,000; the seed is fixed, so this cannot flicker.
  for (int count : seen) {
    EXPECT_GT(count, 9'500);
    EXPECT_LT(count, 10'500);
  }
}

TEST(Random, BelowOneIsAlwaysZero) {
  Random random(3);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(random.Below(1), 0u);
}

TEST(Random, UnitLiesInTheHalfOpenInterval) {
  Random random(2);
  double sum = 0;
  for (int i = 0; i < 100'000; ++i) {
    const double value = random.Unit();
    ASSERT_GE(value, 0.0);
    ASSERT_LT(value, 1.0);
    sum += value;
  }
  EXPECT_NEAR(sum / 100'000, 0.5, 0.005);
}

TEST(RandomId, Is32HexadecimalDigitsAndAnotherEachTime) {
  Random random(4);
  std::set<std::string> ids;
  for (int i = 0; i < 100; ++i) {
    const std::string id = RandomId(random);
    EXPECT_EQ(id.size(), 32u);
    EXPECT_EQ(id.find_first_not_of("0123456789abcdef"), std::string::npos);
    ids.insert(id);
  }
  EXPECT_EQ(ids.size(), 100u);
}

TEST(SeedFromSystem, DiffersEachTimeAndFitsASignedNumber) {
  std::set<uint64_t> seeds;
  for (int i = 0; i < 100; ++i) {
    const uint64_t seed = SeedFromSystem();
    EXPECT_LT(seed, uint64_t{1} << 63);
    seeds.insert(seed);
  }
  EXPECT_EQ(seeds.size(), 100u);
}

}  // namespace
}  // namespace gw
