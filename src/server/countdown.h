// Waits for an answer of each worker.

#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>

#include "base/clock.h"

namespace gw {

// Counts answers of the workers; Wait returns when all have come or the time is over.
class Countdown {
 public:
  explicit Countdown(size_t count) : left_(count) {}
  void Done() {
    std::lock_guard lock(mutex_);
    --left_;
    changed_.notify_all();
  }
  template <typename Stop>
  bool Wait(Duration timeout, Stop stop) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, timeout, [&] { return left_ == 0 || stop(); }) && left_ == 0;
  }
  // Has Wait look at `stop` again. Under the lock: Wait must not be between its look and its sleep.
  void Poke() {
    std::lock_guard lock(mutex_);
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t left_;
};

}  // namespace gw
