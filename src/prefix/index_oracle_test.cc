// The index against the obvious version of it: a map of sets, a list in the order of use, and a
// count of cells for the budget.

#include <gtest/gtest.h>

#include <algorithm>
#include <list>
#include <map>
#include <set>
#include <vector>

#include "base/random.h"
#include "prefix/cell.h"
#include "prefix/index.h"

namespace gw {
namespace {

using Hashes = std::vector<uint64_t>;
constexpr size_t kSegment = 16;

class Oracle {
 public:
  Oracle(size_t cells_max, uint32_t slots) : cells_max_(cells_max), generation_(slots) {}

  std::vector<uint32_t> Match(const Hashes& hashes, const std::vector<uint32_t>& slots) {
    std::vector<uint32_t> hits(slots.size(), 0);
    bool going = !slots.empty();
    for (size_t begin = 0; going && begin < hashes.size(); begin += kSegment) {
      Hashes met;
      const size_t end = std::min(begin + kSegment, hashes.size());
      for (size_t i = begin; going && i < end; ++i) {
        going = Meet(hashes[i]);
        if (!going) break;
        met.push_back(hashes[i]);
        going = false;
        for (size_t s = 0; s < slots.size(); ++s) {
          if (hits[s] != i || !blocks_[hashes[i]].holders.contains(slots[s])) continue;
          ++hits[s];
          going = true;
        }
      }
      for (size_t i = met.size(); i-- > 0;) MarkUsed(met[i]);
    }
    return hits;
  }

  void Insert(const Hashes& hashes, uint32_t slot, uint32_t held = 0) {
    if (held == hashes.size()) return;
    for (size_t i = hashes.size(); i-- > held / kSegment * kSegment;) InsertBlock(hashes[i], slot);
  }

  void RemoveEndpoint(uint32_t slot) { ++generation_[slot]; }

  size_t blocks() const { return blocks_.size(); }
  uint64_t evicted() const { return evicted_; }

 private:
  struct Block {
    std::map<uint32_t, uint32_t> holders;  // slot -> generation
    bool many = false;
    std::list<uint64_t>::iterator use;
  };

  static size_t Cells(const Block& block) {
    if (!block.many) return 1;
    std::set<uint32_t> groups;
    for (const auto& [slot, generation] : block.holders) {
      groups.insert(slot / internal::HolderGroup::kSlots);
    }
    return 1 + groups.size();
  }

  void Refresh(Block& block) {
    used_ -= Cells(block);
    std::erase_if(block.holders, [&](const auto& h) { return generation_[h.first] != h.second; });
    if (block.holders.size() <= internal::Block::kFewHolders) block.many = false;
    used_ += Cells(block);
  }

  bool Meet(uint64_t hash) {
    const auto it = blocks_.find(hash);
    if (it == blocks_.end()) return false;
    Refresh(it->second);
    if (!it->second.holders.empty()) return true;
    Remove(hash);
    return false;
  }

  void Remove(uint64_t hash) {
    used_ -= Cells(blocks_[hash]);
    order_.erase(blocks_[hash].use);
    blocks_.erase(hash);
  }

  void MarkUsed(uint64_t hash) { order_.splice(order_.end(), order_, blocks_[hash].use); }

  bool Reserve(size_t cells, const uint64_t* kept) {
    while (cells_max_ - used_ < cells) {
      if (order_.empty() || (kept != nullptr && order_.front() == *kept)) return false;
      Remove(order_.front());
      ++evicted_;
    }
    return true;
  }

  void InsertBlock(uint64_t hash, uint32_t slot) {
    if (blocks_.contains(hash)) {
      Refresh(blocks_[hash]);
      MarkUsed(hash);
    } else {
      if (!Reserve(1, nullptr)) return;
      blocks_[hash].use = order_.insert(order_.end(), hash);
      ++used_;
    }
    Block& block = blocks_[hash];
    if (block.holders.contains(slot)) return;
    Block grown = block;
    grown.holders[slot] = generation_[slot];
    grown.many |= grown.holders.size() > internal::Block::kFewHolders;
    const size_t more = Cells(grown) - Cells(block);
    if (!Reserve(more, &hash)) return;
    block.holders = grown.holders;
    block.many = grown.many;
    used_ += more;
  }

