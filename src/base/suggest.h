// "did you mean": the known word that was probably meant.

#pragma once

#include <span>
#include <string>
#include <string_view>

namespace gw {

// The known word nearest to `word` by single edits, "" if none is near enough: a third of the
// letters at most may differ, and never more than two (case and the characters -, _ count for
// nothing). Of equally near ones the first.
std::string_view NearestWord(std::string_view word, std::span<const std::string_view> known);

// `, did you mean "x"?`, or "" if no word is near: to be put behind a message.
std::string DidYouMean(std::string_view word, std::span<const std::string_view> known);

}  // namespace gw
