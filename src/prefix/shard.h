// One lock's share of the prefix index: a hash table of runs, and which of them go first.
//
// Runs stand in the order in which they were written. Room is made at the oldest: one that was met
// since goes to the other end again, cut to what was met, and any other loses its end, a cell of
// hashes at a time. So prompts that never return leave without pushing out what does, and nothing
// is moved when a run is met.

#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/mutex.h"
#include "prefix/block_names.h"
#include "prefix/cell_pool.h"
#include "prefix/endpoints.h"
#include "prefix/holders.h"
#include "prefix/run_copy.h"
#include "prefix/run_table.h"
#include "prefix/survivors.h"

namespace gw::internal {

class alignas(64) IndexShard {
 public:
  // What a prompt met of a run.
  struct Met {
    uint32_t blocks = 0;  // 0: there is no such run
    bool to_its_end = false;
  };

  // Uses at most `bytes_max`, all of itself included; holds nothing if that is too little.
  // REQUIRES: `endpoints` outlives the shard
  IndexShard(size_t bytes_max, const Endpoints* endpoints);

  // Without the lock: what is known of a run of that name comes nearer, in two steps, so that the
  // memory of many is asked for at once.
  void PrefetchName(uint64_t name) const {
    if (has_room()) table_.PrefetchSlot(name);
  }
  void PrefetchRun(uint64_t name) const {
    if (has_room()) table_.PrefetchRun(name);
  }

  // All but Has, until Peek, take `hashes`: what is left of a prompt from its block number `base`
  // on. They look at the run that starts there, and at no more of the prompt than kRunBlocksMax.

  // Hands the holders to `survivors`. A run that nobody holds any more is not there.
  Met Match(std::span<const uint64_t> hashes, uint32_t base, Survivors* survivors);
  // The touch's endpoint holds what the prompt meets of the run. It is known to hold `held`, which
  // is left as it is if nobody counts.
  Met Use(std::span<const uint64_t> hashes, uint32_t base, const Touch& touch, uint32_t held);
  bool Has(uint64_t name) const;
  // Writes a run of as many of the blocks as fit one, unless there is no room; false if there is a
  // run of that name.
  // `held`: as many of them the touch's endpoint holds.
  bool Add(std::span<const uint64_t> hashes, uint32_t base, const Touch& touch,
           size_t held = kRunBlocksMax);
  // Puts what follows the leading `blocks` behind the run and holds all of it; false if the run has
  // not just these any more, or no room. REQUIRES: blocks < hashes.size() <= kRunBlocksMax
  bool Append(std::span<const uint64_t> hashes, uint32_t base, uint32_t blocks, const Touch& touch);

  // The same for who knows a prompt only from one of its blocks on, by where that stands: `behind`
  // is what follows it. Met counts what was met behind the place, which is within reach of the
  // touch's endpoint as well. False: the block is no longer there.
  bool UseBehind(const BlockPlace& place, std::span<const uint64_t> behind, const Touch& touch,
                 Met* met);
  // Puts `more` behind the run's `blocks`, the last of which stands at the place.
  bool AppendBehind(const BlockPlace& place, std::span<const uint64_t> more, const Touch& touch);
  // The endpoint uses the block at the place, those before it in its run, and those behind it that
  // it holds anyway, below number `end` of the run. False: the block is no longer there.
  bool UseUpTo(const BlockPlace& place, uint32_t end, const Touch& touch);

  // How many leading blocks of the run the prompt has, whoever holds them.
  uint32_t Peek(std::span<const uint64_t> hashes, uint32_t base) const;
  bool HoldsBlock(const BlockPlace& place, uint32_t slot);
  // The block, and what is behind it in its run, is no longer there. False if it was not anyway.
  bool RemoveBlock(const BlockPlace& place, uint32_t slot, std::vector<Move>* moves);
  // Removes the run of that name, whoever holds it.
  void Drop(uint64_t name, uint32_t base);

  // Names of runs, those written last first, until they have `blocks_max` blocks.
  std::vector<uint64_t> Names(size_t blocks_max) const;
  // False: there is no such run.
  bool Copy(uint64_t name, RunCopy* copy);

  struct Stats {
    size_t bytes;
    size_t blocks;
    uint64_t evicted_blocks;
  };
  Stats stats() const;

 private:
  bool has_room() const { return cells_max_ != 0; }
  uint32_t Matched(const Run& run, std::span<const uint64_t> hashes, uint32_t first = 0) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool Grow(uint32_t cell, std::span<const uint64_t> more, const Touch& touch)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  uint32_t* HashCell(Run& run, uint32_t number) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  uint32_t FindBlock(const BlockPlace& place) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Stores hashes behind the run's blocks. REQUIRES: the cells for them are unused
  void PutHashes(Run* run, std::span<const uint64_t> hashes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Hold(uint32_t cell, const Touch& touch, uint32_t blocks)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Makes `cells` allocations possible, and names for `runs`, at the cost of runs other than
  // `kept`.
  bool Reserve(size_t cells, uint32_t kept, size_t runs = 0) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CutLastCell(Run* run) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Cut(Run* run, uint32_t blocks) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Remove(uint32_t cell) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void LinkNewest(uint32_t cell) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Unlink(uint32_t cell) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable Mutex mutex_;
  CellPool cells_ ABSL_GUARDED_BY(mutex_);
  Holders holders_ ABSL_GUARDED_BY(mutex_);
  RunTable table_;
  size_t cells_max_ = 0;
  uint32_t newest_ ABSL_GUARDED_BY(mutex_) = 0;
  uint32_t oldest_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t blocks_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t evicted_blocks_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace gw::internal
