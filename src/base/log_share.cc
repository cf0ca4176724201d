#include "base/log_share.h"

#include <charconv>

namespace gw {

std::optional<LogShare> ParseLogShare(std::string_view text) {
  if (text == "all") return kLogAll;
  if (text == "errors") return kLogErrors;
  if (text == "none") return kLogNone;
  LogShare share;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, share.ratio);
  // A ratio that is no number is not in between, either.
  if (error != std::errc() || stop != end || !(share.ratio > 0 && share.ratio <= 1)) {
    return std::nullopt;
  }
  return share;
}

}  // namespace gw
