#include "server/admin_pages.h"

#include <algorithm>
#include <optional>
#include <string>

#include "base/log.h"
#include "http/url.h"
#include "pool/health.h"
#include "server/configuration_page.h"
#include "server/dashboard.h"
#include "server/document.h"
#include "server/explain.h"
#include "server/get.h"
#include "server/metrics_format.h"
#include "server/pages.h"

namespace gw {
namespace {

// False if there are pools and nobody is behind any of them: nothing is Ready, or all refuse.
bool AnyEndpointUsable(const Snapshot& snapshot, TimePoint now) {
  for (const auto& entry : snapshot.pools) {
    for (const Endpoint& endpoint : entry->pool.endpoints) {
      if (StandingOf(*endpoint.state, 0, now) != Standing::kRefusing) return true;
    }
  }
  return snapshot.pools.empty();
}

// On a cluster whoever may write a Gateway must not be able to take all others' gateways out of
// service, and a new installation has no Gateway yet: what cannot listen is told, no more. Where
// one Gateway is served alone it counts as served if it listens at all.
int StatusOfClosed(const AdminSources& sources, size_t closed, size_t listeners) {
  const TranslateOptions& options = sources.options.translate;
  const bool alone_and_closed = options.only_gateway && closed == listeners;
  return options.only_controller || alone_and_closed ? 503 : 200;
}

AdminResponse Ready(const AdminSources& sources) {
  AdminResponse response;
  const bool serves = !sources.options.translate.managed_from;
  const Configurator& configurator = sources.configurator;
  const std::shared_ptr<const Snapshot> snapshot = sources.snapshots.Load();
  const ListenErrors errors = configurator.listen_errors();
  const Phase phase = sources.phase;
  if (phase == Phase::kDraining) {
    response.status = 503;
    response.body = "draining\n";
  } else if (phase == Phase::kStarting) {
    response.status = 503;
    response.body = "starting\n";
  } else if (!serves) {
    response.body = "ready, each Gateway is served by Pods of its own; configuration " +
                    std::to_string(configurator.generation()) + "\n";
  } else if (snapshot->listeners.empty()) {
    response.status = StatusOfClosed(sources, 0, 0);
    response.body = configurator.WhyNothingListens() + "\n";
  } else if (!errors.empty()) {
    response.status = StatusOfClosed(sources, errors.size(), snapshot->listeners.size());
    for (const auto& [key, error] : errors) response.body += error.message + "\n";
  } else {
    response.body = "ready, configuration " + std::to_string(configurator.generation()) + "\n";
  }
  if (serves && !AnyEndpointUsable(*snapshot, RealClock().Now())) {
    if (!sources.options.ready_without_endpoints) response.status = 503;
    response.body += "no pool has a usable endpoint\n";
  }
  if (const size_t refused = configurator.refused(); refused > 0) {
    response.body += std::to_string(refused) + " refused, see penstock get all\n";
  }
  if (const size_t stale = configurator.stale(); stale > 0) {
    response.body += std::to_string(stale) + " served at their last good version\n";
  }
  const std::string load_error = configurator.load_error();
  if (!load_error.empty()) {
    response.body +=
        "not everything can be read, the last good objects serve: " + load_error + "\n";
  }
  return response;
}

AdminResponse Get(const AdminSources& sources, const AdminRequest& request) {
  const std::shared_ptr<const Snapshot> snapshot = sources.snapshots.Load();
  const std::shared_ptr<const api::ResourceSet> resources = sources.configurator.resources();
  const api::StatusSet status = sources.configurator.status();
  const std::vector<ReleaseView> releases = sources.releases.Look();
  GetSources shown{*snapshot, *resources, status, releases, RealClock().Now()};
  if (sources.peers != nullptr) shown.peers = sources.peers->Rows();
  return AnswerGet(shown, request.query);
}

AdminResponse Explain(const AdminSources& sources, const AdminRequest& request) {
  const std::optional<std::string> id = http::QueryParam(request.query, "id");
  const std::string pool = http::QueryParam(request.query, "pool").value_or("");
  std::optional<RequestRecord> found;
  for (const auto& front_end : sources.front_ends) {
    auto record = front_end->FindRequest(id, pool);
    if (record && (!found || record->ended > found->ended)) found = std::move(record);
  }
  if (!found) {
    const std::string wanted = id             ? "request \"" + *id + "\""
                               : pool.empty() ? "request"
                                              : "request to pool \"" + pool + "\"";
    return {.status = 404,
            .body = "error: no " + wanted + " among the last ones of this gateway\n"};
  }
  if (http::QueryParam(request.query, "output").value_or("") == "json") {
    return {.content_type = "application/json",
            .body = ExplainDocument(*found).ToCompactJson() + "\n"};
  }
  return {.body = ExplainText(*found)};
}

AdminResponse ChangeLogLevel(const AdminRequest& request) {
  const std::string name = http::QueryParam(request.query, "level").value_or("");
  const std::optional<LogLevel> level = LogLevelFromName(name);
  if (!level) {
    return {.status = 400,
            .body = "error: level: must be debug, info, warning or error, got \"" +
                    Printable(name) + "\"\n"};
  }
  const std::string before(NameOf(log_level()));
  SetLogLevel(std::min(*level, LogLevel::kInfo));  // the change itself is told
  Log(LogLevel::kInfo, "Log level changed", {{"from", before}, {"to", NameOf(*level)}});
  SetLogLevel(*level);
  return {.body = std::string(NameOf(*level)) + "\n"};
}

// "namespace/name", or a name in the namespace that is given.
std::string ReleaseName(const AdminRequest& request) {
  const std::string name = http::QueryParam(request.query, "name").value_or("");
  if (name.find('/') != std::string::npos) return name;
  return http::QueryParam(request.query, "namespace").value_or("default") + "/" + name;
}

AdminResponse CommandRelease(const AdminSources& sources, const AdminRequest& request) {
  const std::string word = http::QueryParam(request.query, "do").value_or("");
  const std::optional<ReleaseCommand> command = ReleaseCommandFromName(word);
  if (!command) {
    return {.status = 400,
            .body = "error: do: must be pause, resume, promote or abort, got \"" + Printable(word) +
                    "\"\n"};
  }
  const std::string name = ReleaseName(request);
  if (sources.options.releases_by_objects) {
    return {.status = 409,
            .body = "error: on a cluster its ModelRelease says what " + Printable(name) +
                    " is to do: spec.paused, spec.request\n"};
  }
  const absl::Status done = sources.releases.Command(name, *command);
  if (done.ok()) return {.body = name + ": " + word + "\n"};
  return {.status = absl::IsNotFound(done) ? 404 : 409,
          .body = "error: " + Printable(std::string(done.message())) + "\n"};
}

}  // namespace

AdminServer::Handlers AdminPages(const AdminSources& sources, AdminFeed& feed) {
  AdminServer::Handlers handlers;
  handlers["/healthz"] = [](const AdminRequest&) { return AdminResponse{.body = "ok\n"}; };
  handlers["/readyz"] = [&sources](const AdminRequest&) { return Ready(sources); };
  handlers["/metrics"] = [&sources](const AdminRequest& request) {
    sources.pool_series.Reconcile();
    const MetricsFormat format = MetricsFormatFor(request.accept);
    return AdminResponse{200, std::string(ContentTypeOf(format)), sources.metrics.Render(format)};
  };
  handlers["/endpoints"] = [&sources](const AdminRequest&) {
    return AdminResponse{200, "application/json",
                         EndpointsPage(*sources.snapshots.Load(), RealClock().Now())};
  };
  handlers["/config"] = [&sources](const AdminRequest&) {
    return AdminResponse{200, "application/json", ConfigPage(*sources.snapshots.Load())};
  };
  handlers["/get"] = [&sources](const AdminRequest& request) { return Get(sources, request); };
  handlers["/explain"] = [&sources](const AdminRequest& request) {
    return Explain(sources, request);
  };
  handlers["/log-level"] = [](const AdminRequest&) {
    return AdminResponse{.body = std::string(NameOf(log_level())) + "\n"};
  };
  handlers["/releases"] = [&sources](const AdminRequest&) {
    Document list = Document::List();
    for (const ReleaseView& view : sources.releases.Look()) {
      Document each = Document::Map();
      each.Set("name", view.served.plan.name).Set("about", view.served.about);
      list.Add(std::move(each.Merge(Document::Of(view.status))));
    }
    return AdminResponse{200, "application/json", list.ToJson()};
  };
  handlers["/feed"] = [&feed](const AdminRequest&) {
    return AdminResponse{.content_type = "text/event-stream", .feed = &feed};
  };
  handlers["/configuration"] = [&sources](const AdminRequest& request) {
    return AnswerConfiguration(sources, request.query);
  };
  AddDashboard(&handlers);
  handlers["PUT /log-level"] = ChangeLogLevel;
  handlers["PUT /releases"] = [&sources](const AdminRequest& request) {
    return CommandRelease(sources, request);
  };
  return handlers;
}

AdminServer::Limits AdminLimits(const AdminSources& sources) {
  const ServerOptions& options = sources.options;
  AdminServer::Limits limits;
  limits.connections = options.dataplane.admin_connections_max;
  limits.share_port = options.takeover;
  limits.linger_bytes = options.dataplane.admin_linger_bytes_max;
  Counter& connections = LimitReached(sources.metrics, "admin_connections");
  limits.feed_readers = options.dataplane.admin_feed_readers_max;
  Counter& feed_readers = LimitReached(sources.metrics, "admin_feed_readers");
  limits.on_feed_readers_reached = [&feed_readers] { feed_readers.Add(); };
  Counter& linger_bytes = LimitReached(sources.metrics, "admin_linger_bytes");
  limits.on_connections_reached = [&connections] { connections.Add(); };
  limits.handshake = options.dataplane.tls_handshake_timeout;
  Counter& handshakes = LimitReached(sources.metrics, "tls_handshake_timeout");
  limits.on_handshake_timeout = [&handshakes] { handshakes.Add(); };
  limits.on_linger_bytes_reached = [&linger_bytes] { linger_bytes.Add(); };
  return limits;
}

Counter& LimitReached(MetricRegistry& metrics, const char* limit) {
  return metrics.AddCounter("penstock_limit_reached_total",
                            "How often a limit was reached, by its name.", {{"limit", limit}});
}

}  // namespace gw
