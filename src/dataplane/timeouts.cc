// RequestDriver's time limits that a route sets.

#include <algorithm>

#include "dataplane/request_driver.h"
#include "dataplane/worker.h"

namespace gw {

// At the head, or where the rule depends on it behind the body: the time runs from the head on.
void RequestDriver::StartRequestTimers() {
  const RouteRule* rule = exchange_.rule();
  if (rule == nullptr || !rule->request_timeout || request_timer_.active()) return;
  const Duration passed = worker_.loop().now() - exchange_.began();
  request_timer_.Start(std::max(Duration::zero(), *rule->request_timeout - passed));
}

void RequestDriver::StartTryTimer() {
  const RouteRule* rule = exchange_.rule();
  if (rule != nullptr && rule->try_timeout && !step_timer_.active()) {
    step_timer_.Start(*rule->try_timeout);
  }
}

void RequestDriver::OnRequestTimeout() {
  // Unless its turn has just come: then it is too late for that.
  if (exchange_.queues() && OnQueueTimeout()) return;
  exchange_.CountLimit("route_request_timeout");
  if (waits() && response_head_sent_) {
    BreakOff(Outcome::kTimedOut, Rejection::kTimeout);
  } else {
    Respond(Rejection::kTimeout);
  }
}

bool RequestDriver::OnQueueTimeout() {
  const Step step = exchange_.OnQueueTimeout(worker_.loop().now());
  if (step.kind == Step::Kind::kContinue) return false;
  Act(step);
  return true;
}

void RequestDriver::OnStepTimeout() {
  if (wants_body()) {
    OnBodyTimeout();
  } else {
    OnTryTimeout();
  }
}

void RequestDriver::OnTryTimeout() {
  if (exchange_.queues()) {
    OnQueueTimeout();
    return;
  }
  if (exchange_.backs_off()) {
    Act(exchange_.OnBackOffOver(worker_.loop().now()));
    return;
  }
  const bool tried = upstream_ != nullptr || (prefill_ != nullptr && prefill_->active());
  if (!waits() || !tried) return;
  exchange_.CountLimit("route_backend_request_timeout");
  if (response_head_sent_) {
    BreakOff(Outcome::kTimedOut, Rejection::kTimeout);
    return;
  }
  const TimePoint now = worker_.loop().now();
  ActOnHalf(exchange_.is_pair() ? exchange_.OnPairTimeout(now) : exchange_.OnTryTimeout(now));
}

}  // namespace gw