  const size_t cells_max_;
  size_t used_ = 0;
  uint64_t evicted_ = 0;
  std::vector<uint32_t> generation_;
  std::map<uint64_t, Block> blocks_;
  std::list<uint64_t> order_;  // least recently used first
};

// Blocks with one holder are one cell each, so the most blocks are the most cells.
size_t CellsOf(const PrefixIndex::Options& options) {
  PrefixIndex index(options);
  for (uint64_t i = 1; index.stats().evicted_blocks == 0; ++i) index.Insert({{i}}, 0);
  return index.stats().blocks;
}

struct Case {
  uint64_t seed;
  size_t bytes;
  uint32_t slots;
  uint64_t branches;  // prompts form a tree of this width: smaller means more sharing
};

class PrefixIndexOracle : public ::testing::TestWithParam<Case> {};

TEST_P(PrefixIndexOracle, AgreesOnEveryOperation) {
  const Case& c = GetParam();
  const PrefixIndex::Options options{.bytes_max = c.bytes, .shards = 1, .endpoints_max = c.slots};
  PrefixIndex index(options);
  Oracle oracle(CellsOf(options), c.slots);
  Random random(c.seed);
  const int steps = c.slots > 500 ? 1200 : 3000;
  for (int step = 0; step < steps; ++step) {
    Hashes prompt(1 + random.Below(50));
    uint64_t node = 0x1234;
    for (uint64_t& hash : prompt) hash = node = Random(node + random.Below(c.branches)).Next();
    // Most prompts go to a few hot slots, so that holders are few and many.
    const uint32_t slot = static_cast<uint32_t>(random.Below(random.Below(2) ? 4 : c.slots));
    const uint64_t choice = random.Below(100);
    if (choice < 3) {
      index.RemoveEndpoint(slot);
      oracle.RemoveEndpoint(slot);
    } else if (choice < 50) {
      index.Insert(prompt, slot);
      oracle.Insert(prompt, slot);
    } else {
      std::vector<uint32_t> slots;
      const uint64_t density = 1 + random.Below(4) * random.Below(40);
      for (uint32_t s = 0; s < c.slots; ++s) {
        if (random.Below(density) == 0) slots.push_back(s);
      }
      for (size_t i = slots.size(); i > 1; --i) std::swap(slots[i - 1], slots[random.Below(i)]);
      std::vector<uint32_t> hits(slots.size());
      index.Match(prompt, slots, hits);
      ASSERT_EQ(hits, oracle.Match(prompt, slots)) << "step " << step;
      if (!slots.empty() && random.Below(2) == 0) {
        // As a request does: it goes where much of it is.
        const size_t best = std::max_element(hits.begin(), hits.end()) - hits.begin();
        index.Insert(prompt, slots[best], hits[best]);
        oracle.Insert(prompt, slots[best], hits[best]);
      }
    }
    ASSERT_EQ(index.stats().blocks, oracle.blocks()) << "step " << step;
    ASSERT_EQ(index.stats().evicted_blocks, oracle.evicted()) << "step " << step;
    ASSERT_LE(index.stats().bytes, c.bytes);
  }
}

INSTANTIATE_TEST_SUITE_P(Budgets, PrefixIndexOracle,
                         ::testing::Values(Case{1, 4 << 20, 20, 2}, Case{2, 4 << 20, 900, 1},
                                           Case{3, 20'000, 20, 2}, Case{4, 20'000, 900, 1},
                                           Case{5, 12'000, 700, 1}, Case{6, 60'000, 300, 2},
                                           Case{7, 6'000, 50, 1}, Case{8, 200'000, 1000, 3},
                                           Case{9, 30'000, 400, 5}));

}  // namespace
}  // namespace gw
