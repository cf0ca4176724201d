// RequestQueue: where the requests of one pool wait for their turn while its endpoints are
// saturated. FairQueue says who is next; this says when, and keeps what is going out.
//
// A turn is a Grant: the requests that have one and are not dispatched yet take up room that no
// sample shows, so they are counted here. Room is asked for under the lock: a burst from all
// workers cannot pass it.
//
// Nothing polls: whoever makes room says so (OnRoom): a request that ends, a metrics page, another
// configuration. All of a pool's requests come by here, also those that need not wait. Where the
// pool says so, requests in flight of low priorities are ended for high ones that wait for room:
// one for each, and another one if its place has turned out not to be room.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "flowcontrol/drain_rate.h"
#include "flowcontrol/fair_queue.h"
#include "flowcontrol/queue_options.h"
#include "flowcontrol/victims.h"

namespace gw {

class RequestQueue;

// One request's turn: held from before its dispatch to its end, and given back by whoever drops it.
// Moved; one thread at a time.
class Grant {
 public:
  Grant() = default;
  Grant(Grant&& other) noexcept { *this = std::move(other); }
  Grant& operator=(Grant&& other) noexcept;
  ~Grant() { End(std::nullopt); }

  // False: the queue has let it go and keeps no account of it, or there is none.
  bool held() const { return queue_ != nullptr; }
  const RequestQueue* queue() const { return queue_.get(); }  // nullptr: !held()
  // Its endpoint counts it from now on. `evict` is called, maybe before this returns, if it is to
  // be ended for another one; nullptr: it cannot be. What a share has brought is never ended.
  void Dispatched(Victims::Evict evict = nullptr);
  // How far it is, for who is ended first. Costs nothing where nobody is.
  void SetStage(Victims::Stage stage);
  // Once its `evict` was called. False: it is to go on, as nobody waits for its place any more, or
  // its stage is kFixed by now; `evict` may be called again.
  bool GivesWay();
  // What it used in all, prompt and answer; nullopt: it was not served.
  void End(std::optional<int64_t> used_tokens);

 private:
  friend class RequestQueue;
  Grant(std::shared_ptr<RequestQueue> queue, FairQueue::Charge charge, int priority, bool of_share)
      : queue_(std::move(queue)),
        charge_(std::move(charge)),
        priority_(priority),
        of_share_(of_share) {}

  std::shared_ptr<RequestQueue> queue_;
  FairQueue::Charge charge_;
  int priority_ = 0;
  bool of_share_ = false;
  bool dispatched_ = false;
  Victims::Key victim_ = 0;  // among those that may be ended; 0: it is not
};

// Thread-safe. Times are those of `clock`.
class RequestQueue : public std::enable_shared_from_this<RequestQueue> {
 public:
  using Id = FairQueue::Id;
  // Metrics tell by then whether the place of who was evicted is room.
  static constexpr Duration kEvictAgainAfter = std::chrono::seconds(1);
  // How many more requests the pool takes now, of those that are dispatched, if so many places of
  // each endpoint are kept free; kNobodyServes: none, and none more if one ended. Called under a
  // lock: it calls nothing of this.
  static constexpr int64_t kNobodyServes = -1;
  using Room = std::function<int64_t(TimePoint now, int64_t kept_free)>;
  // Called once, without the lock, on any thread; also after Leave, if it was under way.
  using Answer = std::function<void(Grant)>;

  explicit RequestQueue(const Clock& clock);

  // From now on. What waits beyond new limits goes on waiting.
  void SetPool(QueueOptions options, Room room);
  // The pool is gone, or has no queue any more: nobody waits, now and from here on.
  void Close();

  // A turn at once, if there is room and nobody waits who could use it. `room`: as Room, for the
  // pool as the caller knows it.
  std::optional<Grant> Pass(const FairQueue::Request& request,
                            absl::FunctionRef<int64_t(int64_t kept_free)> room);
  // It waits. kNo: `answer` is called, maybe before this returns.
  FairQueue::Refused Wait(const FairQueue::Request& request, Answer answer);
  // False: it does not wait any more, and its answer is under way.
  bool Leave(Id id);

