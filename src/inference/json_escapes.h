// The escapes of one JSON string: whether they are right, and what they mean.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gw::internal {

struct JsonEscapes {
  uint32_t saved_bytes = 0;  // by which the decoded form is shorter
  bool any = false;
  bool any_coded = false;  // \uXXXX, or \/, which needs no escape
};

// `inside` is what stands between the quotes; nullopt if an escape is none, or half a surrogate
// pair. REQUIRES: 64 readable bytes after inside.end(); no quote ends the string before that
std::optional<JsonEscapes> CheckEscapes(std::string_view inside);

// REQUIRES: CheckEscapes found nothing wrong
std::string DecodeEscapes(std::string_view inside);
// Short escapes stay, and what has one gets it; everything else is decoded.
std::string CanonicalEscapes(std::string_view inside);

}  // namespace gw::internal
