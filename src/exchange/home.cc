// The endpoint that a request has to come back to, since it has made the response which the request
// is about.

#include "exchange/exchange.h"

namespace gw {

void Exchange::FindHome(std::string_view response_id) {
  if (env_.homes != nullptr && !response_id.empty()) home_ = env_.homes->Find(response_id);
}

// As soon as the id is known: a stream may be asked for, or cancelled, while it comes.
void Exchange::LearnHome() {
  if (env_.homes == nullptr || observed_.home_learned || !tried_.hold.held()) return;
  const std::string_view id = observed_.response.reader().response_id();
  if (id.empty()) return;
  observed_.home_learned = true;
  if (env_.homes->Put(id, tried_.decision.endpoint->state)) CountLimit("response_ids");
}

// Of the sample: whatever its load is, nobody else has the response. If it is not among them there
// is no endpoint in the decision.
Decision Exchange::ChooseHome() const {
  const Candidates& candidates = env_.candidates;
  for (size_t row = 0; row < candidates.size(); ++row) {
    const Endpoint* const endpoint = candidates.endpoints()[row];
    if (endpoint->state != home_) continue;
    Decision decision;
    decision.endpoint = endpoint;
    decision.prefix_hit_blocks = candidates.prefix_hit_blocks()[row];
    decision.candidates = static_cast<uint32_t>(candidates.size());
    decision.in_flight_requests = candidates.in_flight_requests()[row];
    return decision;
  }
  return {};
}

}  // namespace gw