  // There may be room that was not. Cheap while nobody waits.
  void OnRoom() {
    if (waiting_.load() > 0) Pump();
  }

  // FairQueue::AheadOf.
  using Ahead = FairQueue::Ahead;
  Ahead AheadOf(const FairQueue::Request& request) const;
  // How long such a one waits, by how fast the queue has drained lately; nullopt: it does not.
  std::optional<Duration> ExpectedWait(int priority) const;

  // What was served here since the last call, and what other gateways have: FairQueue's of the same
  // names. For one caller, who tells the others.
  std::vector<FairQueue::Served> TakeServed();
  void ServedElsewhere(int priority, std::string_view tenant, int64_t tokens);
  // With `oldest` only where the pool has room for it: else it waits for more than its ceiling.
  std::vector<FairQueue::Held> TakeHeld(bool all);
  // Who may go by that goes, on this thread.
  void SetElsewhere(std::string_view tenant, FairQueue::Elsewhere elsewhere);

  struct View {
    QueueOptions options = {};
    size_t waiting = 0;
    size_t waiting_bytes = 0;
    int64_t granted = 0;                         // and not dispatched yet
    std::optional<int64_t> room = std::nullopt;  // nullopt: nobody has said
    // In one priority.
    struct Tenant {
      int priority;
      std::string name;
      size_t waiting;
      size_t waiting_bytes;
      std::optional<Duration> oldest_wait;  // nullopt: nobody waits
      int64_t in_flight_requests;
      int64_t in_flight_tokens;
      bool is_at_ceiling;
      bool has_room;         // for one more of that priority
      double served_tokens;  // FairQueue::TenantView::counter
    };
    bool is_saturated() const { return room.value_or(0) <= granted; }
    std::vector<Tenant> tenants = {};  // the highest priority first
  };
  View Look() const;

  size_t waiting() const { return waiting_.load(std::memory_order_relaxed); }

 private:
  friend class Grant;
  struct Waiting {
    Answer answer;
    TimePoint since;
  };
  struct Due {
    std::vector<std::pair<Answer, Grant>> turns;
    std::vector<std::pair<Victims::Evict, int>> evictions;  // for one of that priority
  };

  void Pump();
  bool TakeDue(Due* due);
  int64_t RoomNow(TimePoint now, int64_t kept_free) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return room_ == nullptr ? 0 : room_(now, kept_free);
  }
  int64_t TakeTurns(TimePoint now, Due* due) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void LetAllGo(Due* due) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CountWaiting() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Victims::Key Dispatched(int priority, Victims::Evict evict);
  void SetStage(Victims::Key victim, Victims::Stage stage);
  bool GivesWay(Victims::Key victim);
  FairQueue::Ready CountReady() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TakeVictims(Due* due) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void End(FairQueue::Charge charge, bool dispatched, Victims::Key victim,
           std::optional<int64_t> used_tokens);

  const Clock& clock_;
  std::atomic<size_t> waiting_{0};
  mutable Mutex mutex_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  QueueOptions options_ ABSL_GUARDED_BY(mutex_);
  Room room_ ABSL_GUARDED_BY(mutex_);
  FairQueue fair_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<Id, Waiting> answers_ ABSL_GUARDED_BY(mutex_);
  int64_t granted_ ABSL_GUARDED_BY(mutex_) = 0;
  DrainRate rate_ ABSL_GUARDED_BY(mutex_);
  Victims victims_ ABSL_GUARDED_BY(mutex_);
  // That have ended for requests which wait yet: their places need not be room enough. The last one
  // did then; all are forgotten after kEvictAgainAfter.
  size_t ended_for_waiting_ ABSL_GUARDED_BY(mutex_) = 0;
  TimePoint last_ended_ ABSL_GUARDED_BY(mutex_){};
  // One thread at a time hands out turns; what others bring meanwhile it takes along.
  bool pumping_ ABSL_GUARDED_BY(mutex_) = false;
  bool again_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace gw
