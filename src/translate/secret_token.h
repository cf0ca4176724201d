// What a Secret holds for a header field.

#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "translate/context.h"

namespace gw::internal {

// Without what a line of a file, or of `echo`, ends with.
std::string_view WithoutLineEnd(std::string_view text);

// What a header field can carry as one word.
bool IsToken(std::string_view text);
// Some servers take no longer line; a token of many claims has a few thousand.
inline constexpr size_t kTokenBytesMax = 8000;

// The token under `key` of that Secret's data. The error says what is wrong with which of them, and
// nothing of what is in it.
absl::StatusOr<std::string> ReadToken(const Context& context, const std::string& ns,
                                      const std::string& secret, const std::string& key);

}  // namespace gw::internal
