#include "flowcontrol/admission.h"

#include <algorithm>
#include <cmath>

#include "pool/pushback.h"

namespace gw {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

// Own requests that have come since the page, less those that have ended.
float CameSince(const Candidates& candidates, size_t row, const EndpointState& state) {
  return static_cast<float>(candidates.in_flight_requests()[row] -
                            state.scraped_in_flight.load(kRelaxed));
}

// With the tokens of our own that have come since the page, or gone.
float KvCacheNow(float scraped, const EndpointState& state) {
  const auto tokens = static_cast<float>(state.cache_blocks.load(kRelaxed)) *
                      static_cast<float>(state.cache_block_tokens.load(kRelaxed));
  if (tokens == 0) return scraped;
  const int64_t came = state.own_tokens() - state.scraped_tokens.load(kRelaxed);
  return scraped + static_cast<float>(came) / tokens;
}

int64_t RoomAt(const Candidates& candidates, size_t row, const SaturationLimits& limits) {
  float waiting = candidates.waiting_requests()[row];
  float kv_cache = candidates.kv_cache_utilization_ratios()[row];
  if (candidates.endpoints()[row] != nullptr) {
    const EndpointState& state = *candidates.endpoints()[row]->state;
    // It ran more when none waited: so many may come before one does.
    const float spare = waiting > 0 ? 0
                                    : std::max(0.0f, state.running_requests_peak.load(kRelaxed) -
                                                         state.running_requests.load(kRelaxed));
    waiting += CameSince(candidates, row, state) - spare;
    kv_cache = KvCacheNow(kv_cache, state);
  }
  if (waiting > limits.waiting_requests_max || kv_cache > limits.kv_cache_utilization_ratio_max) {
    return 0;
  }
  return static_cast<int64_t>(std::floor(limits.waiting_requests_max - waiting)) + 1;
}

int64_t RoomOfShare(const Candidates& candidates, size_t row, TimePoint now) {
  if (candidates.endpoints()[row] == nullptr) return kRoomMax;
  const Share share = ShareOf(*candidates.endpoints()[row]->state, now);
  if (share.paused_for > Duration::zero()) return 0;
  if (share.allowed == 0) return kRoomMax;
  return std::max<int64_t>(0, share.allowed - candidates.in_flight_requests()[row]);
}

}  // namespace

Criticality CriticalityOf(int priority) {
  return priority < 0 ? Criticality::kSheddable : Criticality::kCritical;
}

int PriorityOf(Criticality criticality) {
  switch (criticality) {
    case Criticality::kCritical:
      return 1;
    case Criticality::kStandard:
      return 0;
    case Criticality::kSheddable:
      return -1;
  }
  return 0;
}

int64_t RoomOf(const Candidates& candidates, const SaturationLimits& limits, TimePoint now) {
  bool any_fresh = false;
  bool any_scraped = false;
  int64_t room = 0;
  int64_t unused = 0;
  int64_t shares = 0;
  for (size_t i = 0; i < candidates.size(); ++i) {
    any_scraped |= candidates.metrics_ages()[i] != Duration::max();
    const int64_t share = RoomOfShare(candidates, i, now);
    shares += share;
    unused += candidates.in_flight_requests()[i] <= 0 && share > 0 ? 1 : 0;
    if (candidates.metrics_fresh()[i] == 0) continue;
    any_fresh = true;
    room += std::min(RoomAt(candidates, i, limits), share);
  }
  if (any_fresh) return std::min(room, kRoomMax);
  // Endpoints that never showed metrics say nothing about their load; to refuse for their silence
  // would refuse everything in front of a model server that has no metrics.
  if (any_scraped) return unused;
  return candidates.empty() ? kRoomMax : std::min(shares, kRoomMax);
}

Admission Admit(Criticality criticality, const Candidates& candidates,
                const SaturationLimits& limits, TimePoint now) {
  if (criticality == Criticality::kCritical) return Admission::kAdmitted;
  return IsSaturated(candidates, limits, now) ? Admission::kRejectedSaturated
                                              : Admission::kAdmitted;
}

}  // namespace gw
