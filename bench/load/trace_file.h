// Files of traces, which are passed on compressed.

#pragma once

#include <istream>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace gw::bench {

// What one whose name ends in .zst may come to.
inline constexpr size_t kTraceBytesMax = size_t{4} << 30;

// Of .zst, what is in it, all of it in memory. An error names the file and what to do.
absl::StatusOr<std::unique_ptr<std::istream>> OpenTrace(const std::string& path);

}  // namespace gw::bench
