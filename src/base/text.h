// Small things that are done to text in several folders.

#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace gw {

// Of ASCII only, whatever the locale: the names of protocols know no other letters.
inline char ToLower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }
std::string ToLower(std::string_view text);

// Without the blanks and tabs around it, which protocols call optional white space.
std::string_view Trimmed(std::string_view text);

// "▁▂▃▄▅▆▇█": a bar for each value, the highest of all the highest. REQUIRES: none is below 0
std::string Sparkline(std::span<const double> values);

// "2026-01-02T03:04:05Z" of seconds since 1970.
std::string UtcText(int64_t unix_s);

}  // namespace gw
