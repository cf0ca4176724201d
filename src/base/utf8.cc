#include "base/utf8.h"

#include <simdjson.h>

namespace gw {

size_t Utf8CharacterBytes(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  if (first < 0x80) return 1;
  const size_t bytes = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  return text.size() >= bytes && simdjson::validate_utf8(text.data(), bytes) ? bytes : 0;
}

}  // namespace gw
