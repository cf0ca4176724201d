#include "cli/serve.h"

#include <iostream>
#include <utility>

#include "base/random.h"
#include "config/file/file_source.h"
#include "config/kubernetes/kube_source.h"
#include "server/signals.h"
#include "translate/judge.h"

namespace gw {
namespace {

absl::StatusOr<std::unique_ptr<config::ConfigSource>> SourceOf(const ObjectOptions& objects,
                                                               uint64_t seed) {
  if (!objects.kubernetes) {
    return config::NewFileSource(objects.files.paths, RefusedAlone,
                                 {.limits = objects.files.limits});
  }
  absl::StatusOr<config::ClusterAccess> access =
      config::FindClusterAccess(objects.kubeconfig, config::ReadKubeEnvironment());
  if (!access.ok()) {
    return absl::InvalidArgumentError("--kubernetes: " + std::string(access.status().message()));
  }
  config::KubeSourceOptions options;
  options.access = std::move(access->access);
  options.access_name = std::move(access->source);
  options.reader.seed = seed;
  return config::NewKubeSource(options, RefusedAlone);
}

absl::StatusOr<std::unique_ptr<Server>> StartServer(ServerOptions options,
                                                    const ObjectOptions& objects) {
  if (!options.seed) options.seed = SeedFromSystem();
  ASSIGN_OR_RETURN(std::unique_ptr<config::ConfigSource> source, SourceOf(objects, *options.seed));
  return Server::Start(options, std::move(source));
}

}  // namespace

int RunServe(const ServerOptions& options, const ObjectOptions& objects, const LogOptions& log) {
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
  absl::StatusOr<std::unique_ptr<Server>> server = StartServer(options, objects);
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
