// Disaggregated requests: how a pair is chosen, what its halves are sent, and that they end
// together.

#include "exchange/pair.h"

#include <algorithm>

#include "base/check.h"
#include "exchange/exchange.h"
#include "fmt/format.h"
#include "inference/disaggregation.h"
#include "pool/health.h"
#include "pool/pushback.h"
#include "routing/retry.h"

namespace gw {
namespace {

// What another pair might answer better. Any other refusal is about the request.
bool IsWorthAnotherPair(int status, const RetryPolicy* policy) {
  return status >= 500 || status == 429 || status == 408 ||
         (policy != nullptr && policy->Has(status));
}

// The decode half was never reached, so the blocks that were kept for it still are.
bool NothingFetched(TryFailure failure) {
  return failure == TryFailure::kConnectRefused || failure == TryFailure::kConnectTimeout ||
         failure == TryFailure::kTlsHandshake || failure == TryFailure::kStaleConnection;
}

}  // namespace

void Pair::Reset() {
  active = false;
  prefill = Prefill::kNone;
  decision = {};
  hold.Release();
  prefill_status = 0;
  leased = false;
  recomputed = false;
  alone = false;
  released = false;
  failed_half = {};
  std::string().swap(answer.body);  // assignment would keep the memory
  answer = {};
}

bool Exchange::awaits_kv_cache() const {
  return tried_->pair.active && (tried_->pair.prefill == Pair::Prefill::kRunning ||
                                 (parsed_.request.stream && !observed_->saw_first_byte));
}

Step Exchange::ScheduleDisaggregated(TimePoint now) {
  if (parsed_.request.api == ApiKind::kOther) {
    return ScheduleWhole(routed_.pool()->pool, *routed_.pool()->load_profile, false, now);
  }
  if (CanDisaggregate(parsed_.request.api)) return SchedulePair(now);
  const Disaggregation& split = *routed_.pool()->disaggregation;
  if (split.whole.endpoints.empty()) return Reject(Rejection::kNotDisaggregated);
  parsed_.Splice(&tried_->body);
  RemoveTransferMembers(&tried_->body);
  return ScheduleWhole(split.whole, *split.decode_profile, split.decode_uses_prefix, now);
}

// A runtime whose prefill endpoints are all out of use must not keep the other one's pairs from
// being chosen.
bool Exchange::ChoosePair(TimePoint now, Decision* decode, Decision* prefill) {
  if (ChoosePairOnce(now, decode, prefill)) return true;
  if (decode->endpoint == nullptr) return false;
  const size_t tried = tried_->slots.size();
  for (const Endpoint& endpoint : routed_.pool()->disaggregation->decode.endpoints) {
    if (endpoint.runtime == decode->endpoint->runtime) {
      tried_->slots.push_back(endpoint.state->slot);
    }
  }
  const bool chosen = ChoosePairOnce(now, decode, prefill);
  tried_->slots.resize(tried);
  if (!chosen) tried_->pair.failed_half = "prefill";
  return chosen;
}

// Decode first, as it says which runtime the pair is of and whether there has to be a pair.
bool Exchange::ChoosePairOnce(TimePoint now, Decision* decode, Decision* prefill) {
  const Disaggregation& split = *routed_.pool()->disaggregation;
  *decode = Choose(split.decode, *split.decode_profile, split.decode_uses_prefix, now);
  *prefill = {};
  if (decode->endpoint == nullptr) {
    tried_->pair.failed_half = "decode";
    return false;
  }
  const Endpoint& chosen = *decode->endpoint;
  const bool pays = UncachedTokens(*decode) >= static_cast<int64_t>(split.uncached_tokens_min);
  const bool can = chosen.runtime != Runtime::kVllm || IsOneSequence(parsed_.request);
  if (ServesAlone(chosen) && !(pays && can)) return true;
  if (const Pool* pool = split.PrefillOf(chosen.runtime)) {
    tried_->slots.push_back(chosen.state->slot);  // not with itself
    *prefill = Choose(*pool, *split.prefill_profile, split.prefill_uses_prefix, now);
    tried_->slots.pop_back();
  }
  if (prefill->endpoint != nullptr || ServesAlone(chosen)) return true;
  tried_->pair.failed_half = "prefill";
  return false;
}

Step Exchange::SchedulePair(TimePoint now) {
  Decision decode;
  Decision prefill;
  if (ChoosePair(now, &decode, &prefill)) return DispatchChosen(decode, prefill, now);
  // After a try it is that which the client hears of.
  if (tried_->count > 0) return Reject(tried_->failed.AsRejection());
  detail_ = fmt::format("the pool has no ready {} endpoint", tried_->pair.failed_half);
  return Reject(Rejection::kNoEndpoint);
}

Step Exchange::DispatchChosen(const Decision& decode, const Decision& prefill, TimePoint now) {
  tried_->decision = decode;
  tried_->pair.decision = prefill;
  tried_->pair.alone = prefill.endpoint == nullptr;
  env_.metrics.CountDisaggregation(routed_.pool()->pool.id, tried_->pair.alone);
  parsed_.Splice(&tried_->body);
  if (!tried_->pair.alone) return DispatchPair(now);
  RemoveTransferMembers(&tried_->body);
  tried_->pair.active = false;
  DispatchWhole(now);
  return {Step::Kind::kForward, Rejection::kNone};
}

Step Exchange::DispatchPair(TimePoint now) {
  const Endpoint& prefill = *tried_->pair.decision.endpoint;
  ++tried_->count;
  tried_->dispatched = now;
  tried_->pair.active = true;
  tried_->pair.prefill = Pair::Prefill::kRunning;
  tried_->pair.prefill_status = 0;
  tried_->pair.recomputed = false;
  tried_->pair.runtime = prefill.runtime;
  tried_->pair.dispatched = now;
  TakeHold(tried_->pair.decision, now, &tried_->pair.hold);
  TakeDecodeHold(now);
  tried_->notes.Dispatch(tried_->decision, &prefill, now);
  NameTrySpans(/*with_prefill=*/true);
  const Disaggregation& split = *routed_.pool()->disaggregation;
  if (split.prefill_uses_prefix) LearnPrefix(tried_->pair.decision);
  if (split.decode_uses_prefix) LearnPrefix(tried_->decision);
  CountDispatch(tried_->pair.decision);
  if (tried_->pair.runtime == Runtime::kSglang) {
    SetBootstrap(parsed_.bytes, parsed_.request, prefill.ip, split.bootstrap_port, env_.random,
                 &tried_->body);
    tried_->notes.DecodeBegan(now);
    return {Step::Kind::kForwardPair, Rejection::kNone};
  }
  parsed_.Splice(&tried_->pair.body, false);  // it is no stream
  SetPrefillOnly(&tried_->pair.body);
  return {Step::Kind::kPrefill, Rejection::kNone};
}

Step Exchange::OnPrefillEnd(HeldAnswer answer, TimePoint now) {
  CHECK(tried_->pair.prefill == Pair::Prefill::kRunning);
  tried_->pair.prefill_status = answer.status;
  tried_->notes.PrefillEnded(now);
  const bool success = answer.status >= 200 && answer.status <= 299;
  TakePushback(tried_->pair.hold.state(), answer.status, answer.retry_after,
               tried_->pair.dispatched, now);
  if (!success && observed_->saw_first_byte) {
    EndLatePrefill(TryFailure::kErrorStatus, now);
    return {Step::Kind::kContinue, Rejection::kNone};
  }
  if (!success) {
    tried_->pair.answer = std::move(answer);
    return OnHalfFailed(Half::kPrefill, TryFailure::kErrorStatus, true, now);
  }
  const bool concurrent = tried_->pair.runtime == Runtime::kSglang;
  answer.body.reserve(answer.body.size() + kBodyPadding);  // which the parser may read
  if (!concurrent && !env_.parser.IsObject(answer.body)) {
    return OnHalfFailed(Half::kPrefill, TryFailure::kBadResponse, true, now);
  }
  tried_->pair.prefill = Pair::Prefill::kDone;
  tried_->pair.prefill_ended = now;
  RecordSuccess(tried_->pair.hold.state(), now, tried_->pair.dispatched);
  RecordServed(tried_->pair.hold.state(), now, tried_->pair.dispatched);
  tried_->pair.hold.Answered(now - tried_->pair.dispatched);
  LearnPrefill(now);
  tried_->pair.hold.Release(now);
  if (routed_.pool()->disaggregation->prefill_uses_prefix) RefreshPrefix(tried_->pair.decision);
  Phases().prefill.Observe(ToSeconds(now - tried_->pair.dispatched));
  if (concurrent) return {Step::Kind::kContinue, Rejection::kNone};
  tried_->notes.DecodeBegan(now);
  const std::optional<std::string_view> params = FindKvTransferParams(answer.body);
  tried_->pair.leased = params.has_value();
  tried_->pair.recomputed = !params.has_value();
  if (params) {
    SetKvTransferParams(*params, &tried_->body);
  } else {
    // vLLM computes the prompt again, and the client gets the same answer, later.
    RemoveTransferMembers(&tried_->body);
    Phases().recomputed.Add();
  }
  return {Step::Kind::kForward, Rejection::kNone};
}

Step Exchange::OnPrefillFailed(TryFailure failure, bool sent_whole, TimePoint now,
                               std::string_view detail) {
  CHECK(tried_->pair.prefill == Pair::Prefill::kRunning);
  tried_->notes.PrefillEnded(now);
  if (!observed_->saw_first_byte) tried_->notes.Fail(NameOf(failure), now, detail);
  if (!observed_->saw_first_byte) return OnHalfFailed(Half::kPrefill, failure, sent_whole, now);
  EndLatePrefill(failure, now);
  return {Step::Kind::kContinue, Rejection::kNone};
}

// The decode half has what it needs: it goes on, and the failure is still its endpoint's.
void Exchange::EndLatePrefill(TryFailure failure, TimePoint now) {
  env_.metrics.CountHalfFailure(routed_.pool()->pool.id, "prefill", failure);
  if (failure == TryFailure::kErrorStatus) {
    ChargeStatus(tried_->pair.hold.state(), tried_->pair.prefill_status, now);
  } else {
    ChargeEndpoint(tried_->pair.hold.state(), failure, now);
  }
  tried_->pair.prefill = Pair::Prefill::kNone;
  tried_->pair.hold.Release(now);
}

// The one that everything waits for. SGLang's decode half cannot answer before prefill has.
Half Exchange::LateHalf() const {
  return tried_->pair.prefill == Pair::Prefill::kDone ? Half::kDecode : Half::kPrefill;
}

Step Exchange::OnBootstrapTimeout(TimePoint now) {
  CHECK(awaits_kv_cache());
  Phases().bootstrap_timeouts.Add();
  return OnHalfFailed(LateHalf(), TryFailure::kBootstrapTimeout, true, now);
}

Step Exchange::OnPairTimeout(TimePoint now) {
  CHECK(tried_->pair.active && !observed_->saw_first_byte);
  return OnHalfFailed(LateHalf(), TryFailure::kResponseTimeout, true, now);
}

bool Exchange::holds_response() const {
  return tried_->pair.active && observed_->response.plain_stream() && observed_->status < 400 &&
         !tried_->pair.released && !observed_->saw_first_byte &&
         observed_->response.reader().output_events() == 0;
}

// vLLM answers 200 before it fetches the KV cache: that this failed, or that the server is being
// shut down, stands in the stream.
Step Exchange::OnResponseHeld(TimePoint now) {
  if (!observed_->response.reader().saw_error_event() &&
      !observed_->response.reader().saw_abort()) {
    return {Step::Kind::kContinue, Rejection::kNone};
  }
  env_.metrics.CountHalfFailure(routed_.pool()->pool.id, "decode", TryFailure::kErrorStatus);
  tried_->pair.failed_half = "decode";
  const Step step = TryAnotherPair(0, now);
  // Nobody else can: the client gets the stream with the error in it.
  if (step.kind == Step::Kind::kContinue) ReleaseResponse(now);
  return step;
}

void Exchange::ReleaseResponse(TimePoint now) {
  tried_->pair.released = true;
  if (!observed_->saw_first_byte) OnFirstByte(now);
}

// The decode half's first byte.
void Exchange::OnKvCacheArrived(TimePoint now) {
  if (tried_->pair.prefill != Pair::Prefill::kDone || observed_->status >= 400) return;
  const Duration transfer = now - tried_->pair.prefill_ended;
  // Without a stream the first byte comes with the last.
  if (parsed_.request.stream) Phases().transfer.Observe(ToSeconds(transfer));
  if (tried_->pair.leased && parsed_.request.stream && transfer > Disaggregation::kLease) {
    Phases().leases_expired.Add();
  }
  tried_->pair.leased = false;
}

void Exchange::EndLease() {
  if (!tried_->pair.leased) return;
  tried_->pair.leased = false;
  Phases().leases_abandoned.Add();
}

// Both halves are over. The client has seen nothing yet.
Step Exchange::OnHalfFailed(Half half, TryFailure failure, bool sent_whole, TimePoint now) {
  const bool worth_another = failure != TryFailure::kErrorStatus ||
                             IsWorthAnotherPair(tried_->pair.answer.status, retry_policy());
  const Again again = AfterFailure(failure, sent_whole, worth_another);
  const bool prefill_failed = half == Half::kPrefill;
  tried_->pair.failed_half = prefill_failed ? "prefill" : "decode";
  tried_->notes.Fail(NameOf(failure), now);
  if (prefill_failed) tried_->notes.PrefillFailed();
  env_.metrics.CountHalfFailure(routed_.pool()->pool.id, tried_->pair.failed_half, failure);
  const EndpointHold& failed = prefill_failed ? tried_->pair.hold : tried_->hold;
  if (failure == TryFailure::kErrorStatus) {
    ChargeStatus(failed.state(), tried_->pair.answer.status, now);
  } else {
    ChargeEndpoint(failed.state(), failure, now);
  }
  const uint32_t slot = failed.state().slot;
  const Decision failed_decision = prefill_failed ? tried_->pair.decision : tried_->decision;
  const bool keep_blocks = !prefill_failed && tried_->pair.leased && NothingFetched(failure) &&
                           now - tried_->pair.prefill_ended < Disaggregation::kLease;
  if (!keep_blocks) EndLease();
  ReleaseTry(now);
  observed_->Drop();
  // Whoever closed an idle connection may well be there.
  if (again != Again::kOverFreshConnection) tried_->slots.push_back(slot);
  if (again != Again::kNo && retry_policy() != nullptr) {
    EndLease();
    tried_->pair.answer = {};
    return BackOff(failure, now);
  }
  if (again != Again::kNo) {
    const Pair::Prefill reached = tried_->pair.prefill;
    const Decision prefill = tried_->pair.decision;
    const Decision decode = tried_->decision;
    const Step step = keep_blocks ? ScheduleDecodeAgain(now) : SchedulePair(now);
    if (step.kind != Step::Kind::kRespond) {
      env_.metrics.CountRetry(routed_.pool()->pool.id, failure);
      tried_->pair.answer = {};
      return step;
    }
    tried_->pair.prefill = reached;
    tried_->pair.decision = prefill;  // the log tells of the pair that failed
    tried_->decision = decode;
    tried_->pair.failed_half = prefill_failed ? "prefill" : "decode";
  }
  EndLease();
  tried_->pair.active = false;
  if (failure == TryFailure::kErrorStatus) {
    rejection_ = Rejection::kNone;
    detail_.clear();
    return {Step::Kind::kRelay, Rejection::kNone};
  }
  detail_ = fmt::format("the {} half of the request failed at {}: {}", tried_->pair.failed_half,
                        failed_decision.endpoint->name, NameOf(failure));
  return Reject(tried_->failed.AsRejection());
}

// Another decode endpoint for blocks that are still kept.
Step Exchange::ScheduleDecodeAgain(TimePoint now) {
  const Disaggregation& split = *routed_.pool()->disaggregation;
  const size_t tried = tried_->slots.size();
  for (const Endpoint& endpoint : split.decode.endpoints) {
    const bool fits = endpoint.runtime == tried_->pair.runtime &&
                      endpoint.address != tried_->pair.decision.endpoint->address;
    if (!fits) tried_->slots.push_back(endpoint.state->slot);
  }
  const Decision decode =
      Choose(split.decode, *split.decode_profile, split.decode_uses_prefix, now);
  tried_->slots.resize(tried);
  if (decode.endpoint == nullptr) return Reject(Rejection::kNoEndpoint);
  tried_->decision = decode;
  ++tried_->count;
  TakeDecodeHold(now);
  tried_->notes.Dispatch(tried_->decision, tried_->pair.decision.endpoint, now);
  NameTrySpans(/*with_prefill=*/false);
  if (split.decode_uses_prefix) LearnPrefix(tried_->decision);
  observed_->series->in_flight.Add(1);
  return {Step::Kind::kForward, Rejection::kNone};
}

Step Exchange::OnDecodeRefused(int status, TimePoint now) {
  env_.metrics.CountHalfFailure(routed_.pool()->pool.id, "decode", TryFailure::kErrorStatus);
  tried_->pair.failed_half = "decode";
  if (!IsWorthAnotherPair(status, nullptr)) return {Step::Kind::kContinue, Rejection::kNone};
  return TryAnotherPair(status, now);
}

// The decode half has answered with an error. kContinue: there is no other pair, so that answer is
// the client's. `status`: of its head; 0: it stands inside the stream.
Step Exchange::TryAnotherPair(int status, TimePoint now) {
  if (AfterFailure(TryFailure::kErrorStatus, true, true) == Again::kNo) {
    return {Step::Kind::kContinue, Rejection::kNone};
  }
  tried_->slots.push_back(tried_->hold.state().slot);
  Decision decode;
  Decision prefill;
  if (!ChoosePair(now, &decode, &prefill)) {
    tried_->pair.failed_half = "decode";
    return {Step::Kind::kContinue, Rejection::kNone};
  }
  env_.metrics.CountRetry(routed_.pool()->pool.id, TryFailure::kErrorStatus);
  if (status != 0) ChargeStatus(tried_->hold.state(), status, now);
  tried_->notes.Fail(NameOf(TryFailure::kErrorStatus), now);
  EndLease();
  ReleaseTry(now);
  observed_->Drop();
  return DispatchChosen(decode, prefill, now);
}

}  // namespace gw
