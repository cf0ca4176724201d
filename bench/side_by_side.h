// Gateways side by side in front of the same replicas, in virtual time (virtual/fleet.h), and
// conversations that are had with them.
//
// Requests are dealt to the gateways in turn, whoever sends them: the least favourable way, as the
// rounds of one conversation are seen by all.

#pragma once

#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "bench/workload.h"
#include "pool/pool.h"
#include "sim/engine/server_spec.h"

namespace gw::bench {

struct SideBySide {
  sim::ServerSpec replica;
  int replicas = 8;
  int gateways = 1;
  RoutingStrategy strategy = RoutingStrategy::kPrefixCache;
  Duration page_time = std::chrono::milliseconds(20);  // as a real vLLM's takes
  Duration warm_up{};  // what begins in it is served and not counted
  uint64_t seed = 1;
};

struct Measured {
  std::vector<Duration> ttfts;  // of each request, in no order
  uint64_t prompt_tokens = 0;
  uint64_t cached_tokens = 0;  // of them, found in the replicas' caches
  uint64_t pages = 0;
  Duration lasted{};  // after the warm-up
};

// Until every request has ended. REQUIRES: gateways >= 1, replicas >= 1
Measured RunSideBySide(const SideBySide& options, const std::vector<Conversation>& conversations);

}  // namespace gw::bench
