// The endpoint that a request has to come back to, since it has made the response which the request
// is about.

#include "exchange/exchange.h"
#include "pool/pushback.h"

namespace gw {

void Exchange::FindHome(std::string_view response_id) {
  if (env_.homes != nullptr && !response_id.empty()) home_ = env_.homes->Find(response_id);
}

// As soon as the id is known: a stream may be asked for, or cancelled, while it comes.
void Exchange::LearnHome() {
  if (env_.homes == nullptr || observed_->home_learned || !tried_->hold.held()) return;
  const std::string_view id = observed_->response.reader().response_id();
  if (id.empty()) return;
  observed_->home_learned = true;
  if (env_.homes->Put(id, tried_->decision.endpoint->state)) CountLimit("response_ids");
}

// One that pushes back is no candidate beside others (pool/pushback.h), but nobody else has what it
// has made.
bool Exchange::SampleHome(const Pool& pool, TimePoint now) {
  if (home_ == nullptr || !tried_->order.empty() || !ShareOf(*home_, now).is_limited())
    return false;
  env_.TakeSample(pool, parsed_.request, now,
                  {.excluded = tried_->slots, .only = std::span<const uint32_t>(&home_->slot, 1)});
  return !env_.candidates.empty();
}

// Of the sample: whatever its load is, nobody else has the response. If it is not among them there
// is no endpoint in the decision.
Decision Exchange::ChooseHome() const {
  const auto endpoints = env_.candidates.endpoints();
  for (size_t row = 0; row < endpoints.size(); ++row) {
    if (endpoints[row]->state == home_) return DecisionFor(row);
  }
  return {};
}

}  // namespace gw
