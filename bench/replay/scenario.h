// Scenario: what a workload is replayed against: simulated model servers, the gateways in front of
// them and how they decide, and what befalls them meanwhile. All of it in virtual time.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "api/meta.h"
#include "base/clock.h"
#include "bench/replay/events.h"
#include "bench/virtual/peers.h"
#include "sim/engine/server_spec.h"

namespace gw::bench {

// What gateways know of the engines' caches.
enum class IndexMode : uint8_t {
  kEstimated,  // what was sent there, and is not likely to be forgotten there yet
  kPrecise,    // that, less what the engines say that they have evicted, at once
};

struct Scenario {
  std::vector<sim::ServerSpec> engines;  // one for each replica of the pool
  size_t prefill_engines = 0;            // the first ones compute prompts only; 0: none does
  api::StringMap annotations;            // of their InferencePool: how is decided
  int gateways = 1;                      // each request comes to one of them at random
  std::optional<PeerOptions> peers;      // what they tell each other; they know nothing
  // Of the requests so many reach the engines past the gateways, each drawn by the seed.
  double foreign_share = 0;
  Duration metrics_age = std::chrono::milliseconds(50);  // from one page of an engine to the next
  Duration page_time = std::chrono::milliseconds(2);     // from the question to the whole page
  // What a gateway takes from a request's first byte to the decision.
  Duration gateway_time = std::chrono::microseconds(500);
  IndexMode index = IndexMode::kEstimated;
  std::vector<FleetEvent> events;  // in any order
  uint64_t seed = 1;
};

}  // namespace gw::bench
