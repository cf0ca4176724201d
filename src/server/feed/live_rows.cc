#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "server/endpoint_report.h"
#include "server/feed/rows.h"
#include "server/queue_rows.h"

namespace gw {
namespace {

constexpr std::string_view kPoolColumns[] = {"pool",
                                             "kind",
                                             "runtime",
                                             "strategy",
                                             "unservable",
                                             "endpoints",
                                             "ready",
                                             "ejected",
                                             "silent",
                                             "stale",
                                             "limited",
                                             "in_flight",
                                             "waiting",
                                             "running",
                                             "kv_cache_utilization_ratio",
                                             "requests_per_s",
                                             "errors_per_s",
                                             "prompt_tokens_per_s",
                                             "cached_ratio",
                                             "completion_tokens_per_s",
                                             "prefix_hit_ratio",
                                             "ttft_ms_p50",
                                             "ttft_ms_p90",
                                             "ttft_ms_p99",
                                             "tpot_ms_p50",
                                             "tpot_ms_p90",
                                             "tpot_ms_p99",
                                             "queued",
                                             "queue_saturated"};
constexpr std::string_view kEndpointColumns[] = {"pool",
                                                 "pod",
                                                 "address",
                                                 "role",
                                                 "state",
                                                 "in_flight",
                                                 "waiting",
                                                 "running",
                                                 "pending_prompt_tokens",
                                                 "kv_cache_utilization_ratio",
                                                 "requests_per_s",
                                                 "prefix_hit_ratio",
                                                 "failures",
                                                 "scrape_failures",
                                                 "ejected_until",
                                                 "allowed",
                                                 "paused_until",
                                                 "silent_at",
                                                 "metrics_age_s"};
constexpr std::string_view kTotalColumns[] = {"requests_per_s",
                                              "errors_per_s",
                                              "rejected_per_s",
                                              "prompt_tokens_per_s",
                                              "completion_tokens_per_s",
                                              "ttft_ms_p50",
                                              "ttft_ms_p90",
                                              "ttft_ms_p99",
                                              "tpot_ms_p50",
                                              "tpot_ms_p90",
                                              "tpot_ms_p99",
                                              "in_flight",
                                              "waiting",
                                              "running",
                                              "queued"};
constexpr std::string_view kQueueColumns[] = {
    "pool",      "priority",           "tenant",           "waiting",       "waiting_bytes",
    "oldest_at", "in_flight_requests", "in_flight_tokens", "served_tokens", "state"};

// Of the endpoints of one pool, or of all.
struct LiveSum {
  int64_t endpoints = 0;
  int64_t words[kEndpointWords] = {};
  int64_t limited = 0;
  int64_t in_flight = 0;
  bool reported = false;  // waiting and running are of those that have
  double waiting = 0;
  double running = 0;
  double kv_sum = 0;
  int64_t kv_count = 0;
  std::optional<int64_t> queued;

