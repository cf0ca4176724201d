// How many tokens a text has, for those who have no tokenizer.

#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "bench/load/paced_workload.h"

namespace gw::bench {

// A quarter of its characters, as English texts have; at least one, at most kTokensMax.
// REQUIRES: UTF-8
inline uint32_t EstimatedTokens(std::string_view text) {
  constexpr size_t kCharsOfToken = 4;
  const auto characters = static_cast<size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<uint8_t>(c) & 0xc0) != 0x80; }));
  return static_cast<uint32_t>(
      std::clamp<size_t>(characters / kCharsOfToken, 1, size_t{kTokensMax}));
}

}  // namespace gw::bench
