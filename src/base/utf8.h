// UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF.

#pragma once

#include <cstddef>
#include <string_view>

namespace gw {

// The bytes of the character at the front of `text`, which is not empty; 0 if there is none.
size_t Utf8CharacterBytes(std::string_view text);

}  // namespace gw
