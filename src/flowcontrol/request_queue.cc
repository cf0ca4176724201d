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
  priority_ = other.priority_;
  of_share_ = other.of_share_;
  dispatched_ = std::exchange(other.dispatched_, false);
  victim_ = std::exchange(other.victim_, 0);
  return *this;
}

void Grant::Dispatched(Victims::Evict evict) {
  if (queue_ == nullptr || std::exchange(dispatched_, true)) return;
  if (of_share_) evict = nullptr;
  victim_ = queue_->Dispatched(priority_, std::move(evict));
}

void Grant::SetStage(Victims::Stage stage) {
  if (victim_ != 0) queue_->SetStage(victim_, stage);
}

bool Grant::GivesWay() { return victim_ != 0 && queue_->GivesWay(victim_); }

void Grant::End(std::optional<int64_t> used_tokens) {
  if (queue_ == nullptr) return;
  const std::shared_ptr<RequestQueue> queue = std::move(queue_);
  queue->End(std::move(charge_), std::exchange(dispatched_, false), std::exchange(victim_, 0),
             used_tokens);
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
                                        absl::FunctionRef<int64_t(int64_t kept_free)> room) {
  const MutexLock lock(mutex_);
  if (closed_) return Grant();
  if (fair_.Peek() || room(options_.KeptFreeOf(request.priority)) <= granted_) return std::nullopt;
  std::optional<FairQueue::Charge> charge = fair_.Pass(request);
  if (!charge) return std::nullopt;
  ++granted_;
  rate_.Count(clock_.Now());
  return Grant(shared_from_this(), *std::move(charge), request.priority, false);
}

