// A pool whose endpoints' states are set by hand, for tests and benchmarks of whole decisions.

#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "pool/pool.h"

namespace gw {

struct TestPool {
  explicit TestPool(size_t count) {
    for (size_t i = 0; i < count; ++i) Add("e" + std::to_string(i));
  }

  EndpointState& Add(std::string name) {
    const size_t i = pool.endpoints.size();
    Endpoint endpoint;
    endpoint.ns = "default";
    endpoint.name = std::move(name);
    endpoint.ip = "10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250 + 1);
    endpoint.port = 8000;
    endpoint.address = endpoint.ip + ":8000";
    endpoint.state = std::make_shared<EndpointState>(static_cast<uint32_t>(i));
    endpoint.state->scraped_at_ns = clock.Now().time_since_epoch().count();
    pool.endpoints.push_back(std::move(endpoint));
    return *pool.endpoints.back().state;
  }
  EndpointState& state(size_t i) { return *pool.endpoints[i].state; }
  TimePoint now() const { return clock.Now(); }

  ManualClock clock;
  Pool pool;
};

}  // namespace gw
