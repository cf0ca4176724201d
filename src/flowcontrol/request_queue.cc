#include "flowcontrol/request_queue.h"

#include <algorithm>

#include "base/check.h"
#include "flowcontrol/admission.h"

namespace gw {
namespace {

FairQueue::Limits LimitsOf(const QueueOptions& options) {
  FairQueue::Limits limits;
  limits.requests_max = options.requests_max;
  limits.bytes_max = options.bytes_max;
  limits.shares = options.shares;
  return limits;
}

}  // namespace

Grant& Grant::operator=(Grant&& other) noexcept {
  if (this == &other) return *this;
  End(std::nullopt);
  queue_ = std::move(other.queue_);
  charge_ = std::move(other.charge_);
  dispatched_ = std::exchange(other.dispatched_, false);
  return *this;
}

void Grant::Dispatched() {
  if (queue_ == nullptr || std::exchange(dispatched_, true)) return;
  queue_->Dispatched();
}

void Grant::End(std::optional<int64_t> used_tokens) {
  if (queue_ == nullptr) return;
  const std::shared_ptr<RequestQueue> queue = std::move(queue_);
  queue->End(std::move(charge_), std::exchange(dispatched_, false), used_tokens);
}

RequestQueue::RequestQueue(const Clock& clock) : clock_(clock), fair_(LimitsOf(options_)) {}

void RequestQueue::SetPool(QueueOptions options, Room room) {
  {
    const MutexLock lock(mutex_);
    closed_ = false;
    room_ = std::move(room);
    if (options != options_) fair_.SetLimits(LimitsOf(options));
    options_ = std::move(options);
  }
  OnRoom();
}

void RequestQueue::Close() {
  {
    const MutexLock lock(mutex_);
    closed_ = true;
    room_ = nullptr;
  }
  OnRoom();
}

std::optional<Grant> RequestQueue::Pass(const FairQueue::Request& request,
                                        absl::FunctionRef<int64_t()> room) {
  const MutexLock lock(mutex_);
  if (closed_) return Grant();
  if (fair_.Peek() || room() <= granted_) return std::nullopt;
  std::optional<FairQueue::Charge> charge = fair_.Pass(request);
  if (!charge) return std::nullopt;
  ++granted_;
  rate_.Count(clock_.Now());
  return Grant(shared_from_this(), *std::move(charge));
}

FairQueue::Refused RequestQueue::Wait(const FairQueue::Request& request, Answer answer) {
  {
    const MutexLock lock(mutex_);
    const FairQueue::Refused refused = fair_.Push(request);
    if (refused != FairQueue::Refused::kNo) return refused;
    answers_.emplace(request.id, Waiting{std::move(answer), clock_.Now()});
    CountWaiting();
  }
  Pump();  // room may have come since it was asked for
  return FairQueue::Refused::kNo;
}

bool RequestQueue::Leave(Id id) {
  Answer dropped;  // not under the lock: what it holds may be the last of something
  const MutexLock lock(mutex_);
  if (!fair_.Remove(id)) return false;
  const auto answer = answers_.find(id);
  dropped = std::move(answer->second.answer);
  answers_.erase(answer);
  CountWaiting();
  return true;
}

void RequestQueue::CountWaiting() { waiting_.store(fair_.waiting()); }

void RequestQueue::Pump() {
  {
    const MutexLock lock(mutex_);
    again_ = true;
    if (std::exchange(pumping_, true)) return;
  }
  std::vector<Due> due;
  while (TakeDue(&due)) {
    for (auto& [answer, grant] : due) answer(std::move(grant));
    due.clear();
  }
}

// False: nothing is due and nobody has come meanwhile, so that the next one who does has to look.
bool RequestQueue::TakeDue(std::vector<Due>* due) {
  const MutexLock lock(mutex_);
  if (!std::exchange(again_, false)) {
    pumping_ = false;
    return false;
  }
  const TimePoint now = clock_.Now();
  const int64_t room = room_ == nullptr || !fair_.Peek() ? 0 : room_(now);
  while (closed_ || granted_ < room) {
    std::optional<FairQueue::Next> next = fair_.Pop();
    if (!next) break;
    const auto answer = answers_.find(next->id);
    CHECK(answer != answers_.end());
    ++granted_;
    rate_.Count(now);
    due->emplace_back(std::move(answer->second.answer),
                      Grant(shared_from_this(), std::move(next->charge)));
    answers_.erase(answer);
  }
  if (closed_) LetAllGo(due);
  CountWaiting();
  return true;
}

// Those whose tenants' ceilings are reached. Nobody keeps ceilings any more.
void RequestQueue::LetAllGo(std::vector<Due>* due) {
  for (auto& [id, waiting] : answers_) {
    CHECK(fair_.Remove(id));
    due->emplace_back(std::move(waiting.answer), Grant());
  }
  answers_.clear();
}

// Its endpoint and granted_ may both have counted it in a sample taken meanwhile.
void RequestQueue::Dispatched() {
  {
    const MutexLock lock(mutex_);
    --granted_;
  }
  OnRoom();
}

void RequestQueue::End(FairQueue::Charge charge, bool dispatched,
                       std::optional<int64_t> used_tokens) {
  {
    const MutexLock lock(mutex_);
    if (!dispatched) --granted_;
    fair_.Settle(std::move(charge), used_tokens);
  }
  OnRoom();
}

RequestQueue::Ahead RequestQueue::AheadOf(const FairQueue::Request& request) const {
  const MutexLock lock(mutex_);
  return fair_.AheadOf(request.priority, request.tenant);
}

std::optional<Duration> RequestQueue::ExpectedWait(int priority) const {
  const MutexLock lock(mutex_);
  const double rate = rate_.PerSecond(clock_.Now());
  if (rate <= 0) return std::nullopt;
  const double seconds = static_cast<double>(fair_.WaitingAtLeast(priority) + 1) / rate;
  return std::chrono::duration_cast<Duration>(
      std::chrono::duration<double>(std::min(seconds, 86400.0)));
}

RequestQueue::View RequestQueue::Look() const {
  const MutexLock lock(mutex_);
  const TimePoint now = clock_.Now();
  View view;
  view.options = options_;
  view.waiting = fair_.waiting();
  view.waiting_bytes = fair_.waiting_bytes();
  view.granted = granted_;
  if (room_ != nullptr) view.room = room_(now);
  // By another name: the visit is not known to have the lock.
  const absl::flat_hash_map<Id, Waiting>& answers = answers_;
  fair_.ForEachTenant([&view, &answers, now](const FairQueue::TenantView& tenant) {
    std::optional<Duration> oldest_wait;
    if (tenant.oldest) oldest_wait = now - answers.at(*tenant.oldest).since;
    view.tenants.push_back({tenant.priority, std::string(tenant.tenant), tenant.waiting,
                            tenant.waiting_bytes, oldest_wait, tenant.in_flight_requests,
                            tenant.in_flight_tokens, tenant.is_at_ceiling, tenant.counter});
  });
  return view;
}

std::shared_ptr<RequestQueue> RequestQueues::Get(const std::string& pool) {
  const MutexLock lock(mutex_);
  std::erase_if(queues_, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<RequestQueue>& known = queues_[pool];
  std::shared_ptr<RequestQueue> queue = known.lock();
  if (queue == nullptr) known = queue = std::make_shared<RequestQueue>(clock_);
  return queue;
}

std::vector<std::shared_ptr<RequestQueue>> RequestQueues::All() const {
  const MutexLock lock(mutex_);
  std::vector<std::shared_ptr<RequestQueue>> all;
  for (const auto& [pool, queue] : queues_) {
    if (std::shared_ptr<RequestQueue> held = queue.lock()) all.push_back(std::move(held));
  }
  return all;
}

}  // namespace gw
