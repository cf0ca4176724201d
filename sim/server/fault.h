// Faults to order: what a simulated replica is made to do wrong.
//
// | order               | effect                                                               |
// |---------------------|----------------------------------------------------------------------|
// | refuse              | the listener is closed, idle connections too; the rest goes on       |
// | die                 | the listener is closed, every connection reset, the cache lost       |
// | hang                | connections are accepted, requests never answered (control paths are)|
// | hang-after-headers  | only the head of an answer to an inference request is sent           |
// | error=STATUS        | inference requests are answered with that status                     |
// | busy-beyond=N       | inference requests beyond N in work are answered 429, Retry-After: 1   |
// | late-error=TIME     | inference requests are answered with 500, after TIME                 |
// | unhealthy           | GET /health is answered with 503                                     |
// | break-after=N       | the connection is reset after N output tokens                        |
// | close-after=N       | the same with an orderly close: the stream ends without its end      |
// | error-event-after=N | the same with vLLM's error event, as if its engine process had died  |
// | slow-metrics=TIME   | GET /metrics is answered after TIME                                  |
// | no-transfer         | KV blocks neither leave nor arrive; prefill answers as if they had   |
//
// A TIME is "200ms" or "2s".

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/status.h"

namespace gw::sim {

enum class FaultKind : uint8_t {
  kRefuse,
  kDie,
  kHang,
  kHangAfterHeaders,
  kError,
  kUnhealthy,
  kBreakAfter,
  kCloseAfter,
  kErrorEventAfter,
  kSlowMetrics,
  kLateError,
  kNoTransfer,
  kBusyBeyond,
};

struct Fault {
  FaultKind kind;
  uint32_t number = 0;  // status, tokens or requests
  Duration delay{};
};

// A fault for one replica, or for all.
struct FaultOrder {
  std::optional<uint32_t> replica;
  Fault fault;
};

// "200ms" or "2s". False if it is neither.
bool ParseTime(std::string_view text, Duration* time);

// "break-after=5", "replica=1:hang".
absl::StatusOr<FaultOrder> ParseFaultOrder(std::string_view text);

// The faults that are in force; several may be.
struct FaultState {
  enum class Cut : uint8_t { kReset, kClose, kErrorEvent };

  bool down = false;  // refuse or die
  bool hang = false;
  bool hang_after_headers = false;
  bool unhealthy = false;
  int error_status = 0;
  std::optional<uint32_t> busy_beyond;  // requests
  std::optional<uint32_t> cut_after_tokens;
  Cut cut = Cut::kReset;
  Duration metrics_delay{};
  Duration error_delay{};
  bool no_transfer = false;
  std::string description;  // the orders, separated by spaces

  void Add(const Fault& fault);
};

}  // namespace gw::sim
