// Indexes that tell each other what was inserted (InsertBehind) against one map of all insertions.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "prefix/index.h"

namespace gw {
namespace {

using Hashes = std::vector<uint64_t>;
constexpr uint32_t kSlots = 12;

struct Told {
  Hashes marks;
  Hashes tail;
  uint32_t slot;
};

Told Tell(const Hashes& prompt, size_t held, uint32_t slot) {
  const size_t marked = PrefixIndex::MarkedOf(held);
  Told told{{}, {prompt.begin() + static_cast<ptrdiff_t>(marked), prompt.end()}, slot};
  for (size_t at = PrefixIndex::kMarkStride - 1; at < marked; at += PrefixIndex::kMarkStride) {
    told.marks.push_back(prompt[at]);
  }
  return told;
}

struct Case {
  uint64_t seed;
  uint64_t blocks;    // of a prompt, at most
  uint64_t stretch;   // as many blocks go together
  uint64_t branches;  // ways on from each stretch
  uint64_t lost;      // of a hundred messages
  uint64_t late;      // of a hundred arrive some steps later
  uint64_t blocks_max = 0;
  size_t bytes = 64 << 20;
};

Hashes Prompt(Random* random, const Case& c) {
  Hashes prompt(1 + random->Below(c.blocks));
  uint64_t node = 0x1234;
  for (size_t i = 0; i < prompt.size(); ++i) {
    const uint64_t branch = i % c.stretch == 0 ? random->Below(c.branches) : 0;
    prompt[i] = node = Random(node + branch).Next();
  }
  return prompt;
}

class SharedIndexes : public ::testing::TestWithParam<Case> {
 protected:
  static constexpr size_t kGateways = 3;

  SharedIndexes() {
    for (auto& index : indexes) {
      index = std::make_unique<PrefixIndex>(PrefixIndex::Options{.bytes_max = c.bytes + (8u << 20),
                                                                 .names_bytes_max = 8u << 20,
                                                                 .shards = 4,
                                                                 .endpoints_max = kSlots,
                                                                 .marks = true});
    }
  }

  void Deliver(size_t to, const Told& told) {
    indexes[to]->InsertBehind(told.marks, told.tail, told.slot, c.blocks_max);
  }

  // A request at a gateway, sent to where most of it is or somewhere, and told to the others.
  void Step() {
    const Hashes prompt = Prompt(&random, c);
    const size_t gateway = random.Below(kGateways);
    std::vector<uint32_t> slots(kSlots);
    for (uint32_t i = 0; i < kSlots; ++i) slots[i] = i;
    std::vector<uint32_t> hits(kSlots);
    indexes[gateway]->Match(prompt, slots, hits);
    for (uint32_t slot = 0; slot < kSlots; ++slot) {
      uint32_t held = 0;
      while (held < prompt.size() && holders[prompt[held]].contains(slot)) ++held;
      ASSERT_LE(hits[slot], held) << "gateway " << gateway << ", slot " << slot;
      claimed += hits[slot];
      true_hits += held;
    }
    const bool best = random.Below(3) != 0;
    const auto slot = static_cast<uint32_t>(
        best ? std::max_element(hits.begin(), hits.end()) - hits.begin() : random.Below(kSlots));
    indexes[gateway]->Insert(prompt, slot, hits[slot], c.blocks_max);
    for (const uint64_t hash : prompt) holders[hash].insert(slot);
    const Told told = Tell(prompt, hits[slot], slot);
    for (size_t to = 0; to < kGateways; ++to) {
      if (to == gateway || random.Below(100) < c.lost) continue;
      if (random.Below(100) < c.late) {
        late.push_back({to, told});
      } else {
        Deliver(to, told);
      }
    }
    while (late.size() > 5) {
      const size_t i = random.Below(late.size());
      Deliver(late[i].first, late[i].second);
      late.erase(late.begin() + static_cast<ptrdiff_t>(i));
    }
  }

  double Share() const { return static_cast<double>(claimed) / static_cast<double>(true_hits); }

