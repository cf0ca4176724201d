// Which cache lines of a metric a thread writes: those of its shard, so that threads share none.

#pragma once

#include <cstddef>

namespace gw {

inline constexpr size_t kStatsShards = 16;
// The calling thread's shard, given out in turn at first use.
size_t ThreadShard();

}  // namespace gw
