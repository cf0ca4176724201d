// Sessions: which endpoint a request comes back to, and what its client is told for the next one.

#include "exchange/session.h"

#include <algorithm>

#include "exchange/exchange.h"

namespace gw {

const SessionPolicy* Exchange::session_policy() const {
  return routed_.rule() != nullptr ? routed_.rule()->session.get() : nullptr;
}

// By the wall clock: sessions outlive processes.
int64_t Exchange::UnixSeconds() const { return env_.clock.UnixNanos() / 1'000'000'000; }

void Exchange::FindSession() {
  session_.given = session_policy()->Find(*asked_.head, UnixSeconds());
}

// The session's endpoint, if it is a candidate of the sample that may have one more request; else
// there is no endpoint in the decision.
Decision Exchange::ChooseOfSession(TimePoint now) const {
  const SessionPolicy& policy = *session_policy();
  const std::string& pool_id = routed_.pool()->pool.id;
  const SaturationLimits& limits = routed_.pool()->saturation;
  const Candidates& candidates = env_.candidates;
  for (size_t row = 0; row < candidates.size(); ++row) {
    const Endpoint* const endpoint = candidates.endpoints()[row];
    if (policy.HashOfEndpoint(pool_id, endpoint->address) != session_.given->endpoint) continue;
    const bool full =
        candidates.metrics_fresh()[row] != 0 &&
        (candidates.waiting_requests()[row] > limits.waiting_requests_max ||
         candidates.kv_cache_utilization_ratios()[row] > limits.kv_cache_utilization_ratio_max);
    const bool has_all =
        limits.requests_max && candidates.in_flight_requests()[row] >= *limits.requests_max;
    return full || has_all || !IsInUse(row, now) ? Decision() : DecisionFor(row);
  }
  return {};
}

std::optional<http::HeaderField> Exchange::SessionField(std::string* storage) {
  const SessionPolicy* const policy = session_policy();
  if (policy == nullptr || !tried_->hold.held()) return std::nullopt;
  const int64_t unix_s = UnixSeconds();
  const std::string& pool_id = routed_.pool()->pool.id;
  SessionToken token;
  token.destination = policy->HashOfDestination(pool_id);
  token.endpoint = policy->HashOfEndpoint(pool_id, tried_->decision.endpoint->address);
  const bool held = session_.given && session_.given->destination == token.destination &&
                    session_.given->endpoint == token.endpoint;
  session_.result = held ? Session::kHeld : session_.given ? Session::kMoved : Session::kBegun;
  env_.metrics.CountSession(pool_id, session_.result);
  if (held && !policy->by_header && policy->idle_timeout <= Duration::zero()) return std::nullopt;
  token.began_unix_s = token.used_unix_s = static_cast<uint32_t>(unix_s);
  if (held) {
    token.began_unix_s = session_.given->began_unix_s;
    token.used_unix_s = std::max(token.used_unix_s, token.began_unix_s);
    // Where nothing asks for the time of its use, a token stays as it is.
    if (policy->idle_timeout <= Duration::zero()) token.used_unix_s = session_.given->used_unix_s;
  }
  return policy->FieldOf(token, asked_.target.path, routed_.scheme() == "https", unix_s, storage);
}

}  // namespace gw