  int64_t Of(EndpointWord word) const { return words[static_cast<size_t>(word)]; }
  void Add(const EndpointReport& report);
  void Add(const LiveSum& other);
};

void LiveSum::Add(const EndpointReport& report) {
  ++endpoints;
  ++words[static_cast<size_t>(report.word)];
  limited += report.allowed || report.paused_for;
  in_flight += report.in_flight;
  if (!report.waiting) return;
  reported = true;
  waiting += *report.waiting;
  running += *report.running;
  kv_sum += *report.kv_cache_utilization_ratio;
  ++kv_count;
}

void LiveSum::Add(const LiveSum& other) {
  in_flight += other.in_flight;
  reported |= other.reported;
  waiting += other.waiting;
  running += other.running;
  if (other.queued) queued = queued.value_or(0) + *other.queued;
}

void AddOptional(Cells* cells, std::optional<double> value) {
  if (value) {
    cells->Number(*value);
  } else {
    cells->Null();
  }
}

void AddOptional(Cells* cells, std::optional<int64_t> value) {
  if (value) {
    cells->Number(*value);
  } else {
    cells->Null();
  }
}

void AddRatio(Cells* cells, uint64_t part, uint64_t of) {
  AddOptional(cells, of == 0 ? std::nullopt
                             : std::optional(static_cast<double>(part) / static_cast<double>(of)));
}

void AddPercentiles(Cells* cells, const HistogramValue& seconds) {
  for (const double q : {0.5, 0.9, 0.99}) {
    const std::optional<double> value = QuantileOf(seconds, q);
    AddOptional(cells, value ? std::optional(*value * 1000) : std::nullopt);
  }
}

std::string_view KindOf(Pool::Kind kind) {
  switch (kind) {
    case Pool::Kind::kInferencePool:
      return "InferencePool";
    case Pool::Kind::kService:
      return "Service";
    case Pool::Kind::kElsewhere:
      return "Backend";
  }
  return "";
}

std::string PoolCells(const PoolEntry& entry, const LiveSum& sum, const TotalsWindow& window) {
  const PoolTotals totals = window.Of(entry.pool.id);
  Cells cells;
  cells.Text(entry.pool.id).Text(KindOf(entry.pool.kind));
  const bool is_inference = entry.pool.kind == Pool::Kind::kInferencePool;
  cells.TextOrNull(is_inference ? NameOf(entry.pool.runtime) : "")
      .TextOrNull(entry.profile ? entry.profile->name() : "")
      .TextOrNull(entry.unservable)
      .Number(sum.endpoints)
      .Number(sum.Of(EndpointWord::kReady))
      .Number(sum.Of(EndpointWord::kEjected))
      .Number(sum.Of(EndpointWord::kSilent) + sum.Of(EndpointWord::kTrial))
      .Number(sum.Of(EndpointWord::kStale) + sum.Of(EndpointWord::kUnknown))
      .Number(sum.limited)
      .Number(sum.in_flight);
  AddOptional(&cells, sum.reported ? std::optional(sum.waiting) : std::nullopt);
  AddOptional(&cells, sum.reported ? std::optional(sum.running) : std::nullopt);
  AddOptional(&cells, sum.kv_count == 0
                          ? std::nullopt
                          : std::optional(sum.kv_sum / static_cast<double>(sum.kv_count)));
  cells.Number(window.Rate(totals.requests))
      .Number(window.Rate(totals.errors))
      .Number(window.Rate(totals.prompt_tokens));
  AddRatio(&cells, totals.cached_tokens, totals.prompt_tokens);
  cells.Number(window.Rate(totals.completion_tokens));
  AddRatio(&cells, totals.prefix_hit_blocks, totals.prefix_blocks);
  AddPercentiles(&cells, totals.ttft_s);
  AddPercentiles(&cells, totals.tpot_s);
  AddOptional(&cells, sum.queued);
  if (entry.queue == nullptr) {
    cells.Null();
  } else {
    cells.Bool(entry.queue->Look().is_saturated());
  }
  return cells.Take();
}

std::string EndpointCells(const LiveSources& sources, const Pool& pool, const Endpoint& endpoint,
                          const EndpointReport& report) {
  const EndpointTotals totals = sources.window.Of(*endpoint.state);
  const auto at = [&](std::optional<Duration> from_now) -> std::optional<int64_t> {
    if (!from_now) return std::nullopt;
    return sources.wall.UnixMillis(sources.now + *from_now);
  };
  Cells cells;
  cells.Text(pool.id).Text(endpoint.name).Text(endpoint.address);
  cells.TextOrNull(endpoint.role == Role::kBoth ? "" : NameOf(endpoint.role))
      .Text(NameOf(report.word))
      .Number(int64_t{report.in_flight});
  AddOptional(&cells, report.waiting);
  AddOptional(&cells, report.running);
  cells.Number(report.pending_prompt_tokens);
  AddOptional(&cells, report.kv_cache_utilization_ratio);
  cells.Number(sources.window.Rate(totals.requests));
  AddRatio(&cells, totals.prefix_hit_blocks, totals.prefix_blocks);
  cells.Number(int64_t{report.failures}).Number(int64_t{report.scrape_failures});
  AddOptional(&cells, at(report.ejected_for));
  AddOptional(&cells, report.allowed ? std::optional(int64_t{*report.allowed}) : std::nullopt);
  AddOptional(&cells, at(report.paused_for));
  AddOptional(&cells, at(report.silent_for ? std::optional(-*report.silent_for) : std::nullopt));
  // In whole seconds, or every row would be another all the time.
  AddOptional(&cells, report.metrics_age
                          ? std::optional(*report.metrics_age / std::chrono::seconds(1))
                          : std::nullopt);
  return cells.Take();
}

std::string TotalCells(const LiveSum& sum, const TotalsWindow& window) {
  const PoolTotals totals = window.OfAll();
  Cells cells;
  cells.Number(window.Rate(totals.requests))
      .Number(window.Rate(totals.errors))
      .Number(window.Rate(totals.rejected))
      .Number(window.Rate(totals.prompt_tokens))
      .Number(window.Rate(totals.completion_tokens));
  AddPercentiles(&cells, totals.ttft_s);
  AddPercentiles(&cells, totals.tpot_s);
  cells.Number(sum.in_flight);
  AddOptional(&cells, sum.reported ? std::optional(sum.waiting) : std::nullopt);
  AddOptional(&cells, sum.reported ? std::optional(sum.running) : std::nullopt);
  AddOptional(&cells, sum.queued);
  return cells.Take();
}

}  // namespace

std::span<const std::string_view> PoolColumns() { return kPoolColumns; }
std::span<const std::string_view> EndpointColumns() { return kEndpointColumns; }
std::span<const std::string_view> TotalColumns() { return kTotalColumns; }
std::span<const std::string_view> QueueRowColumns() { return kQueueColumns; }

void PutLive(const LiveSources& sources, FeedTable* pools, FeedTable* endpoints,
             FeedTable* totals) {
  LiveSum all;
  std::string key;
  for (const auto& entry : sources.snapshot.pools) {
    const Pool& pool = entry->pool;
    LiveSum sum;
    for (const Endpoint& endpoint : pool.endpoints) {
      const EndpointReport report = ReportOf(pool, *endpoint.state, sources.now);
      sum.Add(report);
      key.assign(pool.id).append(" ").append(endpoint.address).append(" ").append(endpoint.name);
      endpoints->Put(key, EndpointCells(sources, pool, endpoint, report));
    }
    if (entry->queue != nullptr) sum.queued = static_cast<int64_t>(entry->queue->Look().waiting);
    pools->Put(pool.id, PoolCells(*entry, sum, sources.window));
    all.Add(sum);
  }
  totals->Put("", TotalCells(all, sources.window));
}

void PutQueues(const LiveSources& sources, FeedTable* queues) {
  for (const auto& entry : sources.snapshot.pools) {
    if (entry->queue == nullptr) continue;
    const RequestQueue::View view = entry->queue->Look();
    for (const RequestQueue::View::Tenant& tenant : view.tenants) {
      Cells cells;
      cells.Text(entry->pool.id)
          .Number(int64_t{tenant.priority})
          .Text(tenant.name)
          .Number(static_cast<int64_t>(tenant.waiting))
          .Number(static_cast<int64_t>(tenant.waiting_bytes));
      AddOptional(&cells,
                  tenant.oldest_wait
                      ? std::optional(sources.wall.UnixMillis(sources.now - *tenant.oldest_wait))
                      : std::nullopt);
      cells.Number(int64_t{tenant.in_flight_requests})
          .Number(int64_t{tenant.in_flight_tokens})
          .Number(static_cast<double>(tenant.served_tokens))
          .Text(StateOf(view, tenant));
      queues->Put(fmt::format("{} {} {}", entry->pool.id, tenant.priority, tenant.name),
                  cells.Take());
    }
  }
}

}  // namespace gw
