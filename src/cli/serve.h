// `penstock serve`: the gateway on files.

#pragma once

#include "base/log.h"
#include "server/server.h"

namespace gw {

// 0 after a drain, 1 if it could not start.
int RunServe(const ServerOptions& options, LogLevel log_level);

}  // namespace gw
