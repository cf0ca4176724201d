// Health of an endpoint: failures in a row eject it, a probe and then a trial by few requests bring
// it back; and the penalty of what failed lately, which keeps failing fast from looking idle.
//
//   serving --3 failures in a row, or 1 refused connection--> ejected
//   ejected --back-off passed, probe succeeds--> trial        probe fails: twice the back-off
//   trial   --3 successes, or 10 s--> serving       a failure before any: ejected, twice the
//   back-off
//
// A failure is the end of a try, never its first byte: a refused connection, a connect timeout, a
// TLS handshake that comes to nothing, no answer, an answer that is not HTTP or ends early, and a
// status of 5xx other than 501 and 503. A success is an answer that is complete. 501 and 4xx are
// about the request and are successes. 429 and 503 neither count nor end a row: a model server's
// are push-back (pool/pushback.h). An answer that is late is no failure: it waits in a queue. Each
// failure, and each 503, puts the endpoint's health in doubt, which asks for a probe now, as a dead
// engine may say the same as a full queue: if that fails, it ejects.
//
// A success ends the row if it was dispatched after the row's first failure: an endpoint that has
// begun to fail whatever it gets still finishes the long streams that it has, one after the other.
// Where answers are long such a success comes late, so a row does not eject if most of what was
// dispatched meanwhile has not failed: it starts anew with the newest failure.
//
// Ejection is a preference. The endpoints that refuse (nobody listens, no handshake succeeds, or
// the probe fails) are asked when nothing else is left. The others, which take connections and fail
// requests, are asked before that, and also as soon as less than a quarter of the pool would be in
// use otherwise: what fails everywhere alike, such as one client's poisonous requests, must not
// pile all load on a few.
//
// The row of ejections sets the back-off: 1 s, doubled each time, at most 10 s where probes fail (a
// probe costs nothing) and 60 s where the probe succeeds and requests fail (each trial may cost a
// client its answer). While the row lasts one failure is enough. It ends with the first success of
// a request that was dispatched after the return, or after 60 s without a failure. What was
// dispatched before does not end it: a server that is going down still finishes what it has.
//
// In its trial an endpoint that came back gets one request at a time in the first second, two in
// the next, then four and so on, unless the others have nothing left.
//
// Penalty: each failure and each refusal that is no push-back adds a quarter, half of it is gone
// after 5 s, and a success that is not of before the row takes half of the rest. The endpoint's
// score is divided by 1 + penalty, in every profile. What another gateway says of it is worth a
// penalty, too, and a probe, whose answer is our own.
//
// What the gateway itself lacks (descriptors, ports, a route) is not recorded here.
//
// Any thread may call any of these at any time; none blocks.

#pragma once

#include <string_view>

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
  Duration failing_backoff_max = std::chrono::seconds(60);  // the probe succeeds, requests fail
  Duration quiet_time = std::chrono::seconds(60);           // without a failure: the row has ended
};

inline constexpr Duration kTrialStep = std::chrono::seconds(1);  // the limit doubles
inline constexpr Duration kTrialTime = std::chrono::seconds(10);
inline constexpr uint32_t kTrialSuccesses = 3;  // end it sooner
inline constexpr float kPenaltyOfFailure = 0.25f;
inline constexpr float kPenaltyMax = 8;
// While another gateway has ejected the endpoint, or hears nothing from it (EndpointState::others).
inline constexpr float kPenaltyOfHearsay = 1;
inline constexpr Duration kPenaltyHalfLife = std::chrono::seconds(5);

enum class EndpointFailure : uint8_t {
  kNone,
  kConnectRefused,  // nobody listens at the address
  kConnectTimeout,
  kTlsHandshake,  // it came to nothing; no request was sent
  kNoAnswer,      // closed or reset before the answer is complete
  kBadAnswer,     // not HTTP
  kErrorStatus,   // 5xx other than 501 and 503
  kProbe,         // the probe of an endpoint in doubt, or of an ejected one
};
std::string_view NameOf(EndpointFailure failure);  // for logs: "connect_refused"

// A request or a scrape failed. True if this call ejected the endpoint (or, when a back-off had
// passed, ejected it anew): the caller counts it. Failures inside a back-off change nothing, so
// that the many requests of one outage make one ejection.
bool RecordFailure(EndpointState& state, TimePoint now, EndpointFailure failure,
                   const HealthOptions& options = {});
// A request that was dispatched at `dispatched` got a complete answer.
void RecordSuccess(EndpointState& state, TimePoint now, TimePoint dispatched);
// A request was turned away, or could not be brought there: costs share, does not eject.
// `doubt`: a probe is wanted.
void RecordRefusal(EndpointState& state, TimePoint now, bool doubt);
// What a status says: one of the three above. True if it ejected.
bool RecordStatus(EndpointState& state, int status, TimePoint now, TimePoint dispatched);

// A probe is wanted, and nothing more.
void DoubtHealth(EndpointState& state);

// A probe got its answer. True if this brought the endpoint back, to its trial.
bool RecordProbeSuccess(EndpointState& state, TimePoint now);
// A probe failed. True if this ejected the endpoint, anew or for the first time.
bool RecordProbeFailure(EndpointState& state, TimePoint now, const HealthOptions& options = {});
// The probe could not be made for want of something of our own: the next one in backoff_base.
void PostponeProbe(EndpointState& state, TimePoint now, const HealthOptions& options = {});
// True once after something put the endpoint's health in doubt.
bool TakeDoubt(EndpointState& state);

inline bool IsEjected(const EndpointState& state) {
  return state.ejected_until_ns.load(std::memory_order_relaxed) != 0;
}
// It answers nothing (Silence), and is not to have one more request to see whether it does again.
inline bool IsSilent(const EndpointState& state) {
  const uint8_t silence = state.silence.load(std::memory_order_relaxed);
  if (silence == 0) return false;
  const bool may_try = (silence & Silence::kTrial) != 0 && (silence & Silence::kMetrics) == 0;
  return !may_try || OwnRequests(state) > 0;
}
// Ejected, and the back-off has passed.
bool IsProbeDue(const EndpointState& state, TimePoint now);
// Why it was ejected last.
EndpointFailure CauseOf(const EndpointState& state);

// Whether a decision may choose the endpoint; later ones only for want of earlier ones.
enum class Standing : uint8_t {
  kInUse,
  kLimited,  // has as many requests as it takes (pool/pushback.h)
  kPaused,   // wants none for a while (there, too)
  kOnTrial,  // has as many requests as its trial allows
  kFailing,  // ejected, takes connections
  kRefusing  // ejected, does not
};
// Of the endpoints that take connections, at least one in so many is in use: otherwise those that
// are failing are used as well.
inline constexpr size_t kUsableShareOf = 4;
Standing StandingOf(const EndpointState& state, int32_t in_flight, TimePoint now);

// 0 if nothing has failed lately.
float PenaltyOf(const EndpointState& state, TimePoint now);

// backoff_base * 2^(ejections - 1), at most `max`. REQUIRES: ejections > 0
Duration BackoffOf(uint32_t ejections, Duration base, Duration max);

}  // namespace gw
