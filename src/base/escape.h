// Text from outside, made fit to be shown: in JSON, in a log line, on a terminal.
//
// Control characters of both sets (C0, DEL, C1, the latter also as UTF-8), line and paragraph
// separators and the characters that turn the direction of writing are written as JSON writes them
// ("\\n", "\\u001b", "\\u202e"): otherwise a client's model name could rewrite the screen of
// whoever looks its request up, or pretend to be a line of its own. Each byte that is not UTF-8
// becomes U+FFFD.

#pragma once

#include <string>
#include <string_view>

namespace gw {

// Appends `text` as the inside of a JSON string (no quotes around it).
void AppendJsonEscaped(std::string* out, std::string_view text);

// Appends `text` for a line of plain text. Quotes and backslashes stay as they are.
void AppendPrintable(std::string* out, std::string_view text);
std::string Printable(std::string_view text);
// The same for text of several lines: line feeds and tabs stay.
std::string PrintableLines(std::string_view text);

}  // namespace gw
