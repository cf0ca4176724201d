#include "stats/exposition.h"

#include <charconv>
#include <cmath>
#include <cstddef>

#include "base/escape.h"
#include "base/utf8.h"

namespace gw {
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
    const size_t length = Utf8CharacterBytes(value);
    const std::string shown = length == 0 ? "?" : Printable(value.substr(0, length));
    if (clean.size() + shown.size() > bytes_max) break;
    clean.append(shown);
    value.remove_prefix(length == 0 ? 1 : length);
  }
  return clean;
}

}  // namespace gw
