#include "flowcontrol/request_queues.h"

#include <utility>

namespace gw {

std::shared_ptr<RequestQueue> RequestQueues::Get(const std::string& pool) {
  const MutexLock lock(mutex_);
  std::erase_if(queues_, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<RequestQueue>& known = queues_[pool];
  std::shared_ptr<RequestQueue> queue = known.lock();
  if (queue != nullptr) return queue;
  known = queue = std::make_shared<RequestQueue>(clock_);
  ++made_;
  return queue;
}

std::vector<std::shared_ptr<RequestQueue>> RequestQueues::All() const {
  std::vector<std::shared_ptr<RequestQueue>> all;
  for (Entry& entry : Entries()) all.push_back(std::move(entry.queue));
  return all;
}

std::vector<RequestQueues::Entry> RequestQueues::Entries() const {
  const MutexLock lock(mutex_);
  std::vector<Entry> all;
  for (const auto& [pool, queue] : queues_) {
    if (std::shared_ptr<RequestQueue> held = queue.lock()) all.push_back({pool, std::move(held)});
  }
  return all;
}

}  // namespace gw
