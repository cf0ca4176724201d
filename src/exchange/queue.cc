// A request's way through its pool's queue (flowcontrol/request_queue.h).

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/check.h"
#include "exchange/exchange.h"
#include "exchange/queued.h"
#include "flowcontrol/admission.h"
#include "inference/disaggregation.h"
#include "snapshot/queues.h"

namespace gw {
namespace {

constexpr int kRetryAfterMax = 3600;
constexpr int64_t kTimeoutMsMax = 86'400'000;
// For want of a parser: as many bytes make about a token.
constexpr size_t kBytesPerToken = 4;

}  // namespace

std::string_view NameOf(QueueResult result) {
  constexpr std::string_view kNames[kQueueResults] = {"",        "passed",    "waited", "full",
                                                      "expired", "cancelled", "evicted"};
  return kNames[static_cast<size_t>(result)];
}

// Some requests are not what endpoints are saturated by, and some are not what the pool's room is
// about.
bool Exchange::NeedsTurn() const {
  const PoolEntry& entry = *routed_.pool();
  if (entry.queue == nullptr || asked_.head->framing == http::BodyFraming::kNone) return false;
  return entry.disaggregation == nullptr || CanDisaggregate(parsed_.request.api);
}

// The objective that the client names decides, else the InferenceModel.
int Exchange::FindPriority() const {
  if (const std::optional<int> objective = ObjectivePriority()) return *objective;
  return parsed_.model == nullptr ? 0 : PriorityOf(parsed_.model->criticality);
}

// A key's owner is known, what a client says of itself is not.
void Exchange::FindTenant() {
  queued_.tenant = authorized_.owner();
  if (authorized_.checked()) return;
  for (std::string_view name : kFairnessFields) {
    const http::HeaderField* const field = asked_.head->headers.Find(name);
    if (field == nullptr) continue;
    if (field->value.size() <= kFairnessIdBytesMax) {
      queued_.tenant = field->value;
    } else {
      CountLimit("fairness_id_bytes");
    }
    return;
  }
}

// The rule's time runs from the head on, the others from here.
Refusal Exchange::FindDeadline(TimePoint now) {
  Duration timeout = routed_.pool()->queueing->timeout;
  if (const http::HeaderField* const field = asked_.head->headers.Find(kQueueTimeoutField)) {
    int64_t ms = 0;
    const char* const end = field->value.data() + field->value.size();
    const auto [stop, error] = std::from_chars(field->value.data(), end, ms);
    if (error != std::errc() || stop != end || ms < 0 || ms > kTimeoutMsMax) {
      return {Rejection::kBadRequest,
              fmt::format("{}: must be a whole number of milliseconds, at most {}",
                          kQueueTimeoutField, kTimeoutMsMax)};
    }
    timeout = std::min<Duration>(timeout, std::chrono::milliseconds(ms));
  }
  queued_.entered = now;
  queued_.deadline = now + timeout;
  const RouteRule* const rule = routed_.rule();
  if (rule != nullptr && rule->request_timeout) {
    queued_.deadline = std::min(queued_.deadline, asked_.began + *rule->request_timeout);
  }
  return {};
}

Step Exchange::AskQueue(TimePoint now) {
  CHECK(waiter_ != nullptr && env_.room != nullptr);
  queued_.priority = FindPriority();
  FindTenant();
  if (Refusal refusal = FindDeadline(now)) return Reject(std::move(refusal));
  const bool understood = parsed_.request.api != ApiKind::kOther;
  queued_.tokens =
      static_cast<int64_t>(std::max<size_t>(1, understood ? parsed_.request.prompt_tokens_estimate
                                                          : parsed_.bytes.size() / kBytesPerToken));
  FairQueue::Request request{.id = WaitingRoom::NewId(),
                             .priority = queued_.priority,
                             .tenant = queued_.tenant,
                             .tokens = queued_.tokens,
                             .bytes = parsed_.bytes.size()};
  if (const FairQueue::Terms* const terms = authorized_.queue_terms()) request.terms = *terms;
  const auto sample = [&](const Pool& pool) -> const Candidates& {
    return env_.SampleForDecision(pool, parsed_.request, now);
  };
  std::optional<Grant> grant = routed_.pool()->queue->Pass(
      request, [&](int64_t kept_free) { return RoomOf(*routed_.pool(), now, sample, kept_free); });
  if (!grant) {
    env_.ForgetSamples();
    return WaitForTurn(request, now);
  }
  queued_.result = QueueResult::kPassed;
  queued_.grant = *std::move(grant);
  const Step step = ScheduleTry(now);
  UseTurn();
  env_.ForgetSamples();
  return step;
}

Step Exchange::WaitForTurn(const FairQueue::Request& request, TimePoint now) {
  const std::shared_ptr<RequestQueue>& queue = routed_.pool()->queue;
  if (queued_.deadline <= now) return RejectQueued(QueueResult::kExpired, *queue);
  if (const std::string_view why = CountAsWaiting(); !why.empty()) {
    queued_.result = QueueResult::kFull;
    return RejectAsTooMany(Rejection::kMaxWaiting, why);
  }
  queued_.ahead = queue->AheadOf(request);
  const auto answer = [door = env_.room->door(), id = request.id](Grant grant) {
    door.Answer(id, {.grant = std::make_shared<Grant>(std::move(grant))});
  };
  switch (queue->Wait(request, answer)) {
    case FairQueue::Refused::kNo:
      break;
    case FairQueue::Refused::kRequests:
      detail_ = fmt::format("as many requests of priority {} wait as may (limit queue_requests)",
                            queued_.priority);
      CountLimit("queue_requests");
      return RejectQueued(QueueResult::kFull, *queue);
    case FairQueue::Refused::kBytes:
      detail_ = fmt::format(
          "the requests of priority {} that wait hold as much as they may (limit "
          "queue_bytes)",
          queued_.priority);
      CountLimit("queue_bytes");
      return RejectQueued(QueueResult::kFull, *queue);
  }
  // Its answer may be on its way already: it comes by this thread's loop.
  env_.room->Enter(request.id, waiter_);
  wait_id_ = request.id;
  queued_.queue = queue;
  return Wait();
}

// It is told how long such a one would wait.
Step Exchange::RejectQueued(QueueResult result, const RequestQueue& queue) {
  counted_.StopWaiting();
  queued_.result = result;
  const Duration wait =
      queue.ExpectedWait(queued_.priority).value_or(queued_.deadline - queued_.entered);
  const int64_t seconds = std::chrono::ceil<std::chrono::seconds>(wait).count();
  queued_.retry_after_s = static_cast<int>(std::clamp<int64_t>(seconds, 1, kRetryAfterMax));
  if (result == QueueResult::kFull) return Reject(Rejection::kQueueFull);
  if (result == QueueResult::kEvicted) return Reject(Rejection::kEvicted);
  CountLimit("queue_timeout");
  return Reject(Rejection::kQueueTimeout);
}

// It is dispatched, and may be ended from now on where its pool wants that.
void Exchange::UseTurn() {
  if (!queued_.grant.held()) return;
  const std::optional<QueueOptions>& options = routed_.pool()->queueing;
  if (!options || !options->evict_below || queued_.priority >= *options->evict_below) {
    queued_.grant.Dispatched();
    return;
  }
  queued_.evict_id = env_.room->Enter(waiter_);
  queued_.grant.Dispatched([door = env_.room->door(), id = queued_.evict_id](int for_priority) {
    door.Evict(id, for_priority);
  });
}

// The place that it gives back must be one of the pool whose turn it has.
void Exchange::SetStage(Victims::Stage stage) {
  queued_.grant.SetStage(tried_->fell_back_from == nullptr ? stage : Victims::Stage::kFixed);
}

Step Exchange::OnEvicted(int for_priority) {
  CHECK(queued_.evict_id != 0);
  // It is complete but for the end of the message.
  if (observed_->response.saw_last_event()) SetStage(Victims::Stage::kFixed);
  env_.room->Enter(queued_.evict_id, waiter_);  // it may be told again
  if (!queued_.grant.GivesWay()) return {Step::Kind::kContinue, Rejection::kNone};
  queued_.evicted_for = for_priority;
  return RejectQueued(QueueResult::kEvicted, *queued_.grant.queue());
}

Step Exchange::OnQueueTimeout(TimePoint now) {
  CHECK(queues());
  // Its turn has come, and is on its way.
  if (!queued_.queue->Leave(wait_id_)) return {Step::Kind::kContinue, Rejection::kNone};
  env_.room->Leave(wait_id_);
  StopWaiting();
  queued_.waited = now - queued_.entered;
  const std::shared_ptr<RequestQueue> queue = std::move(queued_.queue);
  return RejectQueued(QueueResult::kExpired, *queue);
}

// Its turn has come.
void Exchange::TakeTurn(GateAnswer* answer, TimePoint now) {
  counted_.StopWaiting();
  queued_.queue.reset();
  queued_.waited = now - queued_.entered;
  queued_.result = QueueResult::kWaited;
  if (answer->grant != nullptr) queued_.grant = std::move(*answer->grant);
}

void Exchange::LeaveQueue(TimePoint now) {
  queued_.queue->Leave(wait_id_);
  queued_.queue.reset();
  queued_.waited = now - queued_.entered;
  queued_.result = QueueResult::kCancelled;
}

// What its tenant is charged for in the end.
void Exchange::EndTurn(Outcome outcome) {
  if (queued_.result != QueueResult::kNone) {
    env_.metrics.CountQueued(routed_.pool_id(), queued_.priority, queued_.tenant, queued_.result,
                             queued_.waited);
  }
  if (queued_.evict_id != 0) env_.room->Leave(std::exchange(queued_.evict_id, 0));
  if (!queued_.grant.held()) return;
  std::optional<int64_t> used;
  // Of an answer that was not let begin nothing is known, and nothing is learnt.
  if (tried_->count > 0 && (outcome != Outcome::kEvicted || observed_->saw_first_byte)) {
    used = parsed_.request.api == ApiKind::kOther ? queued_.tokens : UsedTokens(outcome);
  }
  queued_.grant.End(used);
}

}  // namespace gw
