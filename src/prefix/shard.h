// One lock's share of the prefix index: a hash table of blocks, least recently used out first.
//
// The table (open addressing, linear probing) holds a tag and a cell number per block, the cells
// hold the blocks (prefix/cell.h). All memory is reserved at construction and never moved, so no
// request waits for a table to grow; the system backs a page of it when it is first written.

#pragma once

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <span>

#include "prefix/cell.h"
#include "prefix/removals.h"
#include "prefix/survivors.h"

namespace gw::internal {

// The blocks of a prompt go to the shards in segments of this many: long enough that a lock is
// taken seldom and their memory accesses overlap, short enough that a prompt spreads over the
// shards.
inline constexpr size_t kSegmentBlocks = 16;

class alignas(64) IndexShard {
 public:
  // Uses at most `bytes_max`, all of itself included; holds nothing if that is too little.
  // REQUIRES: `removals` outlives the shard
  IndexShard(size_t bytes_max, const Removals* removals);

  // Hands the blocks named by `hashes` to `survivors`, up to the first that is not there or that
  // leaves none. `first_block` is the number of the first in its prompt. Marks the blocks met as
  // used, the earliest one last. Returns how many were held by a candidate that held all before.
  // REQUIRES: hashes.size() <= kSegmentBlocks
  size_t Match(std::span<const uint64_t> hashes, uint32_t first_block, Survivors* survivors);
  // Adds a holder to each block, the last one first, so that of one prompt the end is evicted
  // first. REQUIRES: hashes.size() <= kSegmentBlocks
  void Insert(std::span<const uint64_t> hashes, uint16_t slot);
  // Start loading what Match and Insert will look at: the table's lines, then, when those have
  // come, the blocks. Memory is slower than all else here, and these overlap. They take no lock:
  // what they see may be out of date, and only speed depends on it.
  void PrefetchTable(std::span<const uint64_t> hashes) const;
  void PrefetchBlocks(std::span<const uint64_t> hashes) const;

  struct Stats {
    size_t bytes;
    size_t blocks;
    uint64_t evicted_blocks;
  };
  Stats stats() const;

 private:
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };

  uint32_t Find(uint64_t hash) const;
  size_t PlaceOf(uint32_t tag) const;
  size_t Next(size_t place) const { return place + 1 < table_size_ ? place + 1 : 0; }
  size_t Distance(size_t home, size_t place) const;
  void AddToTable(uint64_t hash, uint32_t cell);
  void EraseFromTable(uint64_t hash, uint32_t cell);
  uint32_t FindOrAdd(uint64_t hash, uint32_t epoch);
  void AddHolder(uint32_t cell, uint16_t slot);
  void SpreadHolders(uint32_t cell, uint16_t slot);
  void AddToGroups(uint32_t cell, uint16_t slot);

  // Forgets holders that were removed since the block was last looked at. Returns whether any is
  // left.
  bool Refresh(uint32_t cell, uint32_t epoch);
  void RefreshGroups(Block* block);
  // Makes `cells` allocations possible, by evicting blocks other than `kept`.
  bool Reserve(size_t cells, uint32_t kept);
  // Inlined, because GCC drops calls of functions that do nothing but prefetch (it finds them
  // pure).
  [[gnu::always_inline]] inline void PrefetchVictims(size_t cells) const;
  size_t unused_cells() const { return free_cells_ + (cells_max_ - cells_used_); }
  uint32_t Allocate();
  void FreeCell(uint32_t cell);
  void RemoveBlock(uint32_t cell);
  // The cells from `newest` to `oldest` stand side by side in the order of use, or are one.
  void LinkNewest(uint32_t newest, uint32_t oldest);
  void Unlink(uint32_t newest, uint32_t oldest);
  // Makes the cells the last used, the first of them the very last.
  void MarkUsed(std::span<const uint32_t> cells);

  mutable std::mutex mutex_;
  const Removals* removals_;
  // Cell 0 is not used: 0 means none.
  std::unique_ptr<Cell[], Free> cells_;
  // tag << 32 | cell, 0 for an empty place. The tag is the upper half of the mixed hash and says
  // where the search begins, so erasing need not look at cells. Written under the lock, read
  // without it by PrefetchBlocks.
  std::unique_ptr<std::atomic<uint64_t>[], Free> table_;
  size_t table_size_ = 0;
  size_t cells_max_ = 0;   // without cell 0
  size_t cells_used_ = 0;  // ever; those beyond were never touched
  size_t free_cells_ = 0;
  uint32_t first_free_ = 0;
  uint32_t newest_ = 0;
  uint32_t oldest_ = 0;
  size_t blocks_ = 0;
  uint64_t evicted_blocks_ = 0;
};

}  // namespace gw::internal
