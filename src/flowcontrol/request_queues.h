// RequestQueues: the queues of all pools, by their ids.

#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "flowcontrol/request_queue.h"

namespace gw {

// One lives as long as anybody holds it: a reload that keeps the pool keeps who waits. Thread-safe.
class RequestQueues {
 public:
  explicit RequestQueues(const Clock& clock = RealClock()) : clock_(clock) {}

  std::shared_ptr<RequestQueue> Get(const std::string& pool);
  // In the order of their pools.
  std::vector<std::shared_ptr<RequestQueue>> All() const;

 private:
  const Clock& clock_;
  mutable Mutex mutex_;
  std::map<std::string, std::weak_ptr<RequestQueue>> queues_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace gw
