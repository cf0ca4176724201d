// `penstock serve`: the gateway on files.

#pragma once

#include <string>
#include <vector>

#include "base/log.h"
#include "config/file/file_limits.h"
#include "server/server.h"

namespace gw {

struct LogOptions {
  LogLevel level = LogLevel::kInfo;
  LogFormat format = LogFormat::kJson;
  std::string file;  // empty: standard error
};

struct FileOptions {
  std::vector<std::string> paths;  // files and directories of objects
  config::FileLimits limits;
};

// 0 after a drain, 1 if it could not start.
int RunServe(const ServerOptions& options, const FileOptions& files, const LogOptions& log);

}  // namespace gw
