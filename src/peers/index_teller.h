// IndexTeller: this gateway's prefix index on its way to a peer that is new, a part at a time.
//
// What comes into the index meanwhile is told as all news are. One thread.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "prefix/index.h"

namespace gw::peers {

class IndexTeller {
 public:
  // Of the prompts that came last so much is told: 64 million tokens.
  static constexpr size_t kBlocksMax = size_t{4} << 20;

  // The index outlives it.
  explicit IndexTeller(PrefixIndex& index);

  // Appends messages of about so many bytes. True: that was all.
  bool Next(size_t bytes, std::string* out);

 private:
  static constexpr size_t kMarkParts = 256;

  PrefixIndex& index_;
  std::vector<uint64_t> names_;
  size_t next_name_ = 0;
  size_t next_part_ = 0;
  RunCopy run_;
  std::vector<MarkCopy> marks_;
};

}  // namespace gw::peers
