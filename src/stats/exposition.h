// The pieces of the Prometheus text format 0.0.4: numbers, escaped labels and help lines.

#pragma once

#include <string>
#include <string_view>

namespace gw {

// Shortest decimal form that reads back as the same double; "+Inf", "-Inf" and "NaN" for the
// others.
void AppendNumber(std::string* out, double value);

// Appends `value` with backslash, quote and line feed escaped.
void AppendEscapedLabelValue(std::string* out, std::string_view value);

// Appends `help` with backslash and line feed escaped.
void AppendEscapedHelp(std::string* out, std::string_view help);

// `value` as a label may carry it to whoever looks at it: control characters as base/escape.h
// writes them, every byte that is not part of well-formed UTF-8 replaced by "?"; cut to at most
// `bytes_max` bytes between two characters.
std::string CleanLabelValue(std::string_view value, size_t bytes_max);

}  // namespace gw
