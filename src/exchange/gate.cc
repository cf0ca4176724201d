#include "exchange/gate.h"

#include <atomic>
#include <utility>

#include "base/mutex.h"

namespace gw {

WaitingRoom::WaitingRoom(Post post) : post_(std::move(post)) {
  door_.shared_ = std::make_shared<Door::Shared>();
  door_.shared_->room = this;
}

WaitingRoom::~WaitingRoom() {
  const MutexLock lock(door_.shared_->mutex);
  door_.shared_->room = nullptr;
}

// One gate has the requests of all rooms.
WaitingRoom::Id WaitingRoom::NewId() {
  static std::atomic<Id> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

void WaitingRoom::Leave(Id id) { waiters_.erase(id); }

void WaitingRoom::Door::Answer(Id id, GateAnswer answer) const {
  Post(id, [answer = std::move(answer)](Waiter& waiter) mutable {
    waiter.OnGateAnswer(std::move(answer));
  });
}

void WaitingRoom::Door::Evict(Id id, int for_priority) const {
  Post(id, [for_priority](Waiter& waiter) { waiter.OnEvicted(for_priority); });
}

// The task looks the room up again: it may be gone by the time that the task is run, or destroyed
// with its loop.
void WaitingRoom::Door::Post(Id id, Tell tell) const {
  const MutexLock lock(shared_->mutex);
  if (shared_->room == nullptr) return;
  shared_->room->post_([shared = shared_, id, tell = std::move(tell)] {
    WaitingRoom* room;
    {
      const MutexLock inside(shared->mutex);
      room = shared->room;
    }
    // The room goes on the worker's thread, which is this one.
    if (room != nullptr) room->Call(id, tell);
  });
}

void WaitingRoom::Call(Id id, const Door::Tell& tell) {
  const auto found = waiters_.find(id);
  if (found == waiters_.end()) return;
  Waiter* const waiter = found->second;
  waiters_.erase(found);
  tell(*waiter);
}

}  // namespace gw
