#include "cli/serve.h"

#include <iostream>

namespace gw {

int RunServe(const ServerOptions& options, LogLevel log_level) {
  InitLog(log_level);
  absl::StatusOr<std::unique_ptr<Server>> server = Server::Start(options);
  if (!server.ok()) {
    ShutdownLog();
    std::cerr << "penstock serve: " << server.status().message() << "\n";
    return 1;
  }
  const int status = (*server)->RunUntilSignal();
  server->reset();
  ShutdownLog();
  return status;
}

}  // namespace gw
