#include "cli/check.h"

#include <fmt/format.h>

#include "api/conditions.h"
#include "api/resources.h"
#include "base/clock.h"
#include "config/file/last_good.h"
#include "config/file/load.h"
#include "pool/endpoint.h"
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

}  // namespace

int RunCheck(const std::vector<std::string>& paths, const TranslateOptions& options, bool strict,
             std::ostream& out, std::ostream& err) {
  const config::LoadResult loaded = config::LoadQuietly(paths, {});
  if (!loaded.ok()) {
    for (const config::SourceError& error : loaded.errors) err << error.message << '\n';
    return 1;
  }
  const api::ResourceSet resources = config::ResourcesOf(loaded);
  EndpointTable endpoints;
  // The same as if it were served now.
  const std::unique_ptr<TicketKeys> tickets = TicketKeys::New(RealClock());
  TranslateOptions translate = options;
  translate.tickets = tickets.get();
  translate.now_unix_s = RealClock().UnixNanos() / 1'000'000'000;
  const Translation translation = Translate(resources, translate, endpoints, 1);
  out << api::FormatStatus(translation.status);
  if (!translation.status.empty()) out << '\n';

  for (const api::InvalidObject& object : resources.invalid) {
    for (const std::string& message : object.Messages()) err << message << '\n';
  }
  for (const auto& [kind, count] : resources.skipped) {
    out << fmt::format("skipped: {} of kind {}\n", Count(static_cast<size_t>(count), "object"),
                       kind);
  }
  std::vector<std::string> all_warnings = translation.warnings;
  for (const std::string& file : loaded.empty) {
    all_warnings.push_back((file == "-" ? "standard input" : file) + ": is empty");
  }
  for (const std::string& warning : all_warnings) out << "warning: " << warning << '\n';
  const size_t refused = api::RefusedCount(translation.status);
  const size_t warnings = all_warnings.size();
  out << fmt::format("{} in {}: {}; {}{}\n",
                     Count(resources.object_count() + resources.invalid.size(), "object"),
                     Count(loaded.files.size(), "file"), Served(*translation.snapshot),
                     refused == 0 ? "nothing refused" : fmt::format("{} refused", refused),
                     warnings == 0 ? "" : ", " + Count(warnings, "warning"));
  const bool good = refused == 0 && resources.invalid.empty();
  return good && !(strict && warnings > 0) ? 0 : 1;
}

}  // namespace gw
