#include "server/gateway_metrics.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/version.h"
#include "collect/scrape_metrics.h"
#include "exchange/metrics.h"
#include "exchange/queue_metrics.h"
#include "pool/pushback.h"
#include "server/endpoint_report.h"

namespace gw {
namespace {

using Sink = MetricRegistry::Sink;

constexpr auto kRelaxed = std::memory_order_relaxed;

// One number of every endpoint, as a family. Absent: the endpoint has no such series.
struct EndpointFamily {
  const char* name;
  const char* type;
  const char* help;
  std::optional<double> (*value)(const EndpointReport& report, const EndpointState& state);
};

constexpr EndpointFamily kEndpointFamilies[] = {
    {"penstock_endpoint_in_flight_requests", "gauge",
     "Requests dispatched to an endpoint and not finished.",
     [](const auto& report, const auto&) -> std::optional<double> { return report.in_flight; }},
    {"penstock_endpoint_pending_prompt_tokens", "gauge",
     "Prompt tokens dispatched to an endpoint whose first byte has not come.",
     [](const auto& report, const auto&) -> std::optional<double> {
       return static_cast<double>(report.pending_prompt_tokens);
     }},
    {"penstock_endpoint_waiting_requests", "gauge", "Queued at an endpoint, as it reports.",
     [](const auto& report, const auto&) { return report.waiting; }},
    {"penstock_endpoint_running_requests", "gauge", "Served at an endpoint, as it reports.",
     [](const auto& report, const auto&) { return report.running; }},
    {"penstock_endpoint_kv_cache_utilization_ratio", "gauge",
     "Use of an endpoint's KV cache, as it reports.",
     [](const auto& report, const auto&) { return report.kv_cache_utilization_ratio; }},
    {"penstock_endpoint_metrics_age_seconds", "gauge", "How long ago an endpoint reported these.",
     [](const auto& report, const auto&) -> std::optional<double> {
       if (!report.metrics_age) return std::nullopt;
       return ToSeconds(*report.metrics_age);
     }},
    {"penstock_endpoint_ready", "gauge",
     "1 while nothing speaks against an endpoint: the pool counts it as ready.",
     [](const auto& report, const auto&) -> std::optional<double> {
       return report.word == EndpointWord::kReady ? 1 : 0;
     }},
    {"penstock_endpoint_failures_total", "counter", "Failures that are held against an endpoint.",
     [](const auto&, const auto& state) -> std::optional<double> {
       return static_cast<double>(state.failures.load(kRelaxed));
     }},
    {"penstock_endpoint_prefix_blocks_total", "counter",
     "Prompt blocks of requests dispatched to an endpoint.",
     [](const auto&, const auto& state) -> std::optional<double> {
       return static_cast<double>(state.prefix_blocks.load(kRelaxed));
     }},
    {"penstock_endpoint_prefix_hit_blocks_total", "counter",
     "Of these, leading ones believed to be cached there.",
     [](const auto&, const auto& state) -> std::optional<double> {
       return static_cast<double>(state.prefix_hit_blocks.load(kRelaxed));
     }},
    {"penstock_endpoint_requests_total", "counter", "Requests dispatched to an endpoint.",
     [](const auto& report, const auto&) -> std::optional<double> {
       return static_cast<double>(report.requests);
     }},
    {"penstock_endpoint_first_bytes_total", "counter",
     "Requests whose first byte an endpoint has answered.",
     [](const auto&, const auto& state) -> std::optional<double> {
       return static_cast<double>(state.first_bytes.load(kRelaxed));
     }},
    {"penstock_endpoint_first_byte_seconds_total", "counter",
     "What those first bytes took together, from their dispatch.",
     [](const auto&, const auto& state) -> std::optional<double> {
       return ToSeconds(Duration(state.first_byte_ns_sum.load(kRelaxed)));
     }},
};

// Calls `visit` for the endpoints that have series of their own. The number of the others.
template <typename Visit>
size_t ForEachShown(const Snapshot& snapshot, Visit visit) {
  size_t seen = 0;
  for (const auto& entry : snapshot.pools) {
    for (const Endpoint& endpoint : entry->pool.endpoints) {
      if (seen++ < kEndpointSeriesMax) visit(entry->pool, endpoint);
    }
  }
  return seen - std::min(seen, kEndpointSeriesMax);
}

Labels OfEndpoint(const Pool& pool, const Endpoint& endpoint) {
  return {{"pool", pool.id}, {"pod", endpoint.name}, {"endpoint", endpoint.address}};
}

void RegisterEndpoints(MetricRegistry& metrics, const SnapshotStore& snapshots) {
  for (const EndpointFamily& family : kEndpointFamilies) {
    metrics.AddCallback(
        family.name, family.help, family.type, [&snapshots, &family](const Sink& sink) {
          const TimePoint now = RealClock().Now();
          ForEachShown(*snapshots.Load(), [&](const Pool& pool, const Endpoint& endpoint) {
            const EndpointReport report = ReportOf(pool, *endpoint.state, now);
            if (const auto value = family.value(report, *endpoint.state)) {
              sink(OfEndpoint(pool, endpoint), *value);
            }
          });
        });
  }
  metrics.AddCallback("penstock_endpoint_series_left_out",
                      "Endpoints beyond the number that have series of their own.", "gauge",
                      [&snapshots](const Sink& sink) {
                        const auto nothing = [](const Pool&, const Endpoint&) {};
                        sink({}, static_cast<double>(ForEachShown(*snapshots.Load(), nothing)));
                      });
}

void TellPools(const Snapshot& snapshot, const Sink& sink) {
  const TimePoint now = RealClock().Now();
  for (const auto& entry : snapshot.pools) {
    size_t counts[kEndpointWords] = {};
    for (const Endpoint& endpoint : entry->pool.endpoints) {
      ++counts[static_cast<size_t>(ReportOf(entry->pool, *endpoint.state, now).word)];
    }
    for (size_t i = 0; i < kEndpointWords; ++i) {
      const std::string_view state = NameOf(static_cast<EndpointWord>(i));
      sink({{"pool", entry->pool.id}, {"state", std::string(state)}},
           static_cast<double>(counts[i]));
    }
  }
}

void TellLimited(const Snapshot& snapshot, const Sink& sink) {
  const TimePoint now = RealClock().Now();
  for (const auto& entry : snapshot.pools) {
    const auto& endpoints = entry->pool.endpoints;
    const auto limited = std::count_if(endpoints.begin(), endpoints.end(), [now](const auto& each) {
      return ShareOf(*each.state, now).is_limited();
    });
    sink({{"pool", entry->pool.id}}, static_cast<double>(limited));
  }
}

// What the rules of each pool have learned (scheduling/pool_memory.h).
template <typename Value>
void TellLearned(const Snapshot& snapshot, const Sink& sink, Value value) {
  for (const auto& entry : snapshot.pools) {
    if (entry->memory != nullptr) {
      sink({{"pool", entry->pool.id}}, static_cast<double>(value(*entry->memory)));
    }
  }
}

void RegisterPools(MetricRegistry& metrics, const SnapshotStore& snapshots) {
  metrics.AddCallback("penstock_pool_endpoints", "Endpoints of a pool, by state.", "gauge",
                      [&snapshots](const Sink& sink) { TellPools(*snapshots.Load(), sink); });
  metrics.AddCallback("penstock_pool_limited_endpoints",
                      "Endpoints of a pool that get fewer requests as they have pushed back.",
                      "gauge",
                      [&snapshots](const Sink& sink) { TellLimited(*snapshots.Load(), sink); });
  metrics.AddCallback("penstock_pool_prompt_tokens_per_second",
                      "How fast an endpoint of the pool computes prompts, as COST has learned it.",
                      "gauge", [&snapshots](const Sink& sink) {
                        TellLearned(*snapshots.Load(), sink, [](const PoolMemory& memory) {
                          return memory.prefill_tokens_per_second();
                        });
                      });
  metrics.AddCallback(
      "penstock_pool_answer_tokens", "Mean tokens of the pool's answers, as COST has learned it.",
      "gauge", [&snapshots](const Sink& sink) {
        TellLearned(*snapshots.Load(), sink,
                    [](const PoolMemory& memory) { return memory.OutputTokens(""); });
      });
}

// Calls `visit` with what each pool's queue holds.
template <typename Visit>
void ForEachQueue(const Snapshot& snapshot, Visit visit) {
  for (const auto& entry : snapshot.pools) {
    if (entry->queue != nullptr) visit(entry->pool.id, entry->queue->Look());
  }
}

// One of the numbers of a breaker that has a limit.
struct BreakerNumber {
  std::string_view pool;  // one of these is empty
  std::string_view route;
  std::string_view limit;
  const LimitedCount& count;
};

// Calls `visit` for each of them, of pools and of the routes that are attached to something.
template <typename Visit>
void ForEachBreaker(const Snapshot& snapshot, Visit visit) {
  std::set<const Breaker*> seen;
  const auto tell = [&](std::string_view pool, std::string_view route, const Breaker* breaker) {
    if (breaker == nullptr || !seen.insert(breaker).second) return;
    for (const auto& [limit, count] : {std::pair("max_requests", &breaker->requests),
                                       std::pair("max_waiting", &breaker->waiting)}) {
      if (count->max()) visit(BreakerNumber{pool, route, limit, *count});
    }
  };
  for (const auto& entry : snapshot.pools) tell(entry->pool.id, "", entry->breaker.get());
  for (const ListenerEntry& listener : snapshot.listeners) {
    for (const RouteTable::Entry& entry : listener.routes->entries()) {
      tell("", entry.rule->route, entry.rule->breaker.get());
    }
  }
}

void RegisterBreakers(MetricRegistry& metrics, const SnapshotStore& snapshots) {
  const auto add = [&](const char* name, const char* help, const char* type,
                       double (*value)(const LimitedCount& count)) {
    metrics.AddCallback(name, help, type, [&snapshots, value](const Sink& sink) {
      ForEachBreaker(*snapshots.Load(), [&](const BreakerNumber& number) {
        sink({{"pool", std::string(number.pool)},
              {"route", std::string(number.route)},
              {"limit", std::string(number.limit)}},
             value(number.count));
      });
    });
  };
  add("penstock_breaker_requests", "Requests that count for a limit of a pool or a route.", "gauge",
      [](const LimitedCount& count) { return static_cast<double>(count.now()); });
  add("penstock_breaker_requests_max", "That limit.", "gauge",
      [](const LimitedCount& count) { return static_cast<double>(count.max().value_or(0)); });
  add("penstock_breaker_refused_requests_total", "Requests that found it reached.", "counter",
      [](const LimitedCount& count) { return static_cast<double>(count.refused()); });
}

void RegisterQueues(MetricRegistry& metrics, const SnapshotStore& snapshots) {
  metrics.AddCallback(
      "penstock_queue_waiting_requests", "Requests that wait in their pool's queue.", "gauge",
      [&snapshots, &metrics](const Sink& sink) {
        ForEachQueue(*snapshots.Load(), [&](const std::string& pool, const auto& view) {
          std::map<std::pair<int, std::string>, size_t> waiting = {{{0, ""}, 0}};
          for (const auto& tenant : view.tenants) {
            const std::string_view label = TenantLabel(metrics, pool, tenant.name);
            waiting[{tenant.priority, std::string(label)}] += tenant.waiting;
          }
          for (const auto& [of, count] : waiting) {
            sink({{"pool", pool}, {"priority", std::to_string(of.first)}, {"tenant", of.second}},
                 static_cast<double>(count));
          }
        });
      });
  metrics.AddCallback("penstock_queue_waiting_bytes", "Bytes of their bodies.", "gauge",
                      [&snapshots](const Sink& sink) {
                        ForEachQueue(
                            *snapshots.Load(), [&](const std::string& pool, const auto& view) {
                              sink({{"pool", pool}}, static_cast<double>(view.waiting_bytes));
                            });
                      });
  metrics.AddCallback(
      "penstock_queue_saturated", "1 while a pool with a queue takes no more requests.", "gauge",
      [&snapshots](const Sink& sink) {
        ForEachQueue(*snapshots.Load(), [&](const std::string& pool, const auto& view) {
          sink({{"pool", pool}}, view.is_saturated() ? 1 : 0);
        });
      });
}

}  // namespace

void RegisterGatewayMetrics(MetricRegistry& metrics, const SnapshotStore& snapshots,
                            const PrefixIndex& index, const HeldBytes& held) {
  metrics.AddCallback(
      "penstock_prefix_index_bytes", "Memory of the prefix index.", "gauge",
      [&index](const Sink& sink) { sink({}, static_cast<double>(index.stats().bytes)); });
  metrics.AddCallback(
      "penstock_prefix_index_blocks", "Prompt blocks in the prefix index.", "gauge",
      [&index](const Sink& sink) { sink({}, static_cast<double>(index.stats().blocks)); });
  metrics.AddCallback(
      "penstock_prefix_index_evicted_blocks_total",
      "Prompt blocks that left the prefix index for newer ones.", "counter",
      [&index](const Sink& sink) { sink({}, static_cast<double>(index.stats().evicted_blocks)); });
  metrics.AddCallback("penstock_held_bytes",
                      "Bytes of requests and answers that are held, beyond 4 KiB of each client.",
                      "gauge",
                      [&held](const Sink& sink) { sink({}, static_cast<double>(held.held())); });
  metrics.AddCallback("penstock_log_lines_dropped_total",
                      "Log lines dropped because the writer could not keep up, or standard error "
                      "did not take them.",
                      "counter",
                      [](const Sink& sink) { sink({}, static_cast<double>(dropped_log_lines())); });
  metrics.AddCallback("penstock_build_info", "1; the labels say which binary runs.", "gauge",
                      [](const Sink& sink) {
                        sink({{"version", std::string(Version().version)},
                              {"commit", std::string(Version().commit)}},
                             1);
                      });
  RegisterPools(metrics, snapshots);
  RegisterQueues(metrics, snapshots);
  RegisterBreakers(metrics, snapshots);
  RegisterEndpoints(metrics, snapshots);
}

void PoolSeries::Reconcile() {
  const MutexLock lock(mutex_);
  const std::shared_ptr<const Snapshot> snapshot = snapshots_.Load();
  std::set<std::string, std::less<>> known = {""};
  for (const auto& entry : snapshot->pools) {
    known.insert(entry->pool.id);
    known.insert(ScopeOfTenants(entry->pool.id));
  }
  metrics_.RemoveSeries("pool", [&known](std::string_view pool) { return !known.contains(pool); });
  if (snapshot->generation == shown_generation_) return;
  shown_generation_ = snapshot->generation;
  ShowSeries(metrics_, *snapshot);
  for (const auto& entry : snapshot->pools) {
    if (entry->pool.kind == Pool::Kind::kInferencePool) ShowScrapeSeries(metrics_, entry->pool.id);
  }
}

}  // namespace gw
