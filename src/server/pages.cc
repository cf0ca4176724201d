#include "server/pages.h"

#include <fmt/format.h>

#include "base/log.h"

namespace gw {
namespace {

std::string Quoted(std::string_view text) {
  std::string out = "\"";
  AppendJsonEscaped(&out, text);
  out += '"';
  return out;
}

double MetricsAgeMs(const EndpointState& state, TimePoint now) {
  const int64_t at = state.scraped_at_ns.load(std::memory_order_relaxed);
  if (at == 0) return -1;
  return ToMillis(Duration(now.time_since_epoch().count() - at));
}

std::string ScoresLine(const std::vector<std::pair<std::string_view, float>>& scores, double sum) {
  std::string out = "  scores:";
  for (const auto& [name, score] : scores) out += fmt::format(" {} {:.2f}", name, score);
  return out + fmt::format(", together {:.2f}\n", sum);
}

bool Ejected(const EndpointState& state) { return state.ejected_until_ns.load() != 0; }

}  // namespace

std::string EndpointsPage(const Snapshot& snapshot, TimePoint now) {
  std::string out = "[";
  for (const auto& entry : snapshot.pools) {
    for (const Endpoint& endpoint : entry->pool.endpoints) {
      const EndpointState& state = *endpoint.state;
      if (out.size() > 1) out += ",\n ";
      out += fmt::format(
          R"({{"pool":{},"pod":{},"endpoint":{},"runtime":{},"role":{},"in_flight":{},)"
          R"("waiting":{},)"
          R"("running":{},"kv_cache_utilization_ratio":{:.4f},"pending_prompt_tokens":{},)"
          R"("decoding_context_tokens":{},"metrics_age_ms":{:.1f},"ejected":{}}})",
          Quoted(entry->pool.id), Quoted(endpoint.name), Quoted(endpoint.address),
          Quoted(NameOf(endpoint.runtime)), Quoted(NameOf(endpoint.role)),
          state.in_flight_requests.load(), state.waiting_requests.load(),
          state.running_requests.load(), state.kv_cache_utilization_ratio.load(),
          state.pending_prompt_tokens.load(), state.decoding_context_tokens.load(),
          MetricsAgeMs(state, now), Ejected(state));
    }
  }
  return out + "]\n";
}

std::string EndpointsTable(const Snapshot& snapshot, TimePoint now) {
  std::string out =
      fmt::format("{:<28} {:<24} {:<22} {:<8} {:>9} {:>7} {:>7} {:>6} {:>9} {}\n", "POOL", "POD",
                  "ENDPOINT", "ROLE", "IN-FLIGHT", "WAITING", "RUNNING", "KV", "AGE-MS", "STATE");
  for (const auto& entry : snapshot.pools) {
    for (const Endpoint& endpoint : entry->pool.endpoints) {
      const EndpointState& state = *endpoint.state;
      out +=
          fmt::format("{:<28} {:<24} {:<22} {:<8} {:>9} {:>7.0f} {:>7.0f} {:>6.2f} {:>9.0f} {}\n",
                      entry->pool.id, endpoint.name, endpoint.address, NameOf(endpoint.role),
                      state.in_flight_requests.load(), state.waiting_requests.load(),
                      state.running_requests.load(), state.kv_cache_utilization_ratio.load(),
                      MetricsAgeMs(state, now), Ejected(state) ? "ejected" : "ready");
    }
  }
  return out;
}

std::string ConfigPage(const Snapshot& snapshot) {
  std::string out = fmt::format("{{\"generation\":{},\n \"listeners\":[", snapshot.generation);
  for (const ListenerEntry& listener : snapshot.listeners) {
    if (&listener != &snapshot.listeners.front()) out += ",\n  ";
    out += fmt::format("{{\"port\":{},\"names\":[", listener.port);
    for (size_t i = 0; i < listener.names.size(); ++i) {
      out += (i > 0 ? "," : "") + Quoted(listener.names[i]);
    }
    out += "]}";
  }
  out += "],\n \"pools\":[";
  for (size_t i = 0; i < snapshot.pools.size(); ++i) {
    const PoolEntry& entry = *snapshot.pools[i];
    if (i > 0) out += ",\n  ";
    out += fmt::format(
        R"({{"pool":{},"runtime":{},"profile":{},"endpoints":{},"models":{},"unservable":{}}})",
        Quoted(entry.pool.id), Quoted(NameOf(entry.pool.runtime)),
        Quoted(entry.profile ? entry.profile->name() : ""), entry.pool.endpoints.size(),
        entry.models.names().size(), Quoted(entry.unservable));
  }
  return out + "]}\n";
}

std::string ExplainText(const RequestRecord& record) {
  std::string out =
      fmt::format("request {}: status {}, {}", record.request_id, record.status, record.outcome);
  if (!record.reason.empty()) out += fmt::format(" ({})", record.reason);
  out += fmt::format("\n  {} {} -> route {} -> pool {}\n", record.method, record.path,
                     record.route.empty() ? "none" : record.route,
                     record.pool.empty() ? "none" : record.pool);
  if (!record.requested_model.empty()) {
    out += fmt::format("  model {}", record.requested_model);
    if (record.target_model != record.requested_model) {
      out += fmt::format(", sent on as {}", record.target_model);
    }
    out += '\n';
  }
  if (!record.endpoint_name.empty()) {
    out += fmt::format("  {} ({}), chosen from {} candidates, try {}\n", record.endpoint_name,
                       record.endpoint, record.candidates, record.tries);
    out += ScoresLine(record.scores, record.score);
    if (record.disaggregation == "prefill-decode") {
      out += fmt::format("  prefill half at {} ({}), chosen from {} candidates\n",
                         record.prefill_name, record.prefill_endpoint, record.prefill_candidates);
      out += ScoresLine(record.prefill_scores, record.prefill_score);
    } else if (!record.disaggregation.empty()) {
      out += "  not split: that endpoint did both halves\n";
    }
    if (record.prefix_blocks > 0) {
      out += fmt::format("  {} of {} prompt blocks believed cached there\n",
                         record.prefix_hit_blocks, record.prefix_blocks);
    }
    if (!record.failed_half.empty()) {
      out += fmt::format("  the {} half failed\n", record.failed_half);
    }
  }
  if (record.prefill_status != 0) {
    out +=
        fmt::format("  prefill answered {} after {:.2f} ms, decode's first byte {:.2f} ms later\n",
                    record.prefill_status, record.prefill_ms, record.transfer_ms);
  }
  out +=
      fmt::format("  dispatched after {:.2f} ms, first byte after {:.2f} ms, all after {:.2f} ms\n",
                  record.queue_ms, record.ttft_ms, record.total_ms);
  if (record.tokens_estimated) {
    out +=
        fmt::format("  tokens: completion about {}, counted by events\n", record.completion_tokens);
  } else if (record.prompt_tokens >= 0) {
    out += fmt::format("  tokens: prompt {}", record.prompt_tokens);
    if (record.cached_tokens >= 0) out += fmt::format(" (cached {})", record.cached_tokens);
    out += fmt::format(", completion {}\n", record.completion_tokens);
  }
  return out;
}

}  // namespace gw
