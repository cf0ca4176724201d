// PromptNames: what the log may say of a prompt's text. Not the text but names of its beginnings,
// so that who reads the log can tell how much of two prompts was alike: the hash of the last block
// of each stretch of about 512 tokens (block_hash.h), which by chaining names all before it, too.
//
// A name for each block of 64 characters would say more, in lines of 32 times the length: half a
// megabyte for a prompt of half a million tokens.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "prefix/block_hash.h"

namespace gw {

struct PromptNames {
  static constexpr size_t kStretchChars = 2048;  // about: it is of whole blocks
  // Of a prompt; those behind are left out. 262,144 tokens, 8.7 kB of a line.
  static constexpr size_t kNamesMax = 512;

  std::vector<uint64_t> names = {};
  size_t stretch_chars = 0;   // that one name stands for; 0: the prompt was not looked at
  uint64_t prompt_chars = 0;  // of all of it
  bool cut = false;           // some that the prompt has are missing

  // About, at 4 characters each.
  size_t stretch_tokens() const { return stretch_chars / 4; }
  void Reset();
  // `blocks`: hashes of leading blocks of a text that has `chars` characters.
  void Take(std::span<const uint64_t> blocks, size_t block_chars, size_t chars);
};

// What has to be hashed of a prompt for its names.
PrefixOptions NamedBlocks(size_t block_chars);

}  // namespace gw
