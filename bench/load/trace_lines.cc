#include "bench/load/trace_lines.h"

#include <fmt/format.h>

namespace gw::bench {

absl::Status ReadTraceLines(std::istream& in, std::optional<uint64_t> count,
                            const std::function<absl::Status(const std::string& line)>& take) {
  uint64_t taken = 0;
  std::string line;
  for (uint64_t number = 1; (!count || taken < *count) && std::getline(in, line); ++number) {
    if (line.ends_with('\r')) line.pop_back();
    if (line.find_first_not_of(" \t") == std::string::npos) continue;
    if (taken++ == kTraceRequestsMax) {
      return absl::InvalidArgumentError(
          fmt::format("trace: wanted at most {} requests", kTraceRequestsMax));
    }
    if (const absl::Status status = take(line); !status.ok()) {
      return absl::InvalidArgumentError(
          fmt::format("trace, line {}: {}", number, std::string(status.message())));
    }
  }
  if (in.bad()) return absl::InvalidArgumentError("trace: could not be read to its end");
  if (taken == 0) return absl::InvalidArgumentError("trace: wanted at least one request");
  return absl::OkStatus();
}

}  // namespace gw::bench
