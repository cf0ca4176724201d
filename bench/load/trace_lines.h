// The lines of a trace, one after the other: what all of its formats have in common.

#pragma once

#include <cstdint>
#include <functional>
#include <istream>
#include <optional>
#include <string>

#include "absl/status/status.h"

namespace gw::bench {

inline constexpr uint64_t kTraceRequestsMax = 10'000'000;
// The latest that anything of a trace may be, from its start on; within it no time overflows.
inline constexpr double kTraceSecondsMax = 1e9;

// Gives each line that is not blank, without its end, to `take`, `count` of them at most. An error
// of `take` ends it and is said with the line's number, from 1: "trace, line 2: wanted ...". Others
// are that the stream fails, that there are none, and more than kTraceRequestsMax.
absl::Status ReadTraceLines(std::istream& in, std::optional<uint64_t> count,
                            const std::function<absl::Status(const std::string& line)>& take);

}  // namespace gw::bench
