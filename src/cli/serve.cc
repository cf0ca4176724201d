#include "cli/serve.h"

#include <iostream>

#include "server/signals.h"

namespace gw {

int RunServe(const ServerOptions& options, const LogOptions& log) {
  BlockSignals();  // before the log's thread
  SetLogFormat(log.format);
  if (!log.file.empty()) {
    const absl::Status status = SetLogFile(log.file);
    if (!status.ok()) {
      std::cerr << "penstock serve: --log-file: " << status.message() << "\n";
      return 1;
    }
  }
  InitLog(log.level);
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
