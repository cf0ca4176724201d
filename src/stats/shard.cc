#include "stats/shard.h"

#include <atomic>

namespace gw {

size_t ThreadShard() {
  static std::atomic<size_t> next{0};
  thread_local const size_t shard = next.fetch_add(1, std::memory_order_relaxed) % kStatsShards;
  return shard;
}

}  // namespace gw
