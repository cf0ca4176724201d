#include "prefix/block_hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>

#include "base/check.h"

namespace gw {

uint64_t PrefixSeed(std::string_view target_model, std::string_view cache_salt) {
  const uint64_t model = XXH3_64bits(target_model.data(), target_model.size());
  if (cache_salt.empty()) return model;
  return XXH3_64bits_withSeed(cache_salt.data(), cache_salt.size(), model);
}

void HashBlocks(std::string_view text, uint64_t seed, const PrefixOptions& options,
                std::vector<uint64_t>* hashes) {
  CHECK(options.block_chars > 0);
  const size_t count = std::min(text.size() / options.block_chars, options.blocks_max);
  hashes->resize(count);
  uint64_t hash = seed;
  const char* block = text.data();
  for (uint64_t& out : *hashes) {
    // The hash before is the seed, so that each block's name depends on all text before it.
    hash = XXH3_64bits_withSeed(block, options.block_chars, hash);
    out = hash;
    block += options.block_chars;
  }
}

}  // namespace gw
