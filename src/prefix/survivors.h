// The candidates that hold every block of a prompt so far, and how far each of the others came.
//
// Runs come in order; each one keeps the candidates that hold as much of it as was met, and drops
// the rest, for whom what they hold is the result. Every candidate is dropped at most once, so a
// match costs O(candidates + runs * listed holders + runs * slots / 64), not their product.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "prefix/holders.h"

namespace gw::internal {

class Survivors {
 public:
  // REQUIRES: slots are distinct; hit_blocks.size() == slots.size()
  Survivors(std::span<const uint32_t> slots, std::span<uint32_t> hit_blocks);

  // `met` leading blocks of the run are the prompt's.
  void Keep(Holders* holders, Run* run, uint32_t met);

  bool none() const { return count_ == 0; }
  // Those still here hold all `blocks`. Returns the most that any candidate holds.
  uint32_t Finish(uint32_t blocks);

 private:
  // kAll: no run yet, nobody is dropped. kMany: the bits of the scratch. kFew: few_.
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
    std::vector<uint64_t> bits;    // by slot
    std::vector<uint32_t> listed;  // who survives by a run's list
  };
  static Scratch& ThreadScratch();

  void IndexCandidates();
  bool Find(uint32_t slot, uint32_t* position) const;
  bool IsHere(uint32_t slot) const { return scratch_.bits[slot / 64] >> (slot % 64) & 1; }
  void SetBits();
  void KeepOfFew(Holders* holders, Run* run, uint32_t met);
  void KeepOfMany(Holders* holders, Run* run, uint32_t met);
  void KeepByTable(Holders* holders, Run* run, uint32_t met);
  void Drop(uint64_t dropped, uint32_t first_slot, uint32_t blocks);
  void DropByTable(uint64_t dropped, const Holders& holders, const Run& run, uint32_t first_slot);
  void Result(uint32_t position, uint32_t blocks);
  void BecomeFew();

  std::span<const uint32_t> slots_;
  std::span<uint32_t> hit_blocks_;
  Scratch& scratch_;
  Form form_ = Form::kAll;
  size_t count_;
  uint32_t most_ = 0;
  Candidate few_[kFewMax];
};

}  // namespace gw::internal
