// Small things that are done to text in several folders.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gw {

// Of ASCII only, whatever the locale: the names of protocols know no other letters.
inline char ToLower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }
std::string ToLower(std::string_view text);

// "2026-01-02T03:04:05Z" of seconds since 1970.
std::string UtcText(int64_t unix_s);

}  // namespace gw
