// Tries that came to no answer: what each says of its endpoint, and whether there is another one.

#include <vector>

#include "base/check.h"
#include "exchange/exchange.h"
#include "pool/health.h"
#include "pool/pushback.h"

namespace gw {

void Tries::Fail(TryFailure failure, bool sent_whole) {
  last = failure;
  whole_failures += sent_whole ? 1 : 0;
  was_connected |= failure != TryFailure::kConnectRefused &&
                   failure != TryFailure::kConnectTimeout && failure != TryFailure::kTlsHandshake &&
                   failure != TryFailure::kUnreachable && failure != TryFailure::kLocalResources;
}

Rejection Tries::AsRejection() const {
  switch (last) {
    case TryFailure::kResponseTimeout:
      return Rejection::kTimeout;
    case TryFailure::kBootstrapTimeout:
      return Rejection::kBootstrapTimeout;
    case TryFailure::kBadResponse:
      return Rejection::kBadResponse;
    case TryFailure::kTlsHandshake:
      return Rejection::kTlsFailed;
    case TryFailure::kLocalResources:
      return Rejection::kLocalResources;
    case TryFailure::kPushedBack:
      return Rejection::kSaturated;
    default:
      return was_connected ? Rejection::kConnectFailed : Rejection::kUnreachable;
  }
}

EndpointFailure ChargeOf(TryFailure failure) {
  switch (failure) {
    case TryFailure::kConnectRefused:
      return EndpointFailure::kConnectRefused;
    case TryFailure::kConnectTimeout:
      return EndpointFailure::kConnectTimeout;
    case TryFailure::kTlsHandshake:
      return EndpointFailure::kTlsHandshake;
    case TryFailure::kReset:
      return EndpointFailure::kNoAnswer;
    case TryFailure::kBadResponse:
      return EndpointFailure::kBadAnswer;
    case TryFailure::kUnreachable:  // of the network, and of our own machine
    case TryFailure::kLocalResources:
    case TryFailure::kErrorStatus:       // ChargeStatus
    case TryFailure::kPushedBack:        // TakePushback
    case TryFailure::kStaleConnection:   // it closed an idle connection, as it may
    case TryFailure::kResponseTimeout:   // a long prompt in a long queue looks the same
    case TryFailure::kBootstrapTimeout:  // and so it does between two endpoints
      return EndpointFailure::kNone;
  }
  return EndpointFailure::kNone;
}

void Exchange::ChargeEndpoint(EndpointState& state, TryFailure failure, TimePoint now) {
  if (failure == TryFailure::kUnreachable) RecordRefusal(state, now, false);
  if (failure == TryFailure::kUnreachable || failure == TryFailure::kLocalResources) {
    env_.metrics.CountOwnFailure(failure);
  }
  // Nobody is there, so what it held is gone, and what was claimed for this try never came.
  if (failure == TryFailure::kConnectRefused) env_.index.RemoveEndpoint(state.slot);
  const EndpointFailure charge = ChargeOf(failure);
  if (charge == EndpointFailure::kNone) return;
  if (RecordFailure(state, now, charge)) env_.metrics.CountEjection(routed_.pool()->pool.id);
}

void Exchange::ChargeStatus(EndpointState& state, int status, TimePoint now) {
  if (IsPushbackHere(status)) return;  // taken at its head
  if (status >= 200 && status <= 299) RecordServed(state, now, tried_->dispatched);
  if (RecordStatus(state, status, now, tried_->dispatched))
    env_.metrics.CountEjection(routed_.pool()->pool.id);
}

// To an InferencePool everything, since generating twice changes nothing but a bill; elsewhere by
// its method (RFC 9110, 9.2.2).
bool Exchange::is_repeatable() const {
  if (routed_.pool()->pool.kind != Pool::Kind::kService) return true;
  for (std::string_view method : {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"}) {
    if (asked_.head->method == method) return true;
  }
  return false;
}

int Exchange::RepeatsMax() const {
  if (routed_.pool()->pool.kind != Pool::Kind::kService) return Tries::kRepeatsMax;
  return is_repeatable() ? RetriesMax() : 0;
}

// Whatever follows. What another pool does for it, and what is the gateway's own fault or right (an
// idle connection may be closed), says nothing of the version that was to serve it.
void Exchange::FailTry(TryFailure failure, bool sent_whole) {
  tried_->failed.Fail(failure, sent_whole);
  const bool is_own = failure == TryFailure::kStaleConnection ||
                      failure == TryFailure::kLocalResources || failure == TryFailure::kUnreachable;
  if (!is_own && tried_->fell_back_from == nullptr) released_.CountFailedTry();
}

// The only place that says whether there is another try.
Exchange::Again Exchange::AfterFailure(TryFailure failure, bool sent_whole, bool worth_another) {
  FailTry(failure, sent_whole);
  if (!worth_another) return Again::kNo;
  if (tried_->failed.whole_failures > RepeatsMax()) {
    CountLimit("repeats");
    return Again::kNo;
  }
  if (failure == TryFailure::kStaleConnection && tried_->failed.stale < Tries::kStaleMax) {
    ++tried_->failed.stale;
    return Again::kOverFreshConnection;
  }
  if (HasRetryLeft()) return Again::kElsewhere;
  CountLimit("retries");
  return Again::kNo;
}

// Besides those that were tried.
bool Exchange::HasOtherInUse(const Pool& pool, TimePoint now) {
  TakeSample(pool, now);
  for (size_t row = 0; row < env_.candidates.size(); ++row) {
    if (IsInUse(row, now)) return true;
  }
  return false;
}

// The endpoint is most likely there, and is asked again over a fresh connection. It may also have
// taken the request and closed, and may do so again: what was sent whole goes elsewhere, as that
// may be its last try.
Step Exchange::RepeatStale(bool sent_whole, TimePoint now) {
  env_.metrics.CountRetry(routed_.pool()->pool.id, TryFailure::kStaleConnection);
  if (!sent_whole || routed_.pool()->disaggregation != nullptr ||
      !HasOtherInUse(routed_.pool()->pool, now)) {
    ++tried_->count;
    tried_->notes.Again(now);
    NameTrySpans(/*with_prefill=*/false);
    return {Step::Kind::kForward, Rejection::kNone};
  }
  const uint32_t slot = tried_->hold.state().slot;
  ReleaseTry(now);
  observed_->Drop();
  const Step step = ScheduleTry(now);
  std::erase(tried_->slots, slot);  // nothing is held against it
  return step;
}

bool Exchange::may_try_again() const {
  if (tried_->pair.active || routed_.pool() == nullptr) return true;
  return tried_->failed.whole_failures < RepeatsMax() && HasRetryLeft() &&
         tried_->slots.size() < routed_.pool()->pool.endpoints.size();
}

Step Exchange::OnTryFailed(TryFailure failure, bool sent_whole, TimePoint now,
                           std::string_view detail) {
  CHECK(tried_->hold.held());
  tried_->notes.Fail(NameOf(failure), now, detail);
  if (failure == TryFailure::kConnectTimeout) limit_ = "connect_timeout";
  if (failure == TryFailure::kResponseTimeout) limit_ = "response_headers_timeout";
  if (tried_->pair.active) return OnHalfFailed(Half::kDecode, failure, sent_whole, now);
  const Again again = AfterFailure(failure, sent_whole, failure != TryFailure::kResponseTimeout);
  if (again == Again::kOverFreshConnection) return RepeatStale(sent_whole, now);
  ChargeEndpoint(tried_->hold.state(), failure, now);
  ReleaseTry(now);
  observed_->Drop();
  if (again == Again::kNo) {
    const bool may_repeat = failure != TryFailure::kResponseTimeout &&
                            tried_->failed.whole_failures <= RepeatsMax() &&
                            routed_.Fallback() != nullptr;
    if (may_repeat) return FallBack(FallbackReason::kTriesFailed, now);
    return Reject(tried_->failed.AsRejection());
  }
  if (retry_policy() != nullptr) return BackOff(failure, now);
  const Step step = ScheduleTry(now);
  if (step.kind != Step::Kind::kRespond) env_.metrics.CountRetry(routed_.pool()->pool.id, failure);
  return step;
}

}  // namespace gw
