#include "stats/exposition.h"

#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "base/escape.h"

namespace gw {
namespace {

// Length of the well-formed UTF-8 character at the front of `text`, 0 if there is none
// (Unicode 15, table 3-7: no overlong forms, no surrogates, nothing above U+10FFFF).
size_t CharacterLength(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return 0;
  uint8_t low = 0x80;
  uint8_t high = 0xbf;
  if (lead == 0xe0) low = 0xa0;
  if (lead == 0xed) high = 0x9f;
  if (lead == 0xf0) low = 0x90;
  if (lead == 0xf4) high = 0x8f;
  if (byte(1) < low || byte(1) > high) return 0;
  for (size_t i = 2; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  return length;
}

}  // namespace

void AppendNumber(std::string* out, double value) {
  if (std::isnan(value)) {
    out->append("NaN");
  } else if (std::isinf(value)) {
    out->append(value > 0 ? "+Inf" : "-Inf");
  } else {
    char digits[32];  // the longest is 24: sign, 17 digits, point, exponent
    const auto end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
    out->append(digits, end);
  }
}

void AppendEscapedLabelValue(std::string* out, std::string_view value) {
  for (const char c : value) {
    if (c == '\n') {
      out->append("\\n");
    } else {
      if (c == '\\' || c == '"') out->push_back('\\');
      out->push_back(c);
    }
  }
}

void AppendEscapedHelp(std::string* out, std::string_view help) {
  for (const char c : help) {
    if (c == '\n') {
      out->append("\\n");
    } else {
      if (c == '\\') out->push_back('\\');
      out->push_back(c);
    }
  }
}

std::string CleanLabelValue(std::string_view value, size_t bytes_max) {
  std::string clean;
  clean.reserve(value.size() < bytes_max ? value.size() : bytes_max);
  while (!value.empty()) {
    const size_t length = CharacterLength(value);
    const std::string shown = length == 0 ? "?" : Printable(value.substr(0, length));
    if (clean.size() + shown.size() > bytes_max) break;
    clean.append(shown);
    value.remove_prefix(length == 0 ? 1 : length);
  }
  return clean;
}

}  // namespace gw
