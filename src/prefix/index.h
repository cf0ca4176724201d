// PrefixIndex: which endpoint is believed to hold which prompt block, learned from what was sent.
//
// What is kept are runs: stretches of blocks of one prompt that were new when it was inserted, up
// to 256 blocks, with who holds how much of each (prefix/run.h). A prompt that leaves a run goes on
// in another one.
//
// One byte budget for the whole index, accounted exactly and split evenly over the shards; it is
// taken as it fills. When a shard's part is used up, what was written longest ago and not met since
// goes first, the ends of prompts before their beginnings. One short lock per run, spread over the
// shards by hash, so that no global lock stands on the request path. Removing an endpoint is O(1),
// and so is forgetting what it has let go for later prompts, of which it is known how much it holds
// (prefix/endpoints.h): stale holders are told by their time, and forgotten when their run is next
// met. Any thread may call.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "prefix/run_copy.h"

namespace gw {

class PrefixIndex {
 public:
  struct Options {
    size_t bytes_max = 256u << 20;
    size_t names_bytes_max = 0;    // of them, for names of single blocks: 24 bytes each
    size_t shards = 64;            // power of two
    size_t endpoints_max = 65536;  // slots are below this; at most 65536
    // True: one block in kMarkStride of what is inserted is named, so that InsertBehind finds it.
    bool marks = false;
    // False: Insert's blocks_max says nothing, since all that endpoints forget is told
    // (RemoveBlock).
    bool guesses_evictions = true;
  };
  struct Stats {
    size_t bytes = 0;  // never above bytes_max, unless that is below the fixed part
    size_t blocks = 0;
    uint64_t evicted_blocks = 0;
    uint64_t lookups = 0;  // Match calls
    uint64_t looked_up_blocks = 0;
    uint64_t hit_blocks = 0;  // longest hit of each Match, summed
  };

  explicit PrefixIndex(const Options& options);
  ~PrefixIndex();

  // All take `hashes` that are chained (prefix/block_hash.h): blocks of one hash have the same
  // blocks before them.

  // What Match is going to look at comes nearer, if there is something to do meanwhile.
  void Prefetch(std::span<const uint64_t> hashes);
  // hit_blocks[i] = number of leading `hashes` that slot slots[i] holds without a gap.
  // Marks the blocks met as used. Stops at the first block that none of `slots` holds.
  // REQUIRES: slots.size() == hit_blocks.size(); slots are distinct
  void Match(std::span<const uint64_t> hashes, std::span<const uint32_t> slots,
             std::span<uint32_t> hit_blocks);
  // The endpoint at `slot` was sent a prompt with these blocks, from its first on. `held`: as many
  // leading ones were just found there by Match, and are left as they are: a conversation that goes
  // on costs no more than its new part. `blocks_max`: as many blocks as the endpoint has room for,
  // of all prompts together; 0: not known. What was sent there longest ago is no longer believed to
  // be there once it would be more, the ends of prompts before their beginnings.
  void Insert(std::span<const uint64_t> hashes, uint32_t slot, uint32_t held = 0,
              uint64_t blocks_max = 0);

  // What another index says of an insertion, in a few words: the hashes of the prompt's first
  // blocks are not told, but one in kMarkStride of them (its last one), the `marks`. `tail` is all
  // that is behind them. Whatever is known here of the marks' blocks, and of those between them
  // where the endpoint holds those, is used by the endpoint just now; and it holds the tail behind
  // them. REQUIRES: Options::marks
  void InsertBehind(std::span<const uint64_t> marks, std::span<const uint64_t> tail, uint32_t slot,
                    uint64_t blocks_max);
  static constexpr size_t kMarkStride = 32;
  // As many leading blocks of a prompt are told by marks alone if the receiver knows of `held`.
  static constexpr size_t MarkedOf(size_t held) { return held / kMarkStride * kMarkStride; }

  // What another index that is new may begin with. Names of runs, at most about so many blocks,
  // what was written longest ago first. REQUIRES, of all four: Options::marks
  std::vector<uint64_t> RunNames(size_t blocks_max) const;
  // False: it is no longer there.
  bool CopyRun(uint64_t name, RunCopy* run);
  // Holders' slots are this index's; what they hold is used just now. `blocks_max`: of each of
  // them.
  void AdoptRun(const RunCopy& run, std::span<const uint64_t> blocks_max);
  // Of one part of `parts`, all that there are in [0, parts).
  void CopyMarks(size_t part, size_t parts, std::vector<MarkCopy>* marks) const;
  void AdoptMark(const MarkCopy& mark);

  // Single blocks, for who learns of them one by one: the events of a model server's KV cache. What
  // was given no name, or long ago, is not found. A name is that of a place, and an insertion may
  // move a block to another one: a prompt's blocks are named anew after each Insert.

  // names[i] is one of the block of hashes[first + i], which is behind those before it: its own
  // hash, or what a model server calls it. A name means one block, whoever holds it.
  // REQUIRES: first + names.size() <= hashes.size()
  void NameBlocks(std::span<const uint64_t> hashes, size_t first, std::span<const uint64_t> names);
  // True if the endpoint is believed to hold the block, whether or not those before it.
  bool HoldsBlock(uint64_t name, uint32_t slot);
  // The endpoint does not hold it any more. False if it was not believed to.
  //
  // No prompt hits there past the block from now on, whatever is behind it: a model server takes a
  // prompt's blocks from its cache as far as they reach without a gap, and computes the rest. What
  // is behind the block in its run (at most 255 blocks) is forgotten with it, since a run knows of
  // a holder how far it holds and no gaps; what is in later runs stays believed, out of reach. When
  // the block is inserted again, alone, the later runs are within reach again where the block was
  // the last of its run; else the rest of its run is missing until a prompt with those blocks is
  // sent there. That errs on the side of too little: engines free the end of a prompt before its
  // beginning, so that seldom anything is left behind a block that was removed.
  bool RemoveBlock(uint64_t name, uint32_t slot);

  // The slot may be given to another endpoint as soon as this returns.
  void RemoveEndpoint(uint32_t slot);

  Stats stats() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gw
