// Health of an endpoint: failures in a row eject it, a successful probe brings it back.
//
//   serving --failures in a row--> ejected --back-off passed--> probe due --probe succeeds-->
//   serving
//                                     ^                              |
//                                     +------- probe fails: twice the back-off
//
// While it is ejected an endpoint gets requests only if nothing else is left. A request that
// succeeds then, or one that began before, does not bring it back: a server that is going down
// still finishes what it has. The row of ejections, which sets the back-off, ends with the first
// request that succeeds after the return, so that a server whose probe succeeds but whose requests
// fail backs off further each time.
//
// What counts is the failure to get an answer at all, seen by the gateway itself: connection
// refused, connect timeout, connection reset or closed before the first byte of the answer (but not
// on a keep-alive connection that had been idle: model servers may close those). What a model
// server answers never counts, 4xx as little as its own 500 or 503: the latter are back-pressure,
// and taking the endpoint away would send its load to the others. An answer that is late does not
// count either: it waits in a queue; a server that hangs shows in the age of its metrics.
//
// Any thread may call any of these at any time; none blocks.

#pragma once

#include "base/clock.h"
#include "pool/endpoint.h"

namespace gw {

struct HealthOptions {
  uint32_t failures_in_row_max = 3;  // this many eject
  // A refused connection is the kernel's own word that nobody listens: one is enough.
  uint32_t refusals_in_row_max = 1;
  Duration backoff_base = std::chrono::seconds(1);  // of the first ejection; doubles with each
  // A probe costs next to nothing, a replica that is ready and not used costs its GPU.
  Duration backoff_max = std::chrono::seconds(10);
};

enum class EndpointFailure : uint8_t {
  kNoAnswer,        // connect timeout, reset or closed before the answer is complete
  kConnectRefused,  // nobody listens at the address
};

// A request or probe got no answer. True if this call ejected the endpoint (or, when a back-off had
// passed, ejected it anew): the caller counts it. Failures inside a back-off change nothing, so
// that the many requests of one outage make one ejection.
bool RecordFailure(EndpointState& state, TimePoint now,
                   EndpointFailure failure = EndpointFailure::kNoAnswer,
                   const HealthOptions& options = {});

// A request got an answer.
void RecordSuccess(EndpointState& state);

// A probe got its answer. True if this brought the endpoint back.
bool RecordProbeSuccess(EndpointState& state);

inline bool IsEjected(const EndpointState& state) {
  return state.ejected_until_ns.load(std::memory_order_relaxed) != 0;
}
// It answers nothing (Silence), and is not to have one more request to see whether it does again.
inline bool IsSilent(const EndpointState& state) {
  const uint8_t silence = state.silence.load(std::memory_order_relaxed);
  if (silence == 0) return false;
  const bool may_try = (silence & Silence::kTrial) != 0 && (silence & Silence::kMetrics) == 0;
  return !may_try || state.in_flight_requests.load(std::memory_order_relaxed) > 0;
}
// Ejected, and the back-off has passed.
bool IsProbeDue(const EndpointState& state, TimePoint now);

// backoff_base * 2^(ejections - 1), at most backoff_max. REQUIRES: ejections > 0
Duration BackoffOf(uint32_t ejections, const HealthOptions& options);

}  // namespace gw
