// BlockNames: where a single block stands in the index, by a name: its own hash, or what a model
// server calls it in the events of its KV cache.
//
// Behind the first block of a run only 32 bits of each hash are kept, and no block has an entry of
// its own. So whoever wants to find single ones has them named, at 24 bytes each. Names stand in
// buckets of four; of a full one the name that was given longest ago is forgotten.
//
// Any thread may call; a lock per stripe of buckets.

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/mutex.h"

namespace gw::internal {

struct BlockPlace {
  uint64_t run = 0;     // its name
  uint32_t base = 0;    // of the run
  uint32_t offset = 0;  // in the run, below kRunBlocksMax
  uint32_t hash = 0;    // the block's, lower half: another block may stand there by now
};

class BlockNames {
 public:
  // Takes all of `bytes_max` at once; 0: nothing is ever found.
  explicit BlockNames(size_t bytes_max);

  // False: it is known to be there.
  bool Put(uint64_t name, const BlockPlace& place);
  bool Find(uint64_t name, BlockPlace* place) const;
  // f(name, place) for those of buckets [begin, end).
  template <class F>
  void ForEach(size_t begin, size_t end, F f) const {
    for (size_t index = begin; index < end && index < buckets_.size(); ++index) {
      const MutexLock lock(stripes_[index % kStripes]);
      for (const Entry& entry : buckets_[index].entries) {
        if (entry.name != 0) f(entry.name, PlaceOf(entry));
      }
    }
  }
  size_t buckets() const { return buckets_.size(); }

  size_t bytes() const { return buckets_.size() * sizeof(Bucket); }

 private:
  static constexpr size_t kWays = 4;
  static constexpr size_t kStripes = 64;
  struct Entry {
    uint64_t name = 0;
    uint64_t run = 0;
    uint32_t base_offset = 0;  // base << 8 | offset
    uint32_t hash = 0;

    bool operator==(const Entry&) const = default;
  };
  struct Bucket {
    Entry entries[kWays];  // the latest first
  };

  static BlockPlace PlaceOf(const Entry& entry) {
    return {entry.run, entry.base_offset >> 8, entry.base_offset & 0xFF, entry.hash};
  }
  size_t IndexOf(uint64_t name) const;

  std::vector<Bucket> buckets_;
  mutable Mutex stripes_[kStripes];
};

}  // namespace gw::internal
