#include "sim/engine/kv_pool.h"

#include <bit>

#include "base/check.h"

namespace gw::sim {

KvPool::KvPool(uint32_t blocks) : blocks_(blocks) {
  CHECK(blocks > 0 && blocks < kNoBlock);
  table_.assign(std::bit_ceil(size_t{blocks} * 2), kNoBlock);
  mask_ = table_.size() - 1;
  for (BlockId block = 0; block < blocks; ++block) PushBack(block);
}

uint32_t KvPool::Find(std::span<const uint64_t> names, std::vector<BlockId>* found) const {
  uint32_t found_free = 0;
  for (const uint64_t name : names) {
    const BlockId block = Lookup(name);
    if (block == kNoBlock) break;
    found->push_back(block);
    if (blocks_[block].references == 0) ++found_free;
  }
  return found_free;
}

void KvPool::Share(std::span<const BlockId> blocks) {
  for (const BlockId block : blocks) {
    if (blocks_[block].references++ == 0) Unlink(block);
  }
}

void KvPool::Allocate(uint32_t count, std::vector<BlockId>* allocated) {
  CHECK(count <= free_);
  for (; count > 0; --count) {
    const BlockId block = head_;
    Unlink(block);
    if (blocks_[block].named) {
      Unname(block);
      ++evictions_;
      const uint64_t name = blocks_[block].name;
      if (evicted_ != nullptr && Lookup(name) == kNoBlock) evicted_->push_back(name);
    }
    blocks_[block].references = 1;
    allocated->push_back(block);
  }
}

void KvPool::Name(BlockId block, uint64_t name) {
  Block& b = blocks_[block];
  CHECK(b.references > 0 && !b.named);
  b.name = name;
  b.named = true;
  b.previous_same_name = kNoBlock;
  b.next_same_name = kNoBlock;
  ++named_;
  const size_t slot = SlotOf(name);
  const BlockId first = table_[slot];
  if (first == kNoBlock) {
    table_[slot] = block;
    return;
  }
  // Behind the first one: the table stays as it is.
  b.previous_same_name = first;
  b.next_same_name = blocks_[first].next_same_name;
  if (b.next_same_name != kNoBlock) blocks_[b.next_same_name].previous_same_name = block;
  blocks_[first].next_same_name = block;
}

void KvPool::Release(std::span<const BlockId> sequence) {
  for (size_t i = sequence.size(); i-- > 0;) {
    Block& b = blocks_[sequence[i]];
    CHECK(b.references > 0);
    if (--b.references > 0) continue;
    if (b.named) {
      PushBack(sequence[i]);
    } else {
      PushFront(sequence[i]);
    }
  }
}

bool KvPool::Reset() {
  if (free_ != blocks()) return false;
  for (BlockId block = 0; block < blocks(); ++block) {
    if (blocks_[block].named) Unname(block);
  }
  return true;
}

// The slot of `name`, or the empty slot where it belongs. Names are hashes, so their bits are
// mixed; those of tests and traces need not be, hence the multiplication.
size_t KvPool::SlotOf(uint64_t name) const {
  size_t slot = ((name * 0x9e3779b97f4a7c15u) >> 20) & mask_;
  while (table_[slot] != kNoBlock && blocks_[table_[slot]].name != name) slot = (slot + 1) & mask_;
  return slot;
}

BlockId KvPool::Lookup(uint64_t name) const { return table_[SlotOf(name)]; }

void KvPool::Unname(BlockId block) {
  Block& b = blocks_[block];
  if (b.previous_same_name != kNoBlock) {
    blocks_[b.previous_same_name].next_same_name = b.next_same_name;
  } else {
    const size_t slot = SlotOf(b.name);
    if (b.next_same_name != kNoBlock) {
      table_[slot] = b.next_same_name;
    } else {
      EraseSlot(slot);
    }
  }
  if (b.next_same_name != kNoBlock) {
    blocks_[b.next_same_name].previous_same_name = b.previous_same_name;
  }
  b.named = false;
  --named_;
}

// Deletion from a table with linear probing (Knuth, volume 3, algorithm 6.4R): entries behind the
// gap move into it if their probe sequence crosses it, so that no tombstones are needed.
void KvPool::EraseSlot(size_t gap) {
  table_[gap] = kNoBlock;
  for (size_t slot = (gap + 1) & mask_; table_[slot] != kNoBlock; slot = (slot + 1) & mask_) {
    const uint64_t name = blocks_[table_[slot]].name;
    const size_t home = ((name * 0x9e3779b97f4a7c15u) >> 20) & mask_;
    if (((slot - home) & mask_) < ((slot - gap) & mask_)) continue;
    table_[gap] = table_[slot];
    table_[slot] = kNoBlock;
    gap = slot;
  }
}

void KvPool::PushFront(BlockId block) {
  Block& b = blocks_[block];
  b.previous = kNoBlock;
  b.next = head_;
  (head_ == kNoBlock ? tail_ : blocks_[head_].previous) = block;
  head_ = block;
  ++free_;
}

void KvPool::PushBack(BlockId block) {
  Block& b = blocks_[block];
  b.previous = tail_;
  b.next = kNoBlock;
  (tail_ == kNoBlock ? head_ : blocks_[tail_].next) = block;
  tail_ = block;
  ++free_;
}

void KvPool::Unlink(BlockId block) {
  Block& b = blocks_[block];
  (b.previous == kNoBlock ? head_ : blocks_[b.previous].next) = b.next;
  (b.next == kNoBlock ? tail_ : blocks_[b.next].previous) = b.previous;
  --free_;
}

void KvPool::CheckConsistent() const {
  uint32_t listed = 0;
  BlockId previous = kNoBlock;
  for (BlockId block = head_; block != kNoBlock; block = blocks_[block].next) {
    CHECK(blocks_[block].references == 0);
    CHECK(blocks_[block].previous == previous);
    previous = block;
    ++listed;
  }
  CHECK(previous == tail_);
  CHECK(listed == free_);
  uint32_t unreferenced = 0;
  uint32_t named = 0;
  for (const Block& b : blocks_) {
    if (b.references == 0) ++unreferenced;
    if (b.named) {
      ++named;
      CHECK(Lookup(b.name) != kNoBlock);
    }
  }
  CHECK(unreferenced == free_);
  CHECK(named == named_);
  uint32_t reachable = 0;
  for (const BlockId first : table_) {
    for (BlockId block = first; block != kNoBlock; block = blocks_[block].next_same_name) {
      CHECK(blocks_[block].named && blocks_[block].name == blocks_[first].name);
      ++reachable;
    }
  }
  CHECK(reachable == named_);
}

}  // namespace gw::sim
