#include "prefix/prompt_names.h"

#include <algorithm>

namespace gw {
namespace {

size_t BlocksOfStretch(size_t block_chars) {
  return std::max<size_t>(1, PromptNames::kStretchChars / block_chars);
}

}  // namespace

void PromptNames::Reset() {
  names.clear();
  stretch_chars = 0;
  cut = false;
}

void PromptNames::Take(std::span<const uint64_t> blocks, size_t block_chars, size_t chars) {
  const size_t step = BlocksOfStretch(block_chars);
  stretch_chars = step * block_chars;
  const size_t count = std::min(blocks.size() / step, kNamesMax);
  names.clear();
  for (size_t i = 1; i <= count; ++i) names.push_back(blocks[i * step - 1]);
  cut = count < chars / stretch_chars;
}

PrefixOptions NamedBlocks(size_t block_chars) {
  return {.block_chars = block_chars,
          .blocks_max = BlocksOfStretch(block_chars) * PromptNames::kNamesMax};
}

}  // namespace gw
