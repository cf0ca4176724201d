#include "prefix/block_hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>

#include "base/check.h"

namespace gw {
namespace {

// A prompt's first blocks have names, too, that look like random ones.
constexpr uint64_t kChain = 0x9E3779B185EBCA87;

// The default size, for which the compiler knows the way through XXH3.
constexpr size_t kUsualChars = 64;
[[gnu::flatten]] uint64_t HashOfUsual(const char* block) { return XXH3_64bits(block, kUsualChars); }

// One multiplication, so that blocks are hashed side by side: what waits for the block before is
// this alone.
uint64_t Chained(uint64_t before, uint64_t block) {
  const auto product = static_cast<unsigned __int128>(before ^ block) * kChain;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

}  // namespace

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
  const size_t count = std::min(piece.size() / block_chars_, hashes_->size() - done_);
  uint64_t* names = hashes_->data() + done_;
  if (block_chars_ == kUsualChars) {
    uint64_t hash = hash_;
    for (size_t i = 0; i < count; ++i, block += kUsualChars) {
      names[i] = hash = Chained(hash, HashOfUsual(block));
    }
    hash_ = hash;
    done_ += count;
  } else {
    for (size_t i = 0; i < count; ++i, block += block_chars_) Take(block);
  }
  if (done_ < hashes_->size()) begun_.assign(block, end);
}

void BlockHasher::Take(const char* block) {
  if (done_ == hashes_->size()) return;
  hash_ = Chained(hash_, XXH3_64bits(block, block_chars_));
  (*hashes_)[done_++] = hash_;
}

void HashBlocks(std::string_view text, uint64_t seed, const PrefixOptions& options,
                std::vector<uint64_t>* hashes) {
  BlockHasher(text.size(), seed, options, hashes).Add(text);
}

}  // namespace gw
