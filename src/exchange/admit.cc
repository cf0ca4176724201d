// Whether a request may be dispatched now: by the pool's saturation, or as a gate says.

#include <optional>
#include <utility>

#include "base/check.h"
#include "exchange/exchange.h"
#include "flowcontrol/admission.h"
#include "inference/disaggregation.h"

namespace gw {
namespace {

// The objective that the client names decides, else the InferenceModel.
Criticality FindCriticality(const PoolEntry& pool, const http::RequestHead& head,
                            const ModelBinding* model) {
  for (std::string_view field : {"x-llm-d-inference-objective", "x-gateway-inference-objective"}) {
    if (pool.priorities.empty()) break;
    const http::HeaderField* named = head.headers.Find(field);
    if (named == nullptr) continue;
    const auto priority = pool.priorities.find(named->value);
    if (priority != pool.priorities.end()) return CriticalityOf(priority->second);
  }
  return model == nullptr ? Criticality::kCritical : model->criticality;
}

}  // namespace

Step Exchange::Admit(TimePoint now) {
  if (const auto reason = WhyToFallBack(now)) {
    const Step step = FallBack(*reason, now);
    env_.ForgetSamples();
    return step;
  }
  const Criticality criticality = FindCriticality(*routed_.pool(), *asked_.head, parsed_.model);
  if (env_.gate != nullptr) return AskGate(criticality, now);
  const bool is_short = criticality != Criticality::kCritical && IsShort(criticality, now);
  const Step step = is_short ? Reject(Rejection::kSaturated) : ScheduleTry(now);
  env_.ForgetSamples();
  return step;
}

// In a pool with roles a request needs both, so the one that is short decides: the room of idle
// decode endpoints helps nobody whose prompt waits for prefill.
bool Exchange::IsShort(Criticality criticality, TimePoint now) {
  const auto has_room = [&](const Pool& pool) {
    const Candidates& candidates = env_.SampleForDecision(pool, parsed_.request, now);
    return gw::Admit(criticality, candidates, routed_.pool()->saturation) == Admission::kAdmitted;
  };
  const Disaggregation* split = routed_.pool()->disaggregation.get();
  if (split == nullptr) return !has_room(routed_.pool()->pool);
  if (!CanDisaggregate(parsed_.request.api)) return !has_room(split->whole);
  if (!has_room(split->decode)) return true;
  bool any_prefill = false;
  for (const auto& [runtime, pool] : split->prefill) {
    if (pool.endpoints.empty()) continue;
    any_prefill = true;
    if (has_room(pool)) return false;
  }
  return any_prefill;
}

// The gate has the say of saturation, too.
Step Exchange::AskGate(Criticality criticality, TimePoint now) {
  CHECK(waiter_ != nullptr && env_.room != nullptr);
  wait_id_ = env_.room->Enter(waiter_);
  const Gate::Question question{*routed_.pool(), *asked_.head, parsed_.request, criticality,
                                asked_.began};
  std::optional<GateAnswer> answer = env_.gate->Ask(question, {env_.room->door(), wait_id_});
  if (!answer) {
    parsed_.model = nullptr;  // the pool's
    routed_.Unpin();
    return {Step::Kind::kWait, Rejection::kNone};
  }
  env_.room->Leave(std::exchange(wait_id_, 0));
  return TakeAnswer(*std::move(answer), now);
}

Step Exchange::OnGateAnswer(std::shared_ptr<const Snapshot> newest, GateAnswer answer,
                            TimePoint now) {
  CHECK(waits());
  wait_id_ = 0;
  if (Refusal refusal = routed_.PinAgain(std::move(newest))) return Reject(std::move(refusal));
  const PrefixOptions& prefix = routed_.pool()->prefix;
  // Blocks of another size are none that the index knows.
  if (prefix.block_chars != parsed_.hashed_block_chars) parsed_.request.prefix_blocks.clear();
  return TakeAnswer(std::move(answer), now);
}

Step Exchange::TakeAnswer(GateAnswer answer, TimePoint now) {
  if (answer.rejection != Rejection::kNone) {
    return Reject({answer.rejection, std::move(answer.detail)});
  }
  tried_.order = std::move(answer.endpoints);
  return ScheduleTry(now);
}

// The request has ended.
void Exchange::LeaveGate() {
  if (!waits()) return;
  env_.room->Leave(wait_id_);
  env_.gate->Forget(std::exchange(wait_id_, 0));
}

}  // namespace gw
