// Waits for an answer of each worker.

#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>

#include "base/clock.h"
#include "base/mutex.h"

namespace gw {

// Counts answers of the workers; Wait returns when all have come or the time is over.
class Countdown {
 public:
  explicit Countdown(size_t count) : left_(count) {}
  void Done() {
    const MutexLock lock(mutex_);
    --left_;
    changed_.notify_all();
  }
  template <typename Stop>
  bool Wait(Duration timeout, Stop stop) {
    const auto deadline = RealClock().Now() + timeout;
    const MutexLock lock(mutex_);
    while (left_ != 0 && !stop() && mutex_.WaitUntil(changed_, deadline)) {
    }
    return left_ == 0;
  }
  // Has Wait look at `stop` again. Under the lock: Wait must not be between its look and its sleep.
  void Poke() {
    const MutexLock lock(mutex_);
    changed_.notify_all();
  }

 private:
  Mutex mutex_;
  std::condition_variable changed_;
  size_t left_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace gw
