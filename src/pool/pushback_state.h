// What an endpoint's own 429 and 503 have said, as part of its live state. Read and written through
// pool/pushback.h.

#pragma once

#include <atomic>
#include <cstdint>

namespace gw {

struct PushbackState {
  std::atomic<int32_t> allowed{0};  // requests of ours in flight; 0: no limit
  std::atomic<int64_t> paused_until_ns{0};
  std::atomic<int64_t> last_at_ns{0};
  std::atomic<int64_t> shrunk_at_ns{0};  // `allowed` was
  std::atomic<uint32_t> successes{0};    // since `allowed` changed
  std::atomic<uint32_t> pauses{0};       // in a row
};

}  // namespace gw
