// Gate: somebody beside the exchange who says when a request may go on, and maybe where to: a
// picker that another process asks. It answers at once, or later and from any thread. A pool's
// queue (flowcontrol/request_queue.h) answers in the same way.
//
// While it waits a request holds nothing of its pool (Routed::Unpin), and may end: its client
// leaves, its time is over. WaitingRoom is where answers and ends meet. A request in flight that
// its queue may end for another one hears of that there, too.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/mutex.h"
#include "exchange/rejection.h"
#include "flowcontrol/request_queue.h"
#include "http/head.h"
#include "inference/request.h"
#include "snapshot/snapshot.h"

namespace gw {

struct GateAnswer {
  Rejection rejection = Rejection::kNone;  // anything else: the request ends with it
  std::string detail = {};                 // told to the client in place of its text
  // Addresses to keep to, the best first: tries go through them in this order, ejected ones last.
  // Empty: the pool's profile chooses.
  std::vector<std::string> endpoints = {};
  // Of a queue: the request's turn. Given back by whoever is the last to hold the answer.
  std::shared_ptr<Grant> grant = nullptr;
};

// Who hears the answer, on the thread of the worker that asked.
class Waiter {
 public:
  virtual void OnGateAnswer(GateAnswer answer) = 0;
  // Its queue wants it ended for one of that priority.
  virtual void OnEvicted(int for_priority) = 0;

 protected:
  ~Waiter() = default;
};

// The requests of one worker that wait.
class WaitingRoom {
 public:
  using Id = uint64_t;  // no two of a process are the same; never 0
  // Runs a task on the worker's thread, later; called from any thread.
  using Post = std::function<void(std::function<void()>)>;

  explicit WaitingRoom(Post post);
  ~WaitingRoom();

  static Id NewId();  // any thread
  // The worker's thread. Leave: the waiter is not called any more, whatever is on its way.
  Id Enter(Waiter* waiter) {
    const Id id = NewId();
    Enter(id, waiter);
    return id;
  }
  void Enter(Id id, Waiter* waiter) { waiters_.emplace(id, waiter); }
  void Leave(Id id);
  size_t size() const { return waiters_.size(); }

  // How a gate gives its answer, from any thread, also when the request has long ended and the room
  // is gone: then nobody hears it.
  class Door {
   public:
    void Answer(Id id, GateAnswer answer) const;
    void Evict(Id id, int for_priority) const;  // in the same way

   private:
    friend class WaitingRoom;
    using Tell = std::function<void(Waiter&)>;  // called once at most
    void Post(Id id, Tell tell) const;
    struct Shared {
      Mutex mutex;
      WaitingRoom* room ABSL_GUARDED_BY(mutex);  // nullptr: gone
    };
    std::shared_ptr<Shared> shared_;
  };
  const Door& door() const { return door_; }

 private:
  void Call(Id id, const Door::Tell& tell);

  const Post post_;
  Door door_;
  absl::flat_hash_map<Id, Waiter*> waiters_;
};

class Gate {
 public:
  // What a gate is told of a request; all of it valid during the call only.
  struct Question {
    const PoolEntry& pool;
    const http::RequestHead& head;
    const InferenceRequest& request;
    Criticality criticality;
    TimePoint began;
  };
  // Where an answer that comes later goes.
  struct Ticket {
    WaitingRoom::Door door;
    WaitingRoom::Id id;
  };

  virtual ~Gate() = default;
  // Called by all workers. nullopt: the answer comes later, once, by ticket.door; it may be there
  // before this returns.
  virtual std::optional<GateAnswer> Ask(const Question& question, const Ticket& ticket) = 0;
  // The request has ended without its answer, which may be on its way.
  virtual void Forget(WaitingRoom::Id id) = 0;
};

}  // namespace gw
