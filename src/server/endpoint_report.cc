#include "server/endpoint_report.h"

#include <algorithm>

#include "base/check.h"
#include "pool/health.h"
#include "pool/pushback.h"

namespace gw {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

EndpointWord WordOf(const Pool& pool, const EndpointState& state, const EndpointReport& report) {
  if (IsEjected(state)) return EndpointWord::kEjected;
  const uint8_t silence = state.silence.load(kRelaxed);
  if ((silence & Silence::kMetrics) != 0) return EndpointWord::kSilent;
  if ((silence & Silence::kTrial) != 0) return EndpointWord::kTrial;
  if (silence != 0) return EndpointWord::kSilent;
  if (pool.kind != Pool::Kind::kInferencePool) return EndpointWord::kReady;
  if (!report.metrics_age) return EndpointWord::kUnknown;
  const Duration age_max =
      std::max(pool.metrics_age_max, Duration(state.paced_age_ns.load(kRelaxed)));
  return *report.metrics_age > age_max ? EndpointWord::kStale : EndpointWord::kReady;
}

}  // namespace

std::string_view NameOf(EndpointWord word) {
  switch (word) {
    case EndpointWord::kEjected:
      return "ejected";
    case EndpointWord::kSilent:
      return "silent";
    case EndpointWord::kTrial:
      return "trial";
    case EndpointWord::kUnknown:
      return "unknown";
    case EndpointWord::kStale:
      return "stale";
    case EndpointWord::kReady:
      return "ready";
  }
  CHECK(false);
}

EndpointReport ReportOf(const Pool& pool, const EndpointState& state, TimePoint now) {
  const int64_t now_ns = now.time_since_epoch().count();
  EndpointReport report;
  const GatewaySums own = OwnSums(state);
  report.in_flight = own.requests;
  report.pending_prompt_tokens = own.pending_tokens;
  report.decoding_context_tokens = own.decoding_tokens;
  report.requests = state.dispatched_requests.load(kRelaxed);
  if (const int64_t at = state.scraped_at_ns.load(std::memory_order_acquire); at != 0) {
    report.metrics_age = Duration(std::max<int64_t>(0, now_ns - at));
    report.waiting = state.waiting_requests.load(kRelaxed);
    report.running = state.running_requests.load(kRelaxed);
    report.kv_cache_utilization_ratio = state.kv_cache_utilization_ratio.load(kRelaxed);
  }
  report.scrape_failures = state.scrape_failures.load(kRelaxed);
  report.failures = state.consecutive_failures.load(kRelaxed);
  if (const int64_t until = state.ejected_until_ns.load(kRelaxed); until != 0) {
    report.ejected_for = Duration(std::max<int64_t>(0, until - now_ns));
    report.failures = state.ejections.load(kRelaxed);
  }
  if (const int64_t since = state.silent_since_ns.load(kRelaxed); since != 0) {
    report.silent_for = Duration(std::max<int64_t>(0, now_ns - since));
  }
  const Share share = ShareOf(state, now);
  if (share.allowed != 0) report.allowed = share.allowed;
  if (share.paused_for > Duration::zero()) report.paused_for = share.paused_for;
  report.word = WordOf(pool, state, report);
  return report;
}

}  // namespace gw
