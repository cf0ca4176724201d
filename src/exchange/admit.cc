// Whether a request may be dispatched now: by the pool's saturation, or as a gate says.

#include <optional>
#include <utility>

#include "base/check.h"
#include "exchange/exchange.h"
#include "flowcontrol/admission.h"
#include "inference/disaggregation.h"
#include "snapshot/queues.h"

namespace gw {

std::optional<int> Exchange::ObjectivePriority() const {
  const PoolEntry& pool = *routed_.pool();
  for (std::string_view field : {"x-llm-d-inference-objective", "x-gateway-inference-objective"}) {
    if (pool.priorities.empty()) break;
    const http::HeaderField* named = asked_.head->headers.Find(field);
    if (named == nullptr) continue;
    const auto priority = pool.priorities.find(named->value);
    if (priority != pool.priorities.end()) return priority->second;
  }
  return std::nullopt;
}

// The objective that the client names decides, else the InferenceModel.
Criticality Exchange::FindCriticality() const {
  if (const std::optional<int> objective = ObjectivePriority()) return CriticalityOf(*objective);
  return parsed_.model == nullptr ? Criticality::kCritical : parsed_.model->criticality;
}

Step Exchange::Admit(TimePoint now) {
  if (!CountInRoute()) {
    return RejectAsTooMany(
        Rejection::kMaxRequests,
        "as many requests of the route are here as may be at once (limit max_requests)");
  }
  auto reason = WhyToFallBack(now);
  if (!reason && !CountInPool()) {
    if (!MayFallBack()) {
      return RejectAsTooMany(
          Rejection::kMaxRequests,
          "as many requests of the pool are here as may be at once (limit max_requests)");
    }
    reason = FallbackReason::kMaxRequests;
  }
  if (reason) {
    const Step step = FallBack(*reason, now);
    env_.ForgetSamples();
    return step;
  }
  const Criticality criticality = FindCriticality();
  if (env_.gate != nullptr) return AskGate(criticality, now);
  if (NeedsTurn()) return AskQueue(now);
  const bool is_short = criticality != Criticality::kCritical && IsShort(now);
  const Step step = is_short ? Reject(Rejection::kSaturated) : ScheduleTry(now);
  env_.ForgetSamples();
  return step;
}

bool Exchange::IsShort(TimePoint now) {
  const PoolEntry& entry = *routed_.pool();
  const auto sample = [&](const Pool& pool) -> const Candidates& {
    return env_.SampleForDecision(pool, parsed_.request, now);
  };
  const Disaggregation* const split = entry.disaggregation.get();
  if (split != nullptr && !CanDisaggregate(parsed_.request.api)) {
    return IsSaturated(sample(split->whole), entry.saturation, now);
  }
  return RoomOf(entry, now, sample) == 0;
}

// The gate has the say of saturation, too.
Step Exchange::AskGate(Criticality criticality, TimePoint now) {
  CHECK(waiter_ != nullptr && env_.room != nullptr);
  wait_id_ = env_.room->Enter(waiter_);
  const Gate::Question question{*routed_.pool(), *asked_.head, parsed_.request, criticality,
                                asked_.began};
  std::optional<GateAnswer> answer = env_.gate->Ask(question, {env_.room->door(), wait_id_});
  if (!answer) return Wait();
  env_.room->Leave(std::exchange(wait_id_, 0));
  return TakeAnswer(*std::move(answer), now);
}

// Before the first try: nothing is held of the pool, and nothing that only tries need.
Step Exchange::Wait() {
  parsed_.model = nullptr;  // the pool's
  routed_.Unpin();
  tried_.GiveBack();
  observed_.GiveBack();
  return {Step::Kind::kWait, Rejection::kNone};
}

void Exchange::StopWaiting() {
  wait_id_ = 0;
  tried_.Take();
  observed_.Take();
}

Step Exchange::OnGateAnswer(std::shared_ptr<const Snapshot> newest, GateAnswer answer,
                            TimePoint now) {
  CHECK(waits());
  StopWaiting();
  if (queued_.queue != nullptr) TakeTurn(&answer, now);
  if (Refusal refusal = routed_.PinAgain(std::move(newest))) return Reject(std::move(refusal));
  const PrefixOptions& prefix = routed_.pool()->prefix;
  // Blocks of another size are none that the index knows.
  if (prefix.block_chars != parsed_.hashed_block_chars) parsed_.request.prefix_blocks.clear();
  parsed_.Splice(&tried_->body);
  return TakeAnswer(std::move(answer), now);
}

Step Exchange::TakeAnswer(GateAnswer answer, TimePoint now) {
  if (answer.rejection != Rejection::kNone) {
    return Reject({answer.rejection, std::move(answer.detail)});
  }
  tried_->order = std::move(answer.endpoints);
  const Step step = ScheduleTry(now);
  UseTurn();
  return step;
}

// The request has ended.
void Exchange::LeaveGate(TimePoint now) {
  if (!waits()) return;
  env_.room->Leave(wait_id_);
  if (queues()) {
    LeaveQueue(now);
  } else {
    env_.gate->Forget(wait_id_);
  }
  StopWaiting();
}

}  // namespace gw
