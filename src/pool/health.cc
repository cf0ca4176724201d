#include "pool/health.h"

#include <algorithm>

#include "base/check.h"

namespace gw {

Duration BackoffOf(uint32_t ejections, const HealthOptions& options) {
  CHECK(ejections > 0);
  Duration backoff = options.backoff_base;
  for (uint32_t i = 1; i < ejections && backoff < options.backoff_max; ++i) backoff *= 2;
  return std::min(backoff, options.backoff_max);
}

bool RecordFailure(EndpointState& state, TimePoint now, EndpointFailure failure,
                   const HealthOptions& options) {
  const int64_t now_ns = now.time_since_epoch().count();
  int64_t until_ns = state.ejected_until_ns.load(std::memory_order_relaxed);
  if (until_ns > now_ns) return false;
  const uint32_t failures = state.consecutive_failures.fetch_add(1, std::memory_order_relaxed) + 1;
  const uint32_t failures_max = failure == EndpointFailure::kConnectRefused
                                    ? options.refusals_in_row_max
                                    : options.failures_in_row_max;
  // After a back-off one failure is enough: the endpoint is on probation.
  if (until_ns == 0 && failures < failures_max) return false;
  // Of the threads that see the same outage, the one that moves ejected_until_ns ejects; the others
  // find it in the future and have nothing to do.
  const uint32_t ejections = state.ejections.load(std::memory_order_relaxed) + 1;
  const int64_t next_ns = now_ns + BackoffOf(ejections, options).count();
  if (!state.ejected_until_ns.compare_exchange_strong(until_ns, next_ns)) return false;
  state.ejections.store(ejections, std::memory_order_relaxed);
  state.consecutive_failures.store(0, std::memory_order_relaxed);
  return true;
}

void RecordSuccess(EndpointState& state) {
  // Loads first: in the common case the line is only read, and stays shared between the workers.
  if (state.consecutive_failures.load(std::memory_order_relaxed) != 0) {
    state.consecutive_failures.store(0, std::memory_order_relaxed);
  }
  if (state.ejections.load(std::memory_order_relaxed) != 0 && !IsEjected(state)) {
    state.ejections.store(0, std::memory_order_relaxed);
  }
}

bool RecordProbeSuccess(EndpointState& state) {
  state.consecutive_failures.store(0, std::memory_order_relaxed);
  return state.ejected_until_ns.exchange(0) != 0;
}

bool IsProbeDue(const EndpointState& state, TimePoint now) {
  const int64_t until_ns = state.ejected_until_ns.load(std::memory_order_relaxed);
  return until_ns != 0 && now.time_since_epoch().count() >= until_ns;
}

}  // namespace gw
