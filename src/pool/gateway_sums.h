// GatewaySums: what one gateway has at an endpoint, by its own accounting. Gateways that serve the
// same endpoints tell each other these (peers/), so that each decides by the sum of all.

#pragma once

#include <atomic>
#include <cstdint>

#include "base/clock.h"

namespace gw {

class EndpointState;

struct GatewaySums {
  int32_t requests = 0;  // in flight
  int32_t prompts = 0;   // of them, whose first token has not come
  int64_t pending_tokens = 0;
  int64_t decoding_tokens = 0;
  int64_t context_tokens = 0;
  int64_t generated_tokens = 0;
  bool doubted = false;  // it has ejected the endpoint, or hears nothing from it

  bool operator==(const GatewaySums&) const = default;
};

// The sum of what others have there. One writer at a time, `AddOthers`; any thread reads.
struct OtherGateways {
  std::atomic<int32_t> requests{0};
  std::atomic<int32_t> prompts{0};
  std::atomic<int64_t> pending_tokens{0};
  std::atomic<int64_t> decoding_tokens{0};
  std::atomic<int64_t> context_tokens{0};
  std::atomic<int64_t> generated_tokens{0};
  // Of them that doubt it. Hearsay: it costs the endpoint a penalty (pool/health.h) and is a reason
  // to probe it, no more.
  std::atomic<int32_t> doubts{0};

  GatewaySums Load() const;
};

// This gateway's part of the endpoint's accounting. What changes meanwhile may be counted in one of
// them and not yet in another.
GatewaySums OwnSums(const EndpointState& state);
int32_t OwnRequests(const EndpointState& state);  // in flight

// What another gateway has there was `before` and is `after`, of which this one has just heard.
void AddOthers(const GatewaySums& before, const GatewaySums& after, TimePoint now,
               EndpointState* state);

}  // namespace gw
