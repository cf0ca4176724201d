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

BlockHasher::BlockHasher(size_t text_size, uint64_t seed, const PrefixOptions& options,
                         std::vector<uint64_t>* hashes)
    : block_chars_(options.block_chars), hash_(seed), hashes_(hashes) {
  CHECK(block_chars_ > 0);
  hashes->resize(std::min(text_size / block_chars_, options.blocks_max));
}

void BlockHasher::Add(std::string_view piece) {
  if (!begun_.empty()) {
    const size_t missing = std::min(block_chars_ - begun_.size(), piece.size());
    begun_.append(piece.substr(0, missing));
    piece.remove_prefix(missing);
    if (begun_.size() < block_chars_) return;
    Take(begun_.data());
    begun_.clear();
  }
  const char* block = piece.data();
  const char* const end = block + piece.size();
  while (static_cast<size_t>(end - block) >= block_chars_ && done_ < hashes_->size()) {
    Take(block);
    block += block_chars_;
  }
  if (done_ < hashes_->size()) begun_.assign(block, end);
}

void BlockHasher::Take(const char* block) {
  if (done_ == hashes_->size()) return;
  // The hash before is the seed, so that each block's name depends on all text before it.
  hash_ = XXH3_64bits_withSeed(block, block_chars_, hash_);
  (*hashes_)[done_++] = hash_;
}

void HashBlocks(std::string_view text, uint64_t seed, const PrefixOptions& options,
                std::vector<uint64_t>* hashes) {
  BlockHasher(text.size(), seed, options, hashes).Add(text);
}

}  // namespace gw