  const Case& c = GetParam();
  Random random{c.seed};
  std::unique_ptr<PrefixIndex> indexes[kGateways];
  std::map<uint64_t, std::set<uint32_t>> holders;
  std::vector<std::pair<size_t, Told>> late;
  uint64_t claimed = 0;
  uint64_t true_hits = 0;
};

TEST_P(SharedIndexes, ClaimWhatIsThereAndNothingElse) {
  for (int i = 0; i < 1500 && !HasFatalFailure(); ++i) Step();
  ASSERT_GT(true_hits, 0u);
  if (c.blocks_max != 0) return;  // the map forgets nothing
  if (c.lost == 0 && c.late == 0) {
    EXPECT_EQ(claimed, true_hits);
  } else {
    EXPECT_GT(Share(), 0.9);
  }
}

INSTANTIATE_TEST_SUITE_P(Traffic, SharedIndexes,
                         ::testing::Values(Case{1, 60, 10, 2, 0, 0}, Case{2, 900, 100, 2, 0, 0},
                                           Case{3, 900, 7, 1, 0, 0}, Case{4, 1500, 300, 3, 0, 0},
                                           Case{5, 300, 31, 2, 0, 0}, Case{6, 300, 40, 2, 5, 0},
                                           Case{7, 300, 40, 2, 0, 20}, Case{8, 300, 40, 2, 5, 20},
                                           Case{9, 300, 40, 2, 0, 0, 2000},
                                           Case{10, 300, 40, 2, 1, 5, 700},
                                           Case{11, 900, 100, 3, 0, 0, 3000, 60'000}));

// A conversation that goes on at other gateways is not let go sooner than those beside it.
TEST(SharedIndex, UseElsewhereKeepsAConversation) {
  PrefixIndex here({.bytes_max = 32u << 20,
                    .names_bytes_max = 4u << 20,
                    .shards = 4,
                    .endpoints_max = 4,
                    .marks = true});
  constexpr uint64_t kRoom = 2000;
  const auto text = [](uint64_t seed, size_t blocks) {
    Hashes prompt(blocks);
    uint64_t node = seed;
    for (uint64_t& hash : prompt) hash = node = Random(node).Next();
    return prompt;
  };
  const Hashes conversation = text(7, 600);
  here.Insert(conversation, 1, 0, kRoom);
  for (uint64_t i = 0; i < 20; ++i) {
    here.Insert(text(100 + i, 300), 1, 0, kRoom);
    const Told told = Tell(conversation, conversation.size(), 1);
    here.InsertBehind(told.marks, told.tail, told.slot, kRoom);
  }
  uint32_t hit = 0;
  const uint32_t slot = 1;
  here.Match(conversation, {&slot, 1}, {&hit, 1});
  EXPECT_EQ(hit, conversation.size());
  const Hashes other = text(100, 300);
  here.Match(other, {&slot, 1}, {&hit, 1});
  EXPECT_EQ(hit, 0u);
}

// A new index that takes over what another one has knows as much, and can be told how it goes on.
TEST_P(SharedIndexes, ANewOneBeginsWithWhatAnotherHas) {
  for (int i = 0; i < 600 && !HasFatalFailure(); ++i) Step();
  PrefixIndex& from = *indexes[0];
  auto fresh = std::make_unique<PrefixIndex>(PrefixIndex::Options{.bytes_max = c.bytes + (8u << 20),
                                                                  .names_bytes_max = 8u << 20,
                                                                  .shards = 8,
                                                                  .endpoints_max = kSlots,
                                                                  .marks = true});
  RunCopy run;
  for (const uint64_t name : from.RunNames(SIZE_MAX)) {
    ASSERT_TRUE(from.CopyRun(name, &run));
    fresh->AdoptRun(run, std::vector<uint64_t>(run.holders.size(), c.blocks_max));
  }
  std::vector<MarkCopy> marks;
  for (size_t part = 0; part < 7; ++part) {
    from.CopyMarks(part, 7, &marks);
    for (const MarkCopy& mark : marks) fresh->AdoptMark(mark);
  }
  std::vector<uint32_t> slots(kSlots);
  for (uint32_t i = 0; i < kSlots; ++i) slots[i] = i;
  std::vector<uint32_t> hits(kSlots), copied(kSlots);
  uint64_t there = 0, taken = 0;
  for (int i = 0; i < 200; ++i) {
    const Hashes prompt = Prompt(&random, c);
    from.Match(prompt, slots, hits);
    fresh->Match(prompt, slots, copied);
    for (uint32_t slot = 0; slot < kSlots; ++slot) {
      EXPECT_LE(copied[slot], hits[slot]);
      there += hits[slot];
      taken += copied[slot];
    }
  }
  if (c.blocks_max == 0) {
    EXPECT_EQ(taken, there);
  } else {
    // What goes first is not in the same order.
    EXPECT_GT(taken, there / 2);
  }
  indexes[1] = std::move(fresh);
  claimed = true_hits = 0;
  for (int i = 0; i < 600 && !HasFatalFailure(); ++i) Step();
  if (c.blocks_max == 0 && c.lost == 0 && c.late == 0) EXPECT_EQ(claimed, true_hits);
}

}  // namespace
}  // namespace gw
