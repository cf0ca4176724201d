// PoolQueues: the queues of pools as topics need them, by their pools' ids: looked up without a
// lock while none is made.
//
// One thread.

#pragma once

#include <algorithm>
#include <string_view>
#include <vector>

#include "flowcontrol/request_queues.h"
#include "peers/topic.h"

namespace gw::peers {

class PoolQueues {
 public:
  // The queues outlive it.
  explicit PoolQueues(const RequestQueues& queues) : queues_(queues) {}

  // In the order of their pools. Those that were let go of are so after the next Refresh.
  const std::vector<RequestQueues::Entry>& all() {
    if (queues_.made() != made_) Refresh();
    return entries_;
  }
  void Refresh() {
    made_ = queues_.made();
    entries_ = queues_.Entries();
    std::erase_if(entries_, [](const auto& entry) { return entry.pool.size() > kNameMax; });
  }
  // nullptr: it has none here.
  RequestQueue* Find(std::string_view pool) {
    const std::vector<RequestQueues::Entry>& entries = all();
    const auto found = std::lower_bound(
        entries.begin(), entries.end(), pool,
        [](const RequestQueues::Entry& entry, std::string_view id) { return entry.pool < id; });
    return found == entries.end() || found->pool != pool ? nullptr : found->queue.get();
  }

 private:
  const RequestQueues& queues_;
  uint64_t made_ = 0;
  std::vector<RequestQueues::Entry> entries_;
};

}  // namespace gw::peers
