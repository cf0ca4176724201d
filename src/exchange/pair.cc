// Disaggregated requests: how a pair is chosen, what its halves are sent, and that they end
// together.

#include "exchange/pair.h"

#include <algorithm>

#include "base/check.h"
#include "exchange/exchange.h"
#include "fmt/format.h"
#include "inference/disaggregation.h"
#include "pool/health.h"

namespace gw {
namespace {

// What another pair might answer better. Any other refusal is about the request.
bool IsWorthAnotherPair(int status) { return status >= 500 || status == 429 || status == 408; }

// The decode half was never reached, so the blocks that were kept for it still are.
bool NothingFetched(TryFailure failure) {
  return failure == TryFailure::kConnectRefused || failure == TryFailure::kConnectTimeout ||
         failure == TryFailure::kStaleConnection;
}

}  // namespace

void EndpointHold::Take(const Endpoint& endpoint, int64_t prompt) {
  CHECK(state == nullptr);
  state = endpoint.state;
  prompt_tokens = prompt;
  context_tokens = 0;
  awaits = true;
  state->in_flight_requests.fetch_add(1, std::memory_order_relaxed);
  state->pending_prompt_tokens.fetch_add(prompt_tokens, std::memory_order_relaxed);
  state->awaiting_requests.fetch_add(1, std::memory_order_relaxed);
  state->dispatched_requests.fetch_add(1, std::memory_order_relaxed);
}

void EndpointHold::Answered(Duration took) {
  if (!awaits) return;
  awaits = false;
  state->awaiting_requests.fetch_sub(1, std::memory_order_relaxed);
  state->first_bytes.fetch_add(1, std::memory_order_relaxed);
  state->first_byte_ns_sum.fetch_add(took.count(), std::memory_order_relaxed);
  int64_t longest = state->first_byte_ns_longest.load(std::memory_order_relaxed);
  while (took.count() > longest && !state->first_byte_ns_longest.compare_exchange_weak(
                                       longest, took.count(), std::memory_order_relaxed)) {
  }
}

void EndpointHold::StartDecoding(int64_t context) {
  state->pending_prompt_tokens.fetch_sub(prompt_tokens, std::memory_order_relaxed);
  prompt_tokens = 0;
  context_tokens = context;
  state->decoding_context_tokens.fetch_add(context_tokens, std::memory_order_relaxed);
}

void EndpointHold::Release() {
  if (!state) return;
  if (awaits) state->awaiting_requests.fetch_sub(1, std::memory_order_relaxed);
  awaits = false;
  state->in_flight_requests.fetch_sub(1, std::memory_order_relaxed);
  state->pending_prompt_tokens.fetch_sub(prompt_tokens, std::memory_order_relaxed);
  state->decoding_context_tokens.fetch_sub(context_tokens, std::memory_order_relaxed);
  state.reset();
}

void Pair::Reset() {
  active = false;
  prefill = Prefill::kNone;
  decision = {};
  hold.Release();
  prefill_status = 0;
  tries = 0;
  leased = false;
  recomputed = false;
  alone = false;
  released = false;
  failed_half = {};
  std::string().swap(answer.body);  // assignment would keep the memory
  answer = {};
}

bool Exchange::awaits_kv_cache() const {
  return pair_.active &&
         (pair_.prefill == Pair::Prefill::kRunning || (request_.stream && !saw_first_byte_));
}

Step Exchange::ScheduleDisaggregated(TimePoint now) {
  if (request_.api == ApiKind::kOther) {
    return ScheduleWhole(pool_->pool, *pool_->load_profile, false, now);
  }
  if (CanDisaggregate(request_.api)) return SchedulePair(now);
  const Disaggregation& split = *pool_->disaggregation;
  if (split.whole.endpoints.empty()) return Reject(Rejection::kNotDisaggregated);
  edit_.Begin(body_);
  Splice(&edit_);
  RemoveTransferMembers(&edit_);
  return ScheduleWhole(split.whole, *split.decode_profile, split.decode_uses_prefix, now);
}

// A runtime whose prefill endpoints are all out of use must not keep the other one's pairs from
// being chosen.
bool Exchange::ChoosePair(TimePoint now, Decision* decode, Decision* prefill) {
  if (ChoosePairOnce(now, decode, prefill)) return true;
  if (decode->endpoint == nullptr) return false;
  const size_t tried = tried_slots_.size();
  for (const Endpoint& endpoint : pool_->disaggregation->decode.endpoints) {
    if (endpoint.runtime == decode->endpoint->runtime) {
      tried_slots_.push_back(endpoint.state->slot);
    }
  }
  const bool chosen = ChoosePairOnce(now, decode, prefill);
  tried_slots_.resize(tried);
  if (!chosen) pair_.failed_half = "prefill";
  return chosen;
}

// Decode first, as it says which runtime the pair is of and whether there has to be a pair.
bool Exchange::ChoosePairOnce(TimePoint now, Decision* decode, Decision* prefill) {
  const Disaggregation& split = *pool_->disaggregation;
  *decode = Choose(split.decode, *split.decode_profile, split.decode_uses_prefix, now);
  *prefill = {};
  if (decode->endpoint == nullptr) {
    pair_.failed_half = "decode";
    return false;
  }
  const Endpoint& chosen = *decode->endpoint;
  const bool pays = UncachedTokens(*decode) >= static_cast<int64_t>(split.uncached_tokens_min);
  const bool can = chosen.runtime != Runtime::kVllm || IsOneSequence(request_);
  if (ServesAlone(chosen) && !(pays && can)) return true;
  if (const Pool* pool = split.PrefillOf(chosen.runtime)) {
    tried_slots_.push_back(chosen.state->slot);  // not with itself
    *prefill = Choose(*pool, *split.prefill_profile, split.prefill_uses_prefix, now);
    tried_slots_.pop_back();
  }
  if (prefill->endpoint != nullptr || ServesAlone(chosen)) return true;
  pair_.failed_half = "prefill";
  return false;
}

Step Exchange::SchedulePair(TimePoint now) {
  Decision decode;
  Decision prefill;
  if (ChoosePair(now, &decode, &prefill)) return DispatchChosen(decode, prefill, now);
  detail_ = fmt::format("the pool has no {} {} endpoint", tries_ == 0 ? "ready" : "other",
                        pair_.failed_half);
  return Reject(Rejection::kNoEndpoint);
}

Step Exchange::DispatchChosen(const Decision& decode, const Decision& prefill, TimePoint now) {
  decision_ = decode;
  pair_.decision = prefill;
  pair_.alone = prefill.endpoint == nullptr;
  env_.metrics.CountDisaggregation(pool_->pool.id, pair_.alone);
  edit_.Begin(body_);
  Splice(&edit_);
  if (!pair_.alone) return DispatchPair(now);
  RemoveTransferMembers(&edit_);
  pair_.active = false;
  DispatchWhole(now);
  return {Step::Kind::kForward, Rejection::kNone};
}

Step Exchange::DispatchPair(TimePoint now) {
  const Endpoint& prefill = *pair_.decision.endpoint;
  ++tries_;
  ++pair_.tries;
  dispatched_ = now;
  pair_.active = true;
  pair_.prefill = Pair::Prefill::kRunning;
  pair_.prefill_status = 0;
  pair_.recomputed = false;
  pair_.runtime = prefill.runtime;
  pair_.dispatched = now;
  pair_.hold.Take(prefill, UncachedTokens(pair_.decision));
  hold_.Take(*decision_.endpoint, 0);
  notes_.Dispatch(decision_, &prefill, now);
  const Disaggregation& split = *pool_->disaggregation;
  if (split.prefill_uses_prefix) LearnPrefix(pair_.decision, pair_.decision.prefix_hit_blocks);
  if (split.decode_uses_prefix) LearnPrefix(decision_, decision_.prefix_hit_blocks);
  CountDispatch(pair_.decision);
  if (pair_.runtime == Runtime::kSglang) {
    SetBootstrap(body_, request_, prefill.ip, split.bootstrap_port, env_.random, &edit_);
    return {Step::Kind::kForwardPair, Rejection::kNone};
  }
  pair_.body.Begin(body_);
  Splice(&pair_.body, false);  // it is no stream
  SetPrefillOnly(&pair_.body);
  return {Step::Kind::kPrefill, Rejection::kNone};
}

Step Exchange::OnPrefillEnd(HeldAnswer answer, TimePoint now) {
  CHECK(pair_.prefill == Pair::Prefill::kRunning);
  pair_.prefill_status = answer.status;
  const bool success = answer.status >= 200 && answer.status <= 299;
  if (!success && saw_first_byte_) {
    EndLatePrefill(TryFailure::kErrorStatus, now);
    return {Step::Kind::kContinue, Rejection::kNone};
  }
  if (!success) {
    pair_.answer = std::move(answer);
    return OnHalfFailed(Half::kPrefill, TryFailure::kErrorStatus, true, now);
  }
  const bool concurrent = pair_.runtime == Runtime::kSglang;
  if (!concurrent && !env_.parser.IsObject(answer.body)) {
    return OnHalfFailed(Half::kPrefill, TryFailure::kBadResponse, true, now);
  }
  pair_.prefill = Pair::Prefill::kDone;
  pair_.prefill_ended = now;
  RecordSuccess(*pair_.hold.state, now, pair_.dispatched);
  pair_.hold.Answered(now - pair_.dispatched);
  pair_.hold.Release();
  if (pool_->disaggregation->prefill_uses_prefix) RefreshPrefix(pair_.decision);
  Phases().prefill.Observe(ToSeconds(now - pair_.dispatched));
  if (concurrent) return {Step::Kind::kContinue, Rejection::kNone};
  const std::optional<std::string_view> params = FindKvTransferParams(answer.body);
  pair_.leased = params.has_value();
  pair_.recomputed = !params.has_value();
  if (params) {
    SetKvTransferParams(*params, &edit_);
  } else {
    // vLLM computes the prompt again, and the client gets the same answer, later.
    RemoveTransferMembers(&edit_);
    Phases().recomputed.Add();
  }
  return {Step::Kind::kForward, Rejection::kNone};
}

Step Exchange::OnPrefillFailed(TryFailure failure, bool sent_whole, TimePoint now) {
  CHECK(pair_.prefill == Pair::Prefill::kRunning);
  if (!saw_first_byte_) return OnHalfFailed(Half::kPrefill, failure, sent_whole, now);
  EndLatePrefill(failure, now);
  return {Step::Kind::kContinue, Rejection::kNone};
}

// The decode half has what it needs: it goes on, and the failure is still its endpoint's.
void Exchange::EndLatePrefill(TryFailure failure, TimePoint now) {
  env_.metrics.CountHalfFailure(pool_->pool.id, "prefill", failure);
  if (failure == TryFailure::kErrorStatus) {
    ChargeStatus(*pair_.hold.state, pair_.prefill_status, now);
  } else {
    ChargeEndpoint(*pair_.hold.state, failure, now);
  }
  pair_.prefill = Pair::Prefill::kNone;
  pair_.hold.Release();
}

// The one that everything waits for. SGLang's decode half cannot answer before prefill has.
Half Exchange::LateHalf() const {
  return pair_.prefill == Pair::Prefill::kDone ? Half::kDecode : Half::kPrefill;
}

Step Exchange::OnBootstrapTimeout(TimePoint now) {
  CHECK(awaits_kv_cache());
  Phases().bootstrap_timeouts.Add();
  return OnHalfFailed(LateHalf(), TryFailure::kBootstrapTimeout, true, now);
}

Step Exchange::OnPairTimeout(TimePoint now) {
  CHECK(pair_.active && !saw_first_byte_);
  return OnHalfFailed(LateHalf(), TryFailure::kResponseTimeout, true, now);
}

bool Exchange::holds_response() const {
  return pair_.active && response_.plain_stream() && upstream_status_ < 400 && !pair_.released &&
         !saw_first_byte_ && response_.reader().output_events() == 0;
}

// vLLM answers 200 before it fetches the KV cache: that this failed, or that the server is being
// shut down, stands in the stream.
Step Exchange::OnResponseHeld(TimePoint now) {
  if (!response_.reader().saw_error_event() && !response_.reader().saw_abort()) {
    return {Step::Kind::kContinue, Rejection::kNone};
  }
  env_.metrics.CountHalfFailure(pool_->pool.id, "decode", TryFailure::kErrorStatus);
  pair_.failed_half = "decode";
  const Step step = TryAnotherPair(0, now);
  // Nobody else can: the client gets the stream with the error in it.
  if (step.kind == Step::Kind::kContinue) ReleaseResponse(now);
  return step;
}

void Exchange::ReleaseResponse(TimePoint now) {
  pair_.released = true;
  if (!saw_first_byte_) OnFirstByte(now);
}

// The decode half's first byte.
void Exchange::OnKvCacheArrived(TimePoint now) {
  if (pair_.prefill != Pair::Prefill::kDone || upstream_status_ >= 400) return;
  const Duration transfer = now - pair_.prefill_ended;
  // Without a stream the first byte comes with the last.
  if (request_.stream) Phases().transfer.Observe(ToSeconds(transfer));
  if (pair_.leased && request_.stream && transfer > Disaggregation::kLease) {
    Phases().leases_expired.Add();
  }
  pair_.leased = false;
}

void Exchange::EndLease() {
  if (!pair_.leased) return;
  pair_.leased = false;
  Phases().leases_abandoned.Add();
}

// Both halves are over. The client has seen nothing yet.
Step Exchange::OnHalfFailed(Half half, TryFailure failure, bool sent_whole, TimePoint now) {
  failed_.Fail(failure, sent_whole);
  const bool prefill_failed = half == Half::kPrefill;
  pair_.failed_half = prefill_failed ? "prefill" : "decode";
  notes_.Fail(NameOf(failure), now);
  env_.metrics.CountHalfFailure(pool_->pool.id, pair_.failed_half, failure);
  const EndpointHold& failed = prefill_failed ? pair_.hold : hold_;
  if (failure == TryFailure::kErrorStatus) {
    ChargeStatus(*failed.state, pair_.answer.status, now);
  } else {
    ChargeEndpoint(*failed.state, failure, now);
  }
  const uint32_t slot = failed.state->slot;
  const Decision failed_decision = prefill_failed ? pair_.decision : decision_;
  const bool keep_blocks = !prefill_failed && pair_.leased && NothingFetched(failure) &&
                           now - pair_.prefill_ended < Disaggregation::kLease;
  if (!keep_blocks) EndLease();
  ReleaseTry();
  upstream_status_ = 0;
  response_.Drop();
  if (failure == TryFailure::kStaleConnection && failed_.stale < Tries::kStaleMax) {
    ++failed_.stale;  // it may well be there: not counted, not left out
    --pair_.tries;
  } else {
    tried_slots_.push_back(slot);
  }
  const bool another =
      pair_.tries < Pair::kTriesMax &&
      (failure != TryFailure::kErrorStatus || IsWorthAnotherPair(pair_.answer.status)) &&
      MayRepeat();
  if (another) {
    const Pair::Prefill reached = pair_.prefill;
    const Decision prefill = pair_.decision;
    const Decision decode = decision_;
    const Step step = keep_blocks ? ScheduleDecodeAgain(now) : SchedulePair(now);
    if (step.kind != Step::Kind::kRespond) {
      env_.metrics.CountRetry(pool_->pool.id, failure);
      pair_.answer = {};
      return step;
    }
    pair_.prefill = reached;
    pair_.decision = prefill;  // the log tells of the pair that failed
    decision_ = decode;
    pair_.failed_half = prefill_failed ? "prefill" : "decode";
  }
  EndLease();
  pair_.active = false;
  if (failure == TryFailure::kErrorStatus) {
    rejection_ = Rejection::kNone;
    detail_.clear();
    return {Step::Kind::kRelay, Rejection::kNone};
  }
  detail_ = fmt::format("the {} half of the request failed at {}: {}", pair_.failed_half,
                        failed_decision.endpoint->name, NameOf(failure));
  return Reject(failed_.AsRejection());
}

// Another decode endpoint for blocks that are still kept.
Step Exchange::ScheduleDecodeAgain(TimePoint now) {
  const Disaggregation& split = *pool_->disaggregation;
  const size_t tried = tried_slots_.size();
  for (const Endpoint& endpoint : split.decode.endpoints) {
    const bool fits =
        endpoint.runtime == pair_.runtime && endpoint.address != pair_.decision.endpoint->address;
    if (!fits) tried_slots_.push_back(endpoint.state->slot);
  }
  const Decision decode =
      Choose(split.decode, *split.decode_profile, split.decode_uses_prefix, now);
  tried_slots_.resize(tried);
  if (decode.endpoint == nullptr) return Reject(Rejection::kNoEndpoint);
  decision_ = decode;
  ++tries_;
  ++pair_.tries;
  hold_.Take(*decision_.endpoint, 0);
  notes_.Dispatch(decision_, pair_.decision.endpoint, now);
  if (split.decode_uses_prefix) LearnPrefix(decision_, decision_.prefix_hit_blocks);
  series_->in_flight.Add(1);
  return {Step::Kind::kForward, Rejection::kNone};
}

Step Exchange::OnDecodeRefused(int status, TimePoint now) {
  env_.metrics.CountHalfFailure(pool_->pool.id, "decode", TryFailure::kErrorStatus);
  pair_.failed_half = "decode";
  if (!IsWorthAnotherPair(status)) return {Step::Kind::kContinue, Rejection::kNone};
  return TryAnotherPair(status, now);
}

// The decode half has answered with an error. kContinue: there is no other pair, so that answer is
// the client's. `status`: of its head; 0: it stands inside the stream.
Step Exchange::TryAnotherPair(int status, TimePoint now) {
  failed_.Fail(TryFailure::kErrorStatus, true);
  if (pair_.tries >= Pair::kTriesMax || !MayRepeat()) {
    return {Step::Kind::kContinue, Rejection::kNone};
  }
  tried_slots_.push_back(hold_.state->slot);
  Decision decode;
  Decision prefill;
  if (!ChoosePair(now, &decode, &prefill)) {
    pair_.failed_half = "decode";
    return {Step::Kind::kContinue, Rejection::kNone};
  }
  env_.metrics.CountRetry(pool_->pool.id, TryFailure::kErrorStatus);
  if (status != 0) ChargeStatus(*hold_.state, status, now);
  notes_.Fail(NameOf(TryFailure::kErrorStatus), now);
  EndLease();
  ReleaseTry();
  upstream_status_ = 0;
  response_.Drop();
  return DispatchChosen(decode, prefill, now);
}

}  // namespace gw
