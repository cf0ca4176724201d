// --limit and --timeout of `penstock serve`: the fields of DataplaneOptions, by the names that
// penstock_limit_reached_total counts them under.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/file/file_limits.h"
#include "server/server.h"

namespace gw {

// Sets what "NAME=VALUE" says: "pipelined_bytes=128KiB", "downstream_connections=1000". An error
// says what was wanted instead.
absl::Status SetLimit(std::string_view assignment, DataplaneOptions* options);
// The same for what --limit says of files, whose names begin with "config_": "config_depth=16".
bool IsFileLimit(std::string_view assignment);
absl::Status SetFileLimit(std::string_view assignment, config::FileLimits* limits);
// The same for "client_body_timeout=90s"; units are ms, s, m and h.
absl::Status SetTimeout(std::string_view assignment, DataplaneOptions* options);

struct NamedDefault {
  std::string name;
  std::string value;  // as it could be given
};
std::vector<NamedDefault> KnownLimits();
std::vector<NamedDefault> KnownFileLimits();
std::vector<NamedDefault> KnownTimeouts();

// What --help says of both: every name, in lines of at most 80 characters.
std::string DataplaneFlagsHelp();

}  // namespace gw
