// Endpoints: which of the insertions at an endpoint still count: those since it was last removed,
// and, where it is known how much it holds, those that it has not let go for later ones.
//
// All blocks that are sent anywhere are counted; a block's touch is its number in that count, and a
// run's holders stand with theirs (prefix/run.h). Of one insertion the first block has the
// last number: the end of a prompt goes before its beginning, in whatever order it is written. What
// goes is all up to some number, the cut, so that forgetting is O(1), be it some or all.
//
// Any thread may call; a short lock per endpoint of which is known how much it holds.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/mutex.h"
#include "prefix/recency.h"

namespace gw::internal {

// So many blocks are of that touch; negative: no longer.
struct Move {
  uint64_t number;
  int32_t blocks;
};

// One insertion at one endpoint.
struct Touch {
  uint32_t slot;
  uint64_t last;             // number of the prompt's first block
  std::vector<Move>* moves;  // nullptr: nobody counts

  uint64_t At(uint32_t base) const { return last - base; }
};

class Endpoints {
 public:
  // `counts_bytes_max`: for what is counted of those that say how much they hold. Beyond it
  // endpoints count as ones that do not.
  Endpoints(size_t slots, size_t counts_bytes_max);

  bool Holds(uint32_t slot, uint64_t touch) const {
    return touch > cuts_[slot].load(std::memory_order_relaxed);
  }
  // An insertion of `blocks` begins at an endpoint that holds `blocks_max` at most; 0: not known.
  Touch Begin(uint32_t slot, size_t blocks, uint64_t blocks_max);
  // It has ended. REQUIRES: on the thread of Begin
  void End(const Touch& touch, uint64_t blocks_max);
  // Where what changes of one endpoint's uses, beside insertions, is to be told; nullptr: nobody
  // counts. To be given to End by this thread.
  Touch BeginChange(uint32_t slot) { return Begin(slot, 0, 0); }
  // Cuts among the 64 slots of a group. What Holds says after this counts them all.
  uint32_t Cuts(uint32_t group) const { return group_cuts_[group].load(std::memory_order_acquire); }
  void Remove(uint32_t slot);

  size_t counts_bytes() const { return made_.load(std::memory_order_relaxed) * sizeof(Counted); }
  static size_t FixedBytes(size_t slots);
  static size_t CountsBytes(size_t slots);

 private:
  struct Counted {
    Mutex mutex;
    Recency recency ABSL_GUARDED_BY(mutex);
  };
  struct Free {
    void operator()(void* memory) const;
  };
  template <class T>
  using Table = std::unique_ptr<std::atomic<T>[], Free>;

  Counted* CountedOf(uint32_t slot) const;
  Counted* MakeCounted(uint32_t slot);
  void Cut(uint32_t slot, uint64_t number);

  std::atomic<uint64_t> clock_{0};  // the last number given
  Table<uint64_t> cuts_;            // by slot: touches up to here are gone
  Table<uint32_t> group_cuts_;      // by slot / 64
  Table<uint16_t> counted_;         // by slot: a place in counts_, plus 1; 0: nobody counts
  const size_t counts_max_;
  Mutex make_mutex_;  // of who takes a place
  std::atomic<size_t> made_{0};
  std::unique_ptr<Counted[], Free> counts_;
};

}  // namespace gw::internal
