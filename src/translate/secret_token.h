// What a Secret holds for a header field.

#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "translate/context.h"

namespace gw::internal {

// Without what a line of a file, or of `echo`, ends with.
std::string_view WithoutLineEnd(std::string_view text);

// The token under `key` of that Secret's data. The error says what is wrong with which of them, and
// nothing of what is in it.
absl::StatusOr<std::string> ReadToken(const Context& context, const std::string& ns,
                                      const std::string& secret, const std::string& key);

}  // namespace gw::internal
