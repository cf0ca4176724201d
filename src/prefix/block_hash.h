// Names of prompt blocks: hash i covers block i and, by chaining, everything before it, so equal
// hashes mean equal prefixes (the scheme of the inference extension's estimator; XXH3 of a block,
// and one multiplication with the name before).

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gw {

struct PrefixOptions {
  static constexpr size_t kNoLimit = SIZE_MAX;

  size_t block_chars = 64;
  size_t blocks_max = kNoLimit;  // of a prompt; those behind are not looked at

  // As many characters of a prompt are looked at.
  size_t chars_max() const {
    return blocks_max > kNoLimit / block_chars ? kNoLimit : blocks_max * block_chars;
  }

  // About how many tokens so many blocks of text have: 4 characters each.
  size_t TokensOf(size_t blocks) const { return blocks * block_chars / 4; }
};

// The chain's start: two requests share blocks only if model (LoRA adapters are models) and salt
// agree.
uint64_t PrefixSeed(std::string_view target_model, std::string_view cache_salt);

// Hashes of the leading full blocks of `text`, at most blocks_max; a trailing partial block has
// none.
void HashBlocks(std::string_view text, uint64_t seed, const PrefixOptions& options,
                std::vector<uint64_t>* hashes);

// The same of a text that comes in pieces. A block that one piece holds is not copied.
class BlockHasher {
 public:
  // `text_size`: of all pieces together.
  BlockHasher(size_t text_size, uint64_t seed, const PrefixOptions& options,
              std::vector<uint64_t>* hashes);
  void Add(std::string_view piece);

 private:
  void Take(const char* block);

  const size_t block_chars_;
  uint64_t hash_;  // of the blocks so far; the seed at first
  std::vector<uint64_t>* const hashes_;
  size_t done_ = 0;
  std::string begun_;  // of a block that several pieces hold
};

}  // namespace gw
