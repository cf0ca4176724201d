// The one implementation of EventLoop, for the other files of net.

#pragma once

#include <sys/epoll.h>

#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/mutex.h"
#include "net/event_loop.h"
#include "net/intrusive_list.h"
#include "net/timer_wheel.h"

namespace gw::internal {

// Receives the epoll events of one file descriptor.
class IoHandler {
 public:
  virtual void OnEvents(uint32_t events) = 0;

 protected:
  ~IoHandler() = default;
};

// Something to be called once, in the next round of the loop.
struct Deferred : ListNode {
  virtual void OnDeferred() = 0;

 protected:
  // What is destroyed is not called any more.
  ~Deferred() {
    if (linked()) Unlink();
  }
};

class EpollLoop final : public EventLoop {
 public:
  EpollLoop(const Clock& clock, int epoll_fd, int event_fd);
  ~EpollLoop() override;

  void Run() override;
  void RunOnce(Duration max_wait) override;
  void Stop() override;
  void Post(std::function<void()> task) override;
  using EventLoop::FreeLater;
  TimePoint now() const override { return in_round_ ? now_ : clock_.Now(); }
  const Clock& clock() const override { return clock_; }
  std::span<char> scratch() override { return {scratch_.get(), kScratchBytes}; }

  // Watches `fd` for `events` (EPOLLIN, ...) until it is closed. Returns 0 or errno.
  int Watch(int fd, uint32_t events, IoHandler* handler);
  // Changes what is watched for.
  void Rewatch(int fd, uint32_t events, IoHandler* handler);
  // Stops watching, and starts it again as Watch does: for what Rewatch cannot change, and for
  // descriptors whose file stays open elsewhere. An event that was read before may still be told.
  void Suspend(int fd);
  int Resume(int fd, uint32_t events, IoHandler* handler);
  // To be called once when a handler that was given to Watch is destroyed: drops its events from
  // the batch that is being handled.
  void Forget(const IoHandler* handler);

  void Defer(Deferred* deferred) {
    if (!deferred->linked()) deferred_.PushBack(deferred);
  }

  void StartTimer(TimerNode* node, Duration after);
  void StopTimer(TimerNode* node) { wheel_.Stop(node); }

 private:
  static constexpr size_t kScratchBytes = 64 * 1024;
  static constexpr int kBatchEvents = 256;

  void FreeLater(Ended ended) override { ended_.push_back(ended); }
  void FreeEnded();
  int WaitMillis(Duration max_wait);
  void Poll(int wait_ms);
  void HandleEvents();
  void TakeTasks(std::vector<std::function<void()>>* tasks);
  void RunTimers();
  void Wake();

  const Clock& clock_;
  const int epoll_fd_;
  const int event_fd_;
  const TimePoint base_;  // tick 0 of the wheel
  TimePoint now_;
  bool in_round_ = false;
  std::atomic<bool> stop_{false};
  bool tasks_posted_ = false;  // an event of event_fd_ came, and nobody has taken the tasks since
  size_t watched_ = 0;
  int batch_next_ = 0;
  int batch_count_ = 0;
  ListHead deferred_;
  std::vector<Ended> ended_;
  std::vector<Ended> freeing_;
  TimerWheel wheel_;
  std::unique_ptr<char[]> scratch_;
  epoll_event batch_[kBatchEvents];

  Mutex mutex_;
  std::vector<std::function<void()>> tasks_ ABSL_GUARDED_BY(mutex_);
};

// New makes the only kind of loop there is.
inline EpollLoop& ImplOf(EventLoop& loop) { return static_cast<EpollLoop&>(loop); }

}  // namespace gw::internal
