// KvPool: the blocks of a model server's KV cache, with prefix caching, as vLLM V1 keeps them.
//
// A block is referenced (by one or more sequences) or free. A full block has a name, the chained
// hash of its tokens and all before them; under its name it can be found and shared, also while it
// is free, until it is allocated to hold something else. The free list is therefore the cache:
// blocks are taken from its head, and go back to its tail, the end of a sequence first, so that
// what is least likely to be shared is lost first. Blocks without a name go back to the head, since
// nobody can find them.
//
// Several blocks may have one name (two sequences computed the same tokens at the same time); any
// of them serves.
//
// No clock, no I/O; one thread at a time. Nothing is allocated after construction.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace gw::sim {

using BlockId = uint32_t;

class KvPool {
 public:
  // REQUIRES: 0 < blocks < kNoBlock
  explicit KvPool(uint32_t blocks);

  uint32_t blocks() const { return static_cast<uint32_t>(blocks_.size()); }
  // Blocks that nobody references; named ones among them are still found.
  uint32_t free_blocks() const { return free_; }
  uint32_t named_blocks() const { return named_; }
  // Names lost because their block was allocated again.
  uint64_t evictions() const { return evictions_; }
  // Share of blocks referenced: what vllm:kv_cache_usage_perc says.
  double utilization_ratio() const { return 1.0 - static_cast<double>(free_) / blocks(); }

  // Appends the blocks of the longest run of leading `names` that are all found, without taking
  // them. Returns how many of them are free, so how many free blocks Share would use up.
  uint32_t Find(std::span<const uint64_t> names, std::vector<BlockId>* found) const;
  // Adds a reference to each.
  void Share(std::span<const BlockId> blocks);
  // Appends `count` blocks without name, with one reference each.
  // REQUIRES: count <= free_blocks()
  void Allocate(uint32_t count, std::vector<BlockId>* allocated);
  // Gives a block the name under which it can be found.
  // REQUIRES: referenced and without name
  void Name(BlockId block, uint64_t name);
  // Drops one reference of each, the last of `sequence` first.
  void Release(std::span<const BlockId> sequence);
  // Forgets all names, so that nothing is found (vLLM: POST /reset_prefix_cache). Refused, as
  // there, while any block is referenced.
  bool Reset();

  // Appends the name of each block that loses it to a new owner, where no other block has the name.
  void NoteEvictions(std::vector<uint64_t>* names) { evicted_ = names; }

  // For tests: stops the program if the free list, the counts and the table disagree.
  void CheckConsistent() const;
  uint32_t references(BlockId block) const { return blocks_[block].references; }

 private:
  static constexpr BlockId kNoBlock = UINT32_MAX;
  struct Block {
    uint64_t name = 0;
    uint32_t references = 0;
    BlockId previous = kNoBlock;  // in the free list
    BlockId next = kNoBlock;
    BlockId next_same_name = kNoBlock;
    BlockId previous_same_name = kNoBlock;
    bool named = false;
  };

  size_t SlotOf(uint64_t name) const;
  BlockId Lookup(uint64_t name) const;
  void EraseSlot(size_t slot);
  void Unname(BlockId block);
  void PushFront(BlockId block);
  void PushBack(BlockId block);
  void Unlink(BlockId block);

  std::vector<Block> blocks_;
  BlockId head_ = kNoBlock;
  BlockId tail_ = kNoBlock;
  uint32_t free_ = 0;
  uint32_t named_ = 0;
  uint64_t evictions_ = 0;
  std::vector<uint64_t>* evicted_ = nullptr;
  // Open addressing with linear probing: a slot holds the first block of a name. At most half full.
  std::vector<BlockId> table_;
  size_t mask_ = 0;
};

}  // namespace gw::sim
