// What is told of one endpoint, by the pages, the tables and the metrics.

#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "pool/pool.h"

namespace gw {

// One word for how an endpoint stands; the first that holds.
enum class EndpointWord : uint8_t {
  kEjected,  // failures took it out of use, until a probe succeeds
  kSilent,   // it takes connections and answers nothing, while others answer
  kTrial,    // it was silent, and may have one request
  kUnknown,  // its metrics were never read
  kStale,    // its metrics are older than they may be: others go before it
  kReady,
};
inline constexpr size_t kEndpointWords = 6;
std::string_view NameOf(EndpointWord word);  // "ejected", "silent", ...

// Sampled once. What there is nothing to say of is absent.
struct EndpointReport {
  EndpointWord word = EndpointWord::kReady;
  int32_t in_flight = 0;
  int64_t pending_prompt_tokens = 0;
  int64_t decoding_context_tokens = 0;
  uint64_t requests = 0;
  // As the endpoint said `metrics_age` ago.
  std::optional<Duration> metrics_age = {};
  std::optional<double> waiting = {};
  std::optional<double> running = {};
  std::optional<double> kv_cache_utilization_ratio = {};
  // In a row: of requests, or, ejected, of ejections; and of scrapes.
  uint32_t failures = 0;
  uint32_t scrape_failures = 0;
  std::optional<Duration> ejected_for = {};  // until a probe may bring it back, at least 0
  std::optional<int32_t> allowed = {};       // requests in flight, after it has pushed back
  std::optional<Duration> paused_for = {};   // wants none
  std::optional<Duration> silent_for = {};   // since it was noticed
};
EndpointReport ReportOf(const Pool& pool, const EndpointState& state, TimePoint now);

}  // namespace gw
