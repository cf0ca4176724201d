// Admission: may this request be dispatched now, by the pool's saturation and the request's
// criticality? With queueing off this is the inference extension's rule: Critical is always
// admitted; Standard and Sheddable are refused (429) while every endpoint of the pool is saturated.

#pragma once

#include <cstdint>
#include <optional>

#include "pool/candidates.h"
#include "pool/pool.h"

namespace gw {

// What an InferenceObjective's priority means with queueing off, which is the extension's rule,
// too: below 0 is sheddable, all else is always admitted.
Criticality CriticalityOf(int priority);
// And what a criticality means with queueing on.
int PriorityOf(Criticality criticality);

enum class Admission : uint8_t { kAdmitted, kRejectedSaturated };

// Of each endpoint. The defaults are the extension's published thresholds.
struct SaturationLimits {
  float waiting_requests_max = 5;
  float kv_cache_utilization_ratio_max = 0.8f;
  // That are there at once, ours and others' that the metrics show; nullopt: as many as it takes.
  std::optional<int64_t> requests_max = std::nullopt;

  bool operator==(const SaturationLimits&) const = default;
};

// How many more requests the candidates take until all of them are saturated; 0: they are. Capped
// at kRoomMax. One has room while waiting <= waiting_requests_max and KV-cache use <=
// kv_cache_utilization_ratio_max, by fresh metrics. What has come and gone of our own since its
// page is added to what the page said, so that it moves with each dispatch and each end and a burst
// between two scrapes does not pass it: requests that have come wait, unless the endpoint ran more
// than it does now when none waited.
//
// `kept_free`: places of each candidate that are another one's, so that it is full so many earlier.
//
// Candidates without fresh metrics do not count beside others, since scheduling would not choose
// them. Where no metrics are fresh, what we know is our own share: each candidate at which nothing
// of ours is in flight takes one, so that an idle pool takes requests whatever has become of its
// metrics, and none is kept free. An endpoint that has pushed back (pool/pushback.h) has no more
// room than its share, and none while it pauses, whatever its metrics say. Else candidates none of
// which was ever scraped are never called saturated but by requests_max, nor is an empty list: that
// there is no endpoint is another refusal.
inline constexpr int64_t kRoomMax = int64_t{1} << 32;
int64_t RoomOf(const Candidates& candidates, const SaturationLimits& limits, TimePoint now,
               int64_t kept_free = 0);
inline bool IsSaturated(const Candidates& candidates, const SaturationLimits& limits,
                        TimePoint now) {
  return RoomOf(candidates, limits, now) == 0;
}
Admission Admit(Criticality criticality, const Candidates& candidates,
                const SaturationLimits& limits, TimePoint now);

}  // namespace gw
