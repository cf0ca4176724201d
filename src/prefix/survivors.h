// The candidates that hold every block of a prompt so far, and how far each of the others came.
//
// Blocks come in order; each one keeps the candidates that hold it and drops the rest, for whom its
// number is the result. Every candidate is dropped at most once, so a match costs
// O(candidates + blocks * holders / 64), not their product.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "prefix/cell.h"

namespace gw::internal {

class Survivors {
 public:
  // REQUIRES: slots are distinct; hit_blocks.size() == slots.size()
  Survivors(std::span<const uint32_t> slots, std::span<uint32_t> hit_blocks);

  // Block number `block` is held by these and nobody else.
  void KeepFew(std::span<const uint16_t> holders, uint32_t block);
  void KeepMany(const Cell* cells, uint32_t first_group, uint32_t block);

  bool none() const { return count_ == 0; }
  // Those still here hold all `blocks`.
  void Finish(uint32_t blocks);

 private:
  // kAll: no block yet, nobody is dropped. kMany: the bits of the scratch. kFew: few_.
  enum class Form : uint8_t { kAll, kMany, kFew };
  static constexpr size_t kFewMax = 8;
  struct Candidate {
    uint32_t slot;
    uint32_t position;  // in slots_
  };
  // Of each thread, so that a match allocates nothing.
  struct Scratch {
    std::vector<uint64_t> positions;  // by slot: stamp << 32 | position in slots_
    uint64_t stamp = 0;
    std::vector<uint64_t> bits;  // by slot
  };
  static Scratch& ThreadScratch();

  void IndexCandidates();
  bool Find(uint32_t slot, uint32_t* position) const;
  void SetBits();
  void DropBits(uint64_t dropped, uint32_t first_slot, uint32_t block);

  std::span<const uint32_t> slots_;
  std::span<uint32_t> hit_blocks_;
  Scratch& scratch_;
  Form form_ = Form::kAll;
  size_t count_;
  uint32_t groups_ = 0;  // that scratch_.bits covers
  Candidate few_[kFewMax];
};

}  // namespace gw::internal
