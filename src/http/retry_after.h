// Retry-After (RFC 9110 section 10.2.3): when a server wants to be asked again.

#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/clock.h"

namespace gw::http {

// From now on, `unix_now_s` being the wall clock's seconds: of a number of seconds, or of a date in
// one of the three forms of section 5.6.7; one that has passed is 0. nullopt: it is neither.
std::optional<Duration> ParseRetryAfter(std::string_view value, int64_t unix_now_s);

}  // namespace gw::http
