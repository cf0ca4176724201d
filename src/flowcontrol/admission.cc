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

// By its page, less what has ended of ours since, and more what has come.
int64_t RoomAt(const Candidates& candidates, size_t row, const SaturationLimits& limits) {
  int64_t room = kRoomMax;
  float waiting = candidates.waiting_requests()[row];
  float kv_cache = candidates.kv_cache_utilization_ratios()[row];
  if (candidates.endpoints()[row] != nullptr) {
    const EndpointState& state = *candidates.endpoints()[row]->state;
    // It ran more when none waited: so many may come before one does.
    const float spare = waiting > 0 ? 0
                                    : std::max(0.0f, state.running_requests_peak.load(kRelaxed) -
                                                         state.running_requests.load(kRelaxed));
    const float came = CameSince(candidates, row, state);
    if (limits.requests_max) {
      const float here = state.running_requests.load(kRelaxed) + waiting + came;
      room = *limits.requests_max - static_cast<int64_t>(std::ceil(here));
    }
    waiting += came - spare;
    kv_cache = KvCacheNow(kv_cache, state);
  }
  if (waiting > limits.waiting_requests_max || kv_cache > limits.kv_cache_utilization_ratio_max) {
    return 0;
  }
  return std::min(room,
                  static_cast<int64_t>(std::floor(limits.waiting_requests_max - waiting)) + 1);
}

// By what is in flight of ours, whatever its page says.
int64_t RoomByOwn(const Candidates& candidates, size_t row, const SaturationLimits& limits,
                  TimePoint now) {
  const int64_t in_flight = candidates.in_flight_requests()[row];
  int64_t room = limits.requests_max ? *limits.requests_max - in_flight : kRoomMax;
  if (candidates.endpoints()[row] != nullptr) {
    const EndpointState& state = *candidates.endpoints()[row]->state;
    const Share share = ShareOf(state, now);
    if (share.paused_for > Duration::zero()) return 0;
    // A share is this gateway's own.
    const int64_t own = in_flight - state.others.requests.load(kRelaxed);
    if (share.allowed != 0) room = std::min(room, share.allowed - own);
  }
  return std::max<int64_t>(0, room);
}

int64_t Less(int64_t room, int64_t kept_free) {
  return room == kRoomMax ? room : std::max<int64_t>(0, room - kept_free);
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

int64_t RoomOf(const Candidates& candidates, const SaturationLimits& limits, TimePoint now,
               int64_t kept_free) {
  bool any_fresh = false;
  bool any_scraped = false;
  int64_t room = 0;
  int64_t unused = 0;
  int64_t by_own = 0;
  for (size_t i = 0; i < candidates.size(); ++i) {
    any_scraped |= candidates.metrics_ages()[i] != Duration::max();
    const int64_t own = RoomByOwn(candidates, i, limits, now);
    by_own += Less(own, kept_free);
    unused += candidates.in_flight_requests()[i] <= 0 && own > 0 ? 1 : 0;
    if (candidates.metrics_fresh()[i] == 0) continue;
    any_fresh = true;
    room += Less(std::min(RoomAt(candidates, i, limits), own), kept_free);
  }
  if (any_fresh) return std::min(room, kRoomMax);
  // Endpoints that never showed metrics say nothing about their load; to refuse for their silence
  // would refuse everything in front of a model server that has no metrics.
  if (any_scraped) return unused;
  return candidates.empty() ? kRoomMax : std::min(by_own, kRoomMax);
}

Admission Admit(Criticality criticality, const Candidates& candidates,
                const SaturationLimits& limits, TimePoint now) {
  if (criticality == Criticality::kCritical) return Admission::kAdmitted;
  return IsSaturated(candidates, limits, now) ? Admission::kRejectedSaturated
                                              : Admission::kAdmitted;
}

}  // namespace gw
