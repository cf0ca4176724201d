#include "cli/check.h"

#include <fmt/format.h>

#include "api/conditions.h"
#include "api/resources.h"
#include "config/file/file_source.h"
#include "pool/endpoint.h"
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

}  // namespace

int RunCheck(const std::vector<std::string>& paths, const TranslateOptions& options,
             std::ostream& out, std::ostream& err) {
  const config::LoadResult loaded = config::LoadFiles(paths);
  if (!loaded.ok()) {
    err << loaded.error << '\n';
    return 1;
  }
  const api::ResourceSet& resources = loaded.resources;
  EndpointTable endpoints;
  const Translation translation = Translate(resources, options, endpoints, 1);
  out << api::FormatStatus(translation.status);
  if (!translation.status.empty()) out << '\n';

  for (const api::InvalidObject& object : resources.invalid) {
    for (const std::string& message : object.Messages()) err << message << '\n';
  }
  for (const auto& [kind, count] : resources.skipped) {
    out << fmt::format("skipped: {} of kind {}\n", Count(static_cast<size_t>(count), "object"),
                       kind);
  }
  const size_t refused = api::RefusedCount(translation.status);
  out << fmt::format(
      "{} in {}: {}; {}\n", Count(resources.object_count() + resources.invalid.size(), "object"),
      Count(static_cast<size_t>(loaded.files), "file"), Served(*translation.snapshot),
      refused == 0 ? "nothing refused" : fmt::format("{} refused", refused));
  return refused == 0 && resources.invalid.empty() ? 0 : 1;
}

}  // namespace gw