FairQueue::Refused RequestQueue::Wait(const FairQueue::Request& request, Answer answer) {
  {
    const MutexLock lock(mutex_);
    FairQueue::Request since_now = request;
    since_now.since = clock_.Now();
    const FairQueue::Refused refused = fair_.Push(since_now);
    if (refused != FairQueue::Refused::kNo) return refused;
    answers_.emplace(request.id, Waiting{std::move(answer), since_now.since});
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
  CountReady();
  return true;
}

void RequestQueue::CountWaiting() { waiting_.store(fair_.waiting()); }

void RequestQueue::Pump() {
  {
    const MutexLock lock(mutex_);
    again_ = true;
    if (std::exchange(pumping_, true)) return;
  }
  Due due;
  while (TakeDue(&due)) {
    for (auto& [answer, grant] : due.turns) answer(std::move(grant));
    for (auto& [evict, for_priority] : due.evictions) evict(for_priority);
    due.turns.clear();
    due.evictions.clear();
  }
}

// False: nothing is due and nobody has come meanwhile, so that the next one who does has to look.
bool RequestQueue::TakeDue(Due* due) {
  const MutexLock lock(mutex_);
  if (!std::exchange(again_, false)) {
    pumping_ = false;
    return false;
  }
  const int64_t room = TakeTurns(clock_.Now(), due);
  if (closed_) {
    LetAllGo(due);
  } else if (room != kNobodyServes) {
    TakeVictims(due);
  }
  CountWaiting();
  return true;
}

// Priorities below `served` have no room: what they do not get is all that there is. Returns the
// room of the priorities that are left in the end.
int64_t RequestQueue::TakeTurns(TimePoint now, Due* due) {
  if (!fair_.Peek()) return 0;
  int served = FairQueue::kAnyPriority;
  int64_t kept_free = options_.KeptFreeOf(served);
  int64_t room = RoomNow(now, kept_free);
  for (auto reserved = options_.reserved.begin();;) {
    while (!closed_ && granted_ >= room) {
      if (reserved == options_.reserved.end()) return room;
      served = reserved->first;
      kept_free -= reserved->second;
      ++reserved;
      room = RoomNow(now, kept_free);
    }
    std::optional<FairQueue::Next> next = fair_.Pop(served);
    if (!next) return room;
    const auto answer = answers_.find(next->id);
    CHECK(answer != answers_.end());
    ++granted_;
    rate_.Count(now);
    const bool high = options_.evict_below && next->priority >= *options_.evict_below;
    if (high && ended_for_waiting_ > 0) --ended_for_waiting_;
    due->turns.emplace_back(
        std::move(answer->second.answer),
        Grant(shared_from_this(), std::move(next->charge), next->priority, next->of_share));
    answers_.erase(answer);
  }
}

// Those for whom others may be ended. An eviction for one that does not wait any more is not
// counted against the next one.
FairQueue::Ready RequestQueue::CountReady() {
  if (!options_.evict_below) return {};
  // Metrics have come since, and say whether the places are room: somebody else may have them.
  if (clock_.Now() - last_ended_ >= kEvictAgainAfter) ended_for_waiting_ = 0;
  const size_t most = victims_.taken() + victims_.left() + ended_for_waiting_;
  const FairQueue::Ready ready = fair_.ReadyAtLeast(*options_.evict_below, most);
  ended_for_waiting_ = std::min(ended_for_waiting_, ready.count);
  return ready;
}

// REQUIRES: there is no room for those that wait. One for each of them: what was ended for one that
// waits yet counts for a while whether or not its place was room.
void RequestQueue::TakeVictims(Due* due) {
  const FairQueue::Ready ready = CountReady();
  while (victims_.taken() + ended_for_waiting_ < ready.count) {
    Victims::Evict evict = victims_.Take(*options_.evict_below);
    if (evict == nullptr) return;
    due->evictions.emplace_back(std::move(evict), ready.highest);
  }
}

// Those whose tenants' ceilings are reached. Nobody keeps ceilings any more.
void RequestQueue::LetAllGo(Due* due) {
  for (auto& [id, waiting] : answers_) {
    CHECK(fair_.Remove(id));
    due->turns.emplace_back(std::move(waiting.answer), Grant());
  }
  answers_.clear();
}

// Its endpoint and granted_ may both have counted it in a sample taken meanwhile.
Victims::Key RequestQueue::Dispatched(int priority, Victims::Evict evict) {
  Victims::Key victim = 0;
  {
    const MutexLock lock(mutex_);
    --granted_;
    if (evict != nullptr && options_.evict_below && priority < *options_.evict_below) {
      victim = victims_.Add(priority, std::move(evict));
    }
  }
  OnRoom();
  return victim;
}

void RequestQueue::SetStage(Victims::Key victim, Victims::Stage stage) {
  {
    const MutexLock lock(mutex_);
    const bool was_fixed = victims_.StageOf(victim) == Victims::Stage::kFixed;
    victims_.SetStage(victim, stage);
    if (!was_fixed) return;
  }
  OnRoom();  // who waits may have somebody to end now
}

// Between the choice and this it may have come to its whole answer, and who waited have left or
// gone by other room: then there are more taken than wanted.
bool RequestQueue::GivesWay(Victims::Key victim) {
  {
    const MutexLock lock(mutex_);
    if (!victims_.IsTaken(victim)) return false;
    const bool wanted = !closed_ && victims_.taken() + ended_for_waiting_ <= CountReady().count;
    if (wanted && victims_.StageOf(victim) != Victims::Stage::kFixed) return true;
    victims_.PutBack(victim);
  }
  OnRoom();  // another one may be ended in its place
  return false;
}

void RequestQueue::End(FairQueue::Charge charge, bool dispatched, Victims::Key victim,
                       std::optional<int64_t> used_tokens) {
  Victims::Evict dropped;  // not under the lock, as in Leave
  {
    const MutexLock lock(mutex_);
    if (!dispatched) --granted_;
    if (victim != 0) {
      if (victims_.IsTaken(victim)) {
        ++ended_for_waiting_;
        last_ended_ = clock_.Now();
      }
      dropped = victims_.Remove(victim);
      CountReady();
    }
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

std::vector<FairQueue::Served> RequestQueue::TakeServed() {
  const MutexLock lock(mutex_);
  return fair_.TakeServed();
}

void RequestQueue::ServedElsewhere(int priority, std::string_view tenant, int64_t tokens) {
  const MutexLock lock(mutex_);
  fair_.ServedElsewhere(priority, tenant, tokens);
}

std::vector<FairQueue::Held> RequestQueue::TakeHeld(bool all) {
  const MutexLock lock(mutex_);
  std::vector<FairQueue::Held> tenants = all ? fair_.AllHeld() : fair_.TakeHeld();
  const TimePoint now = clock_.Now();
  // Of the number of places that was asked for last: a look at all endpoints.
  std::optional<int64_t> kept_free;
  bool has_room = false;
  for (FairQueue::Held& held : tenants) {
    if (!held.oldest) continue;
    if (const int64_t kept = options_.KeptFreeOf(held.priority); kept != kept_free) {
      kept_free = kept;
      has_room = RoomNow(now, kept) > granted_;
    }
    if (!has_room) held.oldest.reset();
  }
  return tenants;
}

void RequestQueue::SetElsewhere(std::string_view tenant, FairQueue::Elsewhere elsewhere) {
  {
    const MutexLock lock(mutex_);
    if (!fair_.SetElsewhere(tenant, std::move(elsewhere))) return;
  }
  OnRoom();
}

RequestQueue::View RequestQueue::Look() const {
  const MutexLock lock(mutex_);
  const TimePoint now = clock_.Now();
  View view;
  view.options = options_;
  view.waiting = fair_.waiting();
  view.waiting_bytes = fair_.waiting_bytes();
  view.granted = granted_;
  if (room_ != nullptr) view.room = room_(now, 0);
  // By another name: the visit is not known to have the lock.
  const absl::flat_hash_map<Id, Waiting>& answers = answers_;
  const Room& room = room_;
  // Asked once for each number of places: a look at all endpoints, and there may be many tenants.
  int64_t kept_free = 0;
  bool has_room = view.room.value_or(0) > granted_;
  fair_.ForEachTenant([&, now](const FairQueue::TenantView& tenant) {
    std::optional<Duration> oldest_wait;
    if (tenant.oldest) oldest_wait = now - answers.at(*tenant.oldest).since;
    if (const int64_t kept = view.options.KeptFreeOf(tenant.priority); kept != kept_free) {
      kept_free = kept;
      has_room = room != nullptr && room(now, kept_free) > view.granted;
    }
    view.tenants.push_back({tenant.priority, std::string(tenant.tenant), tenant.waiting,
                            tenant.waiting_bytes, oldest_wait, tenant.in_flight_requests,
                            tenant.in_flight_tokens, tenant.is_at_ceiling, has_room,
                            tenant.counter});
  });
  return view;
}

}  // namespace gw
