// What yaml-cpp lets pass and should not: looked up in the text itself. A file that an editor has
// written only half must not be taken for a whole one.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace gw::config {

// "12:3: ..." if the text is not UTF-8 or has control characters, empty if it is fine.
std::string FaultyCharacter(std::string_view text);

// "; a tab ..." if a line up to `line`, not far before it, has a tab in its indentation: YAML
// forbids it, and yaml-cpp blames something else. Else "".
std::string TabHint(std::string_view text, int line);

// `at` is where a scalar begins, or the anchor or tag before it. False if it is a quoted one that
// the text ends within.
bool QuoteIsClosed(std::string_view text, size_t at);

// Whether a colon follows the key at `at`; `key` is its text.
bool ColonFollows(std::string_view text, size_t at, std::string_view key);

}  // namespace gw::config
