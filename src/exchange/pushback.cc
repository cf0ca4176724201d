// What a model server's own 429 or 503 means for its endpoint (pool/pushback.h) and for the request
// that it has refused.

#include "pool/pushback.h"

#include <fmt/format.h>

#include "exchange/exchange.h"
#include "http/retry_after.h"
#include "inference/disaggregation.h"
#include "pool/health.h"

namespace gw {

// A Service's answer is about its client as often as about its load.
bool Exchange::IsPushbackHere(int status) const {
  return IsPushback(status) && routed_.pool()->pool.kind != Pool::Kind::kService;
}

// Of the head of an answer. `retry_after`: its field; empty: it has none.
void Exchange::TakePushback(EndpointState& state, int status, std::string_view retry_after,
                            TimePoint dispatched, TimePoint now) {
  if (!IsPushbackHere(status)) return;
  RecordPushback(state, now, dispatched, http::ParseRetryAfter(retry_after, UnixSeconds()));
  // A dead engine may say the same as a full queue.
  if (status == 503) DoubtHealth(state);
  env_.metrics.CountPushback(routed_.pool()->pool.id);
}

// Who could have the request that was refused.
const Pool& Exchange::PoolOfTries() const {
  const Disaggregation* const split = routed_.pool()->disaggregation.get();
  if (split == nullptr || parsed_.request.api == ApiKind::kOther) return routed_.pool()->pool;
  return CanDisaggregate(parsed_.request.api) ? split->decode : split->whole;
}

// Nothing of it was executed, so that nothing is repeated: it may go on to whoever has room for it.
// kContinue: nobody has, and the refusal is the client's.
Step Exchange::TryElsewhere(int status, TimePoint now) {
  const Step theirs{Step::Kind::kContinue, Rejection::kNone};
  // What an endpoint has made nobody else has. A rule that says how tries are repeated says it of
  // these, too.
  if (!IsPushbackHere(status) || home_ != nullptr || retry_policy() != nullptr) return theirs;
  const bool has_retry = HasRetryLeft();
  const bool elsewhere = has_retry && HasOtherInUse(PoolOfTries(), now);
  if (!elsewhere && routed_.Fallback() == nullptr) {
    if (!has_retry) CountLimit("retries");
    return theirs;
  }
  FailTry(TryFailure::kPushedBack, false);
  tried_->notes.Fail(NameOf(TryFailure::kPushedBack), now, fmt::format("status {}", status));
  ReleaseTry(now);
  observed_->Drop();
  if (!elsewhere) return FallBack(FallbackReason::kSaturated, now);
  const Step step = ScheduleTry(now);
  if (step.kind != Step::Kind::kRespond) {
    env_.metrics.CountRetry(routed_.pool()->pool.id, TryFailure::kPushedBack);
  }
  return step;
}

}  // namespace gw
