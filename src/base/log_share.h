// LogShare: of which requests a line is logged. Requests that went wrong are few and wanted, those
// that went well are many and alike: so a share is one of the latter, and the former have a line
// each unless nobody wants any.

#pragma once

#include <optional>
#include <string_view>

#include "base/log.h"

namespace gw {

struct LogShare {
  float ratio = 1;     // of the requests without an error; 0: none of them
  bool errors = true;  // of those with one

  bool is_sampled() const { return ratio > 0 && ratio < 1; }
  bool operator==(const LogShare&) const = default;
};
inline constexpr LogShare kLogAll = {1, true};
inline constexpr LogShare kLogErrors = {0, true};
inline constexpr LogShare kLogNone = {0, false};

inline constexpr char kLogShareWanted[] =
    "must be \"all\", \"none\", \"errors\" or a ratio above 0 and up to 1, such as \"0.01\"";
// nullopt: it is not what is wanted. 0 is not: it could be meant as "none" or as "errors".
std::optional<LogShare> ParseLogShare(std::string_view text);

// What a route says of the lines of its requests.
struct RequestLog {
  std::optional<LogShare> share;  // nullopt: that of the process
  LogLevel level = LogLevel::kInfo;

  bool operator==(const RequestLog&) const = default;
};

}  // namespace gw
