#include "cli/serve.h"

#include <fmt/format.h>

#include <iostream>
#include <utility>

#include "api/names.h"
#include "base/random.h"
#include "cli/machine_name.h"
#include "config/file/file_source.h"
#include "config/kubernetes/kube_source.h"
#include "server/signals.h"
#include "translate/judge.h"

namespace gw {
namespace {

// "namespace/name", or a name in `ns`.
absl::Status ReadLeaseName(const std::string& text, std::string ns, kube::LeaseOptions* lease) {
  const size_t slash = text.find('/');
  lease->ns = slash == text.npos ? std::move(ns) : text.substr(0, slash);
  lease->name = slash == text.npos ? text : text.substr(slash + 1);
  if (api::IsDnsLabel(lease->ns) && api::IsDnsSubdomain(lease->name)) return absl::OkStatus();
  return absl::InvalidArgumentError("--lease: must be [NAMESPACE/]NAME, got " + api::Quoted(text));
}

// Who we are among several gateways: another process of that name is not us.
std::string LeaseIdentity(uint64_t seed) { return fmt::format("{}_{:016x}", MachineName(), seed); }

absl::StatusOr<config::ClusterWriterOptions> WriterOf(const ObjectOptions& objects,
                                                      const TranslateOptions& translate,
                                                      const std::string& ns, uint64_t seed) {
  config::ClusterWriterOptions options;
  if (!objects.write_status && translate.managed_from) {
    return absl::InvalidArgumentError(
        "--write-status false: nobody would make what --infrastructure managed is to make");
  }
  if (!objects.write_status) return options;
  RETURN_IF_ERROR(
      ReadLeaseName(objects.lease.empty() ? "penstock" : objects.lease, ns, &options.lease));
  options.lease.identity = LeaseIdentity(seed);
  options.status.controller_names = translate.controller_names;
  options.service = translate.shared_service;
  options.managed_from = translate.managed_from;
  return options;
}

absl::StatusOr<std::unique_ptr<config::ConfigSource>> SourceOf(const ObjectOptions& objects,
                                                               const TranslateOptions& translate,
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
  ASSIGN_OR_RETURN(options.writer, WriterOf(objects, translate, access->ns, SeedFromSystem()));
  return config::NewKubeSource(options, RefusedAlone);
}

absl::StatusOr<std::unique_ptr<Server>> StartServer(ServerOptions options,
                                                    const ObjectOptions& objects) {
  if (!options.seed) options.seed = SeedFromSystem();
  ASSIGN_OR_RETURN(std::unique_ptr<config::ConfigSource> source,
                   SourceOf(objects, options.translate, *options.seed));
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
