// EndpointView: one sample of one endpoint, taken once per decision.

#pragma once

#include <cstdint>

#include "base/clock.h"
#include "pool/endpoint.h"

namespace gw {

// One sample of one candidate. All scorers of a decision see the same one.
struct EndpointView {
  const Endpoint* endpoint = nullptr;
  uint32_t slot = 0;
  int32_t in_flight_requests = 0;
  int64_t pending_prompt_tokens = 0;
  float waiting_requests = 0;
  float foreign_requests = 0;
  float kv_cache_utilization_ratio = 0;
  float penalty = 0;  // of what failed there lately: the score is divided by 1 + penalty
  Duration metrics_age{0};
  bool metrics_fresh = false;  // scraped within the pool's limit, or as late as we pace it
  LoraAffinity lora = LoraAffinity::kNotLora;
  uint32_t prefix_hit_blocks = 0;  // leading blocks of the prompt it is believed to hold
  uint32_t prefix_hit_tokens = 0;  // about as many tokens of the prompt
};

}  // namespace gw
