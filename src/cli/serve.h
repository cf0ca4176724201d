// `penstock serve`: the gateway on files.

#pragma once

#include <string>

#include "base/log.h"
#include "server/server.h"

namespace gw {

struct LogOptions {
  LogLevel level = LogLevel::kInfo;
  LogFormat format = LogFormat::kJson;
  std::string file;  // empty: standard error
};

// 0 after a drain, 1 if it could not start.
int RunServe(const ServerOptions& options, const LogOptions& log);

}  // namespace gw
