// The 32-byte cell that all of a shard's memory is made of: a block, or a part of a block's
// holders. One size means one free list, so that any cell given back can become anything, and the
// byte budget is a number of cells.

#pragma once

#include <cstdint>
#include <cstring>

namespace gw::internal {

// The endpoints of one group of 192 neighbouring slots that hold a block. A block with many holders
// has a list of these, in the order of their groups: one bit per endpoint, and hot blocks (a system
// prompt that all endpoints hold) intersect a word at a time.
struct HolderGroup {
  static constexpr uint32_t kWords = 3;
  static constexpr uint32_t kSlots = 64 * kWords;

  uint32_t next;   // cell, 0 for the last
  uint32_t group;  // covers slots [group * kSlots, (group + 1) * kSlots)
  uint64_t bits[kWords];
};

struct Block {
  static constexpr uint32_t kFewHolders = 5;
  static constexpr uint16_t kMany = 0xFFFF;

  uint64_t hash;
  uint32_t newer;  // neighbours in the order of use, 0 at the ends
  uint32_t older;
  uint32_t epoch;  // of the removals that the holders reflect
  uint16_t count;  // of `holders`; kMany: they hold the cell number of a HolderGroup instead
  uint16_t holders[kFewHolders];

  bool many() const { return count == kMany; }
  uint32_t first_group() const {
    uint32_t cell;
    std::memcpy(&cell, holders, sizeof(cell));
    return cell;
  }
  void set_first_group(uint32_t cell) {
    count = kMany;
    std::memcpy(holders, &cell, sizeof(cell));
  }
};

union Cell {
  Block block;
  HolderGroup holders;
  uint32_t next_free;
};
static_assert(sizeof(Cell) == 32);

}  // namespace gw::internal
