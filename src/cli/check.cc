#include "cli/check.h"

#include <fmt/format.h>

#include "api/conditions.h"
#include "api/resources.h"
#include "base/clock.h"
#include "base/random.h"
#include "config/file/last_good.h"
#include "config/file/load.h"
#include "config/kubernetes/kube_source.h"
#include "pool/endpoint.h"
#include "release/plan.h"
#include "tls/ticket_keys.h"
#include "translate/translate.h"

namespace gw {
namespace {

std::string Count(size_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

// "2 listening ports, 1 pool, 3 endpoints"
std::string Served(const Snapshot& snapshot) {
  size_t endpoints = 0;
  for (const auto& entry : snapshot.pools) endpoints += entry->pool.endpoints.size();
  return fmt::format("{}, {}, {}", Count(snapshot.listeners.size(), "listening port"),
                     Count(snapshot.pools.size(), "pool"), Count(endpoints, "endpoint"));
}

// What was read.
struct Read {
  api::ResourceSet resources;
  std::string places;  // "3 files"
  std::vector<std::string> warnings = {};
};

int Judge(const Read& read, TranslateOptions translate, bool strict, std::ostream& out,
          std::ostream& err) {
  EndpointTable endpoints;
  // The same as if it were served now.
  const std::unique_ptr<TicketKeys> tickets = TicketKeys::New(RealClock());
  translate.tickets = tickets.get();
  translate.now_unix_s = RealClock().UnixNanos() / 1'000'000'000;
  const Translation translation = Translate(read.resources, translate, endpoints, 1);
  out << api::FormatStatus(translation.status);
  if (!translation.status.empty()) out << '\n';
  for (const ServedRelease& served : translation.releases) {
    out << release::PlanText(served.plan) << "shifts: " << served.about << "\n\n";
  }

  for (const api::InvalidObject& object : read.resources.invalid) {
    for (const std::string& message : object.Messages()) err << message << '\n';
  }
  for (const auto& [kind, count] : read.resources.skipped) {
    out << fmt::format("skipped: {} of kind {}\n", Count(static_cast<size_t>(count), "object"),
                       kind);
  }
  std::vector<std::string> all_warnings = translation.warnings;
  all_warnings.insert(all_warnings.end(), read.warnings.begin(), read.warnings.end());
  for (const std::string& warning : all_warnings) out << "warning: " << warning << '\n';
  const size_t refused = api::RefusedCount(translation.status);
  const size_t warnings = all_warnings.size();
  out << fmt::format("{} in {}: {}; {}{}\n",
                     Count(read.resources.object_count() + read.resources.invalid.size(), "object"),
                     read.places, Served(*translation.snapshot),
                     refused == 0 ? "nothing refused" : fmt::format("{} refused", refused),
                     warnings == 0 ? "" : ", " + Count(warnings, "warning"));
  const bool good = refused == 0 && read.resources.invalid.empty();
  return good && !(strict && warnings > 0) ? 0 : 1;
}

absl::StatusOr<Read> ReadCluster(const config::KubeconfigOptions& kubeconfig) {
  ASSIGN_OR_RETURN(config::ClusterAccess access,
                   config::FindClusterAccess(kubeconfig, config::ReadKubeEnvironment()));
  config::KubeSourceOptions options;
  options.access = std::move(access.access);
  options.access_name = std::move(access.source);
  options.reader.seed = SeedFromSystem();
  // All that is to be said of them is said below.
  ASSIGN_OR_RETURN(const std::unique_ptr<config::ConfigSource> source,
                   config::NewKubeSource(options, nullptr));
  ASSIGN_OR_RETURN(const config::FirstLoad loaded, source->Load());
  Read read{.resources = {}, .places = loaded.places};
  config::Apply(loaded.change, &read.resources);
  return read;
}

}  // namespace

int RunCheck(const std::vector<std::string>& paths, const TranslateOptions& options, bool strict,
             std::ostream& out, std::ostream& err) {
  const config::LoadResult loaded = config::LoadQuietly(paths, {});
  if (!loaded.ok()) {
    for (const config::SourceError& error : loaded.errors) err << error.message << '\n';
    return 1;
  }
  Read read{.resources = config::ResourcesOf(loaded), .places = Count(loaded.files.size(), "file")};
  for (const std::string& file : loaded.empty) {
    read.warnings.push_back((file == "-" ? "standard input" : file) + ": is empty");
  }
  return Judge(read, options, strict, out, err);
}

int RunCheckOfCluster(const config::KubeconfigOptions& kubeconfig, const TranslateOptions& options,
                      bool strict, std::ostream& out, std::ostream& err) {
  const absl::StatusOr<Read> read = ReadCluster(kubeconfig);
  if (!read.ok()) {
    err << "penstock check: --kubernetes: " << read.status().message() << '\n';
    return 1;
  }
  return Judge(*read, options, strict, out, err);
}

}  // namespace gw
