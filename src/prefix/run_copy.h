// RunCopy: a run and who holds it, on its way from one index to another.

#pragma once

#include <cstdint>
#include <vector>

#include "prefix/block_names.h"

namespace gw {

struct RunCopy {
  struct Holder {
    uint32_t slot = 0;
    uint32_t blocks = 0;  // leading ones of the run
  };

  uint64_t name = 0;             // hash of the first block
  uint32_t base = 0;             // its number in its prompt
  std::vector<uint32_t> hashes;  // of the blocks behind it, their lower halves
  std::vector<Holder> holders;
};

// Where a block stands that InsertBehind may be told of.
struct MarkCopy {
  uint64_t name = 0;
  internal::BlockPlace place;
};

}  // namespace gw
