// Queued: what a request has to do with its pool's queue, where that has one.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "exchange/gate.h"
#include "flowcontrol/request_queue.h"

namespace gw {

// Whose service is fair: clients say it by these where no API keys say it better. The first that is
// there counts.
inline constexpr std::string_view kFairnessFields[] = {"x-llm-d-inference-fairness-id",
                                                       "x-gateway-inference-fairness-id"};
// A longer one is nobody's: its requests share the tenant of those that say nothing.
inline constexpr size_t kFairnessIdBytesMax = 128;
// How long the client wants to wait at most, in milliseconds.
inline constexpr std::string_view kQueueTimeoutField = "x-penstock-queue-timeout-ms";

// What became of it at the queue.
enum class QueueResult : uint8_t {
  kNone,       // its pool has none, or it did not come there
  kPassed,     // it need not wait
  kWaited,     // and was dispatched
  kFull,       // too many wait
  kExpired,    // it has waited as long as it may
  kCancelled,  // it ended while it waited: its client left, mostly
  kEvicted,    // it was dispatched, and ended for one of a higher priority
};
inline constexpr size_t kQueueResults = static_cast<size_t>(QueueResult::kEvicted) + 1;
std::string_view NameOf(QueueResult result);

struct Queued {
  QueueResult result = QueueResult::kNone;
  std::shared_ptr<RequestQueue> queue;  // that it waits in
  Grant grant;
  int priority = 0;
  std::string tenant;
  int64_t tokens = 0;  // it was charged for its prompt
  RequestQueue::Ahead ahead;
  TimePoint entered{};
  TimePoint deadline{};
  Duration waited{};
  int retry_after_s = 0;         // of a refusal
  WaitingRoom::Id evict_id = 0;  // by which it hears that it is to end; 0: it cannot be
  std::optional<int> evicted_for = std::nullopt;  // priority

  // For the next request. REQUIRES: it does not wait
  void Reset() {
    result = QueueResult::kNone;
    queue.reset();
    grant.End(std::nullopt);
    tenant.clear();
    ahead = {};
    waited = {};
    retry_after_s = 0;
    evicted_for.reset();
  }
};

}  // namespace gw
