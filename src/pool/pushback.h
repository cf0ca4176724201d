// Push-back: a model server's own 429 and 503 say that it has as many requests as it takes. That is
// no failure (pool/health.h): it costs the endpoint share, never its place.
//
// Pause: until the answer's Retry-After is over the endpoint takes no more requests, unless the
// pool has no other.
//
// Share: the requests of ours that may be in flight there, by additive increase and multiplicative
// decrease, which comes to an even split of the endpoint's room between gateways that do not know
// of each other (Chiu and Jain, "Analysis of the Increase and Decrease Algorithms for Congestion
// Avoidance in Computer Networks", Computer Networks and ISDN Systems 17, 1989):
//
//   pushed back              allowed = max(1, floor(3/4 * in flight)), if that is less than before
//   `allowed` successes      allowed = allowed + 1
//
// As in TCP a round counts once: what was under way when the share shrank tells of the load before,
// and neither shrinks nor grows it. A share of one request cannot shrink; if that is refused, too,
// and no Retry-After says for how long, the endpoint pauses, twice as long each time, as TCP's
// timer does. Otherwise it would look idle and be asked for each request anew.
//
// The limit is gone when it has grown to twice what is in flight, so that it holds nothing back, or
// when nothing was pushed back for a minute.
//
// Any thread may call any of these at any time; none blocks.

#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "pool/endpoint.h"

namespace gw {

inline constexpr Duration kRetryAfterMax = std::chrono::seconds(60);  // more is taken as that
inline constexpr Duration kShareTime = std::chrono::seconds(60);
// A smaller limit is kept however little is in flight: of one or two that says nothing.
inline constexpr int32_t kShareKeptBelow = 8;
inline constexpr Duration kPauseFirst = std::chrono::milliseconds(100);
inline constexpr Duration kPauseMax = std::chrono::seconds(5);

inline bool IsPushback(int status) { return status == 429 || status == 503; }

// What may be in flight after a push-back, `in_flight` being what is, the refused one included.
// `allowed`: before; 0: there was no limit.
int32_t ShrunkShare(int32_t allowed, int32_t in_flight);
// One more; 0: the limit is gone.
int32_t GrownShare(int32_t allowed, int32_t in_flight);
// The pause of a share that cannot shrink, after so many of them in a row.
Duration PauseAfter(uint32_t pauses);

// A request that was dispatched at `dispatched` was refused, and is still in flight.
void RecordPushback(EndpointState& state, TimePoint now, TimePoint dispatched,
                    std::optional<Duration> retry_after);
// One was served, and is still in flight.
void RecordServed(EndpointState& state, TimePoint now, TimePoint dispatched);

struct Share {
  int32_t allowed = 0;    // 0: no limit
  Duration paused_for{};  // 0: it does not pause

  bool is_limited() const { return allowed != 0 || paused_for > Duration::zero(); }
  bool is_used_up(int32_t in_flight) const { return allowed != 0 && in_flight >= allowed; }
};
Share ShareOf(const EndpointState& state, TimePoint now);

}  // namespace gw
