// A run: a stretch of blocks of one prompt, and the 64-byte cells that all of a shard's memory is
// made of. One size means one free list, so that any cell given back can become anything, and the
// byte budget is a number of cells.
//
// A run is named by the hash of its first block. Of the blocks behind it 32 bits of the hash are
// kept: hashes are chained, so that a block is only ever compared with the one block that can
// follow those before it. A prompt that leaves a run anywhere goes on in another run, named by the
// first block that differs; so no run is ever split, or needs to know the run before it.

#pragma once

#include <cstdint>

namespace gw::internal {

// The most blocks of a run: what is compared, copied or freed under one lock, and a part of a
// shard's memory that is small even with little of it.
inline constexpr uint32_t kRunBlocksMax = 256;
inline constexpr uint32_t kCellHashes = 16;

// When an endpoint was last sent leading blocks of a run, and how many: touch << 8 | blocks - 1. A
// touch is a number that grows with time (prefix/endpoints.h), never 0.
inline constexpr uint64_t PackUse(uint64_t touch, uint32_t blocks) {
  return touch << 8 | (blocks - 1);
}
// A use that holds nothing.
inline constexpr uint64_t kNoUse = 0;
inline constexpr uint64_t TouchOf(uint64_t use) { return use >> 8; }
inline constexpr uint32_t BlocksOf(uint64_t use) { return static_cast<uint32_t>(use & 0xFF) + 1; }

struct Run {
  static constexpr uint32_t kInlineHolders = 2;

  uint64_t name;  // hash of the first block
  uint64_t uses[kInlineHolders];
  uint16_t slots[kInlineHolders];
  uint32_t last;   // of the last block's hash; 0 if it is not known
  uint32_t newer;  // neighbours in the order of writing, 0 at the ends
  uint32_t older;
  uint32_t base;           // the number of the first block in its prompt
  uint32_t more_holders;   // the first HolderCell; 0: all are here
  uint32_t dense_holders;  // the first HolderGroup; 0: none (prefix/holders.h)
  uint32_t hashes;         // a cell of hashes, or of the numbers of several such cells
  uint16_t blocks;
  uint16_t met;  // leading blocks that were met since it was last written
  uint16_t holder_count;
  uint16_t level;  // blocks that HolderGroup::whole speaks of

  static constexpr uint32_t CellsOf(uint32_t blocks) {
    return (blocks - 1 + kCellHashes - 1) / kCellHashes;
  }
  uint32_t hash_cells() const { return CellsOf(blocks); }
};

struct HolderCell {
  static constexpr uint32_t kHolders = 6;
  uint64_t uses[kHolders];
  uint16_t slots[kHolders];
  uint32_t next;  // 0 for the last
};

// The holders among 64 neighbouring slots of a run that many hold.
struct HolderGroup {
  static constexpr uint32_t kSlots = 64;
  static constexpr uint32_t kCellUses = 8;

  uint64_t whole;                     // who holds Run::level blocks or more
  uint64_t some;                      // who has a use here
  uint32_t cuts;                      // of the group's endpoints, that the two above count
  uint32_t next;                      // in the order of groups, 0 for the last
  uint32_t group;                     // slots [group * kSlots, (group + 1) * kSlots)
  uint32_t uses[kSlots / kCellUses];  // cells, by slot; 0: nobody's
};

union Cell {
  Run run;
  HolderCell holders;
  HolderGroup group;
  uint64_t uses[HolderGroup::kCellUses];
  uint32_t hashes[kCellHashes];
  uint32_t numbers[kCellHashes];
  uint32_t next_free;
};
static_assert(sizeof(Cell) == 64);
static_assert(Run::CellsOf(kRunBlocksMax) <= kCellHashes);

}  // namespace gw::internal
