// RequestQueues: the queues of all pools, by their ids.

#pragma once

#include <atomic>
#include <cstdint>
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
  struct Entry {
    std::string pool;
    std::shared_ptr<RequestQueue> queue;
  };
  std::vector<Entry> Entries() const;  // the same, with their pools
  // Grows with each queue that is made.
  uint64_t made() const { return made_.load(); }

 private:
  const Clock& clock_;
  std::atomic<uint64_t> made_{0};
  mutable Mutex mutex_;
  std::map<std::string, std::weak_ptr<RequestQueue>> queues_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace gw
