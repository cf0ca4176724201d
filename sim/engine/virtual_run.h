// Runs an Engine in virtual time: requests with arrival times in, the times of their tokens out.

#pragma once

#include <span>
#include <vector>

#include "sim/engine/engine.h"

namespace gw::sim {

struct TimedRequest {
  Duration arrival{};  // since the start; ascending
  EngineRequest request;
};

// When things happened to a request, since the start of the run.
struct RequestTimes {
  Duration scheduled{};
  Duration first_token{};
  Duration last_token{};
  uint32_t output_tokens = 0;
};

// Until every request has ended. The ids of the requests must be their indices.
std::vector<RequestTimes> RunInVirtualTime(Engine& engine, std::span<const TimedRequest> requests);

}  // namespace gw::sim
