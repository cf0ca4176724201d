#include "cli/serve.h"

#include <iostream>

#include "config/file/file_source.h"
#include "server/signals.h"
#include "translate/judge.h"

namespace gw {

int RunServe(const ServerOptions& options, const FileOptions& files, const LogOptions& log) {
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
  absl::StatusOr<std::unique_ptr<Server>> server = Server::Start(
      options, config::NewFileSource(files.paths, RefusedAlone, {.limits = files.limits}));
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
