// The index against the obvious version of it: a map of sets that forgets nothing.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "prefix/index.h"

namespace gw {
namespace {

using Hashes = std::vector<uint64_t>;

class Oracle {
 public:
  std::vector<uint32_t> Match(const Hashes& hashes, const std::vector<uint32_t>& slots) const {
    std::vector<uint32_t> hits;
    for (const uint32_t slot : slots) {
      uint32_t held = 0;
      while (held < hashes.size() && Holds(hashes[held], slot)) ++held;
      hits.push_back(held);
    }
    return hits;
  }
  void Insert(const Hashes& hashes, uint32_t slot) {
    for (const uint64_t hash : hashes) holders_[hash][slot] = generation_[slot];
  }
  void RemoveEndpoint(uint32_t slot) { ++generation_[slot]; }

 private:
  bool Holds(uint64_t hash, uint32_t slot) const {
    const auto block = holders_.find(hash);
    if (block == holders_.end()) return false;
    const auto holder = block->second.find(slot);
    const auto now = generation_.find(slot);
    return holder != block->second.end() && now != generation_.end() &&
           holder->second == now->second;
  }

  std::map<uint64_t, std::map<uint32_t, uint32_t>> holders_;  // hash -> slot -> generation
  std::map<uint32_t, uint32_t> generation_;
};

struct Case {
  uint64_t seed;
  size_t bytes;
  uint32_t slots;
  uint64_t branches;  // prompts form a tree of this width: smaller means more sharing
  bool exact;         // nothing is ever forgotten
  uint64_t blocks = 50;
  size_t shards = 1;
};

// Chained, as real ones are.
Hashes Prompt(Random* random, const Case& c) {
  Hashes prompt(1 + random->Below(c.blocks));
  uint64_t node = 0x1234;
  for (size_t i = 0; i < prompt.size(); ++i) {
    // Long ones part seldom.
    const uint64_t branch = i % (c.blocks / 50) == 0 ? random->Below(c.branches) : 0;
    prompt[i] = node = Random(node + branch).Next();
  }
  return prompt;
}

// One thread's work, on slots that are `begin` + a multiple of `stride`. Returns what is wrong.
std::string Compare(PrefixIndex& index, const Case& c, uint64_t seed, uint32_t begin,
                    uint32_t stride, int steps) {
  Oracle oracle;
  for (uint32_t slot = begin; slot < c.slots; slot += stride) oracle.RemoveEndpoint(slot);
  Random random(seed);
  const uint32_t own = (c.slots - begin + stride - 1) / stride;
  for (int step = 0; step < steps; ++step) {
    const Hashes prompt = Prompt(&random, c);
    // Most prompts go to a few hot slots, so that holders are few and many.
    const uint64_t below = random.Below(2) ? std::min<uint32_t>(own, 4) : own;
    const uint32_t slot = begin + stride * static_cast<uint32_t>(random.Below(below));
    const uint64_t choice = random.Below(100);
    if (choice < 3) {
      index.RemoveEndpoint(slot);
      oracle.RemoveEndpoint(slot);
      continue;
    }
    if (choice < 50) {
      index.Insert(prompt, slot);
      oracle.Insert(prompt, slot);
      continue;
    }
    std::vector<uint32_t> slots;
    const uint64_t density = 1 + random.Below(4) * random.Below(40);
    for (uint32_t s = begin; s < c.slots; s += stride) {
      if (random.Below(density) == 0) slots.push_back(s);
    }
    for (size_t i = slots.size(); i > 1; --i) std::swap(slots[i - 1], slots[random.Below(i)]);
    std::vector<uint32_t> hits(slots.size());
    index.Match(prompt, slots, hits);
    const auto expected = oracle.Match(prompt, slots);
    for (size_t i = 0; i < hits.size(); ++i) {
      if (c.exact ? hits[i] == expected[i] : hits[i] <= expected[i]) continue;
      return "step " + std::to_string(step) + " slot " + std::to_string(slots[i]) + ": " +
             std::to_string(hits[i]) + ", not " + std::to_string(expected[i]);
    }
    if (!slots.empty() && random.Below(2) == 0) {
      // As a request does: it goes where much of it is.
      const size_t best = std::max_element(hits.begin(), hits.end()) - hits.begin();
      index.Insert(prompt, slots[best], hits[best]);
      oracle.Insert(prompt, slots[best]);
    }
    if (index.stats().bytes > c.bytes) return "step " + std::to_string(step) + ": over budget";
  }
  return "";
}

class PrefixIndexOracle : public ::testing::TestWithParam<Case> {
 protected:
  const Case& c = GetParam();
  PrefixIndex index{{.bytes_max = c.bytes, .shards = c.shards, .endpoints_max = c.slots}};
};

TEST_P(PrefixIndexOracle, ClaimsWhatIsThereAndNothingElse) {
  EXPECT_EQ(Compare(index, c, c.seed, 0, 1, c.blocks > 50 ? 600 : c.slots > 500 ? 800 : 2500), "");
  EXPECT_EQ(index.stats().evicted_blocks == 0, c.exact);
}

TEST_P(PrefixIndexOracle, AndSoUnderEightThreads) {
  std::string wrong[8];
  std::vector<std::thread> threads;
  for (uint32_t id = 0; id < 8; ++id) {
    threads.emplace_back([&, id] { wrong[id] = Compare(index, c, c.seed * 100 + id, id, 8, 300); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& one : wrong) EXPECT_EQ(one, "");
}

INSTANTIATE_TEST_SUITE_P(
    Budgets, PrefixIndexOracle,
    ::testing::Values(Case{1, 16 << 20, 20, 2, true}, Case{2, 16 << 20, 900, 1, true},
                      Case{3, 20'000, 20, 2, false}, Case{4, 30'000, 900, 2, false},
                      Case{5, 20'000, 700, 2, false}, Case{6, 60'000, 300, 2, false},
                      Case{7, 6'000, 50, 2, false}, Case{8, 100'000, 1000, 3, false},
                      Case{9, 30'000, 400, 5, false}, Case{10, 64 << 20, 40, 2, true, 1500, 4},
                      Case{11, 80'000, 40, 2, false, 1500, 4}));

}  // namespace
}  // namespace gw
