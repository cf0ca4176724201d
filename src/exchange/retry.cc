// Further tries as the rule of the route wants them (RetryPolicy).

#include "routing/retry.h"

#include "base/check.h"
#include "exchange/exchange.h"

namespace gw {

// Whatever the tries before have failed of.
int Exchange::RetriesMax() const {
  if (const RetryPolicy* const policy = retry_policy()) return static_cast<int>(policy->attempts);
  return tried_->pair.active ? Tries::kPairRetriesMax : Tries::kRetriesMax;
}

// kContinue: the answer is the client's. Else it is dropped. To be asked again for such an answer
// is what the rule wants, whatever the method.
Step Exchange::RetryStatus(int status, TimePoint now) {
  if (!retry_policy()->Has(status)) return {Step::Kind::kContinue, Rejection::kNone};
  if (!HasRetryLeft()) {
    CountLimit("retries");
    return {Step::Kind::kContinue, Rejection::kNone};
  }
  FailTry(TryFailure::kErrorStatus, false);
  tried_->notes.Fail(NameOf(TryFailure::kErrorStatus), now);
  ChargeStatus(tried_->hold.state(), status, now);
  if (tried_->pair.active) {
    env_.metrics.CountHalfFailure(routed_.pool()->pool.id, "decode", TryFailure::kErrorStatus);
    tried_->pair.failed_half = "decode";
    tried_->slots.push_back(tried_->hold.state().slot);
    EndLease();
  }
  ReleaseTry(now);
  observed_->Drop();
  return BackOff(TryFailure::kErrorStatus, now);
}

// The endpoint may be at work on it yet: sent again is what can be repeated, and what a rule wants
// repeated on the status that the client would get.
Step Exchange::OnTryTimeout(TimePoint now) {
  const RetryPolicy* const policy = retry_policy();
  const bool again = policy != nullptr && (is_repeatable() || policy->Has(504));
  if (!again) return Reject(Rejection::kTimeout);
  FailTry(TryFailure::kResponseTimeout, false);
  tried_->notes.Fail(NameOf(TryFailure::kResponseTimeout), now);
  if (!HasRetryLeft()) {
    CountLimit("retries");
    return Reject(Rejection::kTimeout);
  }
  ReleaseTry(now);
  observed_->Drop();
  return BackOff(TryFailure::kResponseTimeout, now);
}

// REQUIRES: nothing is held
Step Exchange::BackOff(TryFailure cause, TimePoint now) {
  DCHECK(!tried_->hold.held());
  const int retries = tried_->count - tried_->failed.stale;
  tried_->back_off_cause = cause;
  tried_->back_off = retry_policy()->BackOff(static_cast<uint32_t>(retries), env_.random);
  tried_->backs_off = true;
  SetStage(Victims::Stage::kFixed);  // its end would make no room
  if (tried_->back_off <= Duration::zero()) return OnBackOffOver(now);
  return {Step::Kind::kBackOff, Rejection::kNone};
}

Step Exchange::OnBackOffOver(TimePoint now) {
  CHECK(tried_->backs_off);
  tried_->backs_off = false;
  Step step = ScheduleTry(now);
  if (step.kind == Step::Kind::kRespond) {
    // All have been asked: they are asked again.
    tried_->slots.clear();
    rejection_ = Rejection::kNone;
    detail_.clear();
    step = ScheduleTry(now);
  }
  if (step.kind != Step::Kind::kRespond) {
    env_.metrics.CountRetry(routed_.pool()->pool.id, tried_->back_off_cause);
    SetStage(Victims::Stage::kUnsent);
  }
  return step;
}

}  // namespace gw
