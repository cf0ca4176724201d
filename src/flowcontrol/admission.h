// Admission: may this request be dispatched now, by the pool's saturation and the request's
// criticality? With queueing off this is the inference extension's rule: Critical is always
// admitted; Standard and Sheddable are refused (429) while every endpoint of the pool is saturated.

#pragma once

#include <cstdint>

#include "pool/candidates.h"
#include "pool/pool.h"

namespace gw {

// What an InferenceObjective's priority means with queueing off, which is the extension's rule,
// too: below 0 is sheddable, all else is always admitted.
Criticality CriticalityOf(int priority);

enum class Admission : uint8_t { kAdmitted, kRejectedSaturated };

// The extension's published thresholds.
struct SaturationLimits {
  float waiting_requests_max = 5;
  float kv_cache_utilization_ratio_max = 0.8f;
};

// Saturated: no candidate with fresh metrics has waiting <= waiting_requests_max and KV-cache use
// <= kv_cache_utilization_ratio_max. Others do not count beside them, since scheduling would not
// choose them. Where no metrics are fresh, what we know is our own share: the pool is saturated
// only if something of ours is in flight at every candidate, so that an idle pool takes requests
// whatever has become of its metrics. Candidates none of which was ever scraped are never called
// saturated, nor is an empty list: that there is no endpoint is another refusal.
bool IsSaturated(const Candidates& candidates, const SaturationLimits& limits);
Admission Admit(Criticality criticality, const Candidates& candidates,
                const SaturationLimits& limits);

}  // namespace gw
