// One epoll loop, run by one thread: readiness of sockets, timers, and tasks posted by other
// threads.
//
// Everything registered with a loop is used on the loop's thread only; Post and Stop are the two
// calls that any thread may make. Time is read once per wake-up (now()). Streams, timers and the
// like must be destroyed before their loop.
//
// One round: wait; readiness events; streams that asked to read again; tasks posted before the
// round; timers, before which everything that was ready then is handled; last, what was given to
// FreeLater is freed. Whatever any of them asks for "later", or posts, comes in the next round.
// What is destroyed is not called any more.

#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>

#include "base/clock.h"
#include "base/status.h"
#include "net/timer_wheel.h"

namespace gw {

class EventLoop {
 public:
  static absl::StatusOr<std::unique_ptr<EventLoop>> New(const Clock& clock = RealClock());
  virtual ~EventLoop() = default;

  // Runs until Stop, at once if Stop came first. Tasks that are still posted when it returns are
  // destroyed with the loop.
  virtual void Run() = 0;
  // One wait of at most `max_wait` (of real time, whatever the clock), then all that is due. For
  // tests.
  virtual void RunOnce(Duration max_wait) = 0;
  virtual void Stop() = 0;
  virtual void Post(std::function<void()> task) = 0;

  // Takes what has come to its end inside one of its own handlers, and frees it when this round has
  // ended; outside a round, the next one. It may outlive its former owner: its destructor uses
  // nothing but the loop. Its streams and timers still call it until then, unless it ends them.
  template <typename T>
  void FreeLater(std::unique_ptr<T> object) {
    FreeLater({object.release(), [](void* it) { delete static_cast<T*>(it); }});
  }

  // When this round began; outside a round, the clock's time.
  virtual TimePoint now() const = 0;
  virtual const Clock& clock() const = 0;
  // 64 KiB of scratch for reads, shared by all streams of the loop: valid until the handler
  // returns.
  virtual std::span<char> scratch() = 0;

 protected:
  struct Ended {
    void* object;
    void (*free)(void*);
  };
  virtual void FreeLater(Ended ended) = 0;
};

// A one-shot timer. Destroying it stops it; on_expiry may destroy it. Start on a running timer
// moves it. Counted from now(), resolution one millisecond, never early; Start(0) fires in the next
// round. Start and Stop are O(1) and do not allocate.
class Timer final : private internal::TimerNode {
 public:
  Timer(EventLoop& loop, std::function<void()> on_expiry);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  void Start(Duration after);
  void Stop();
  bool active() const { return linked(); }

 private:
  void OnExpiry() override { on_expiry_(); }

  EventLoop& loop_;
  std::function<void()> on_expiry_;
};

}  // namespace gw
