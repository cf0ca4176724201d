#include "pool/health.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/check.h"
#include "pool/pushback.h"

namespace gw {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

// A penalty and the time it is of, in one word, so that adding needs no lock: the float's bits, and
// tenths of a second in 32 bits (13 years).
constexpr int64_t kTickNs = 100'000'000;
constexpr float kNegligible = 0.01f;

uint32_t TickOf(TimePoint now) {
  return static_cast<uint32_t>(now.time_since_epoch().count() / kTickNs);
}

uint64_t Pack(float penalty, uint32_t tick) {
  return static_cast<uint64_t>(std::bit_cast<uint32_t>(penalty)) << 32 | tick;
}

float Decayed(uint64_t packed, uint32_t tick) {
  if (packed == 0) return 0;
  // Another thread's `now` may be a tick ahead of ours.
  const auto ticks = static_cast<int32_t>(tick - static_cast<uint32_t>(packed));
  const float half_lives = static_cast<float>(std::max(ticks, 0)) * static_cast<float>(kTickNs) /
                           static_cast<float>(kPenaltyHalfLife.count());
  const float left =
      std::bit_cast<float>(static_cast<uint32_t>(packed >> 32)) * std::exp2(-half_lives);
  return left < kNegligible ? 0 : left;
}

void ChangePenalty(EndpointState& state, TimePoint now, float times, float plus) {
  const uint32_t tick = TickOf(now);
  if (plus > 0) state.ever_failed.store(true, kRelaxed);
  uint64_t packed = state.penalty.load(kRelaxed);
  uint64_t next;
  do {
    const float penalty = std::min(Decayed(packed, tick) * times + plus, kPenaltyMax);
    next = penalty < kNegligible ? 0 : Pack(penalty, tick);
  } while (!state.penalty.compare_exchange_weak(packed, next, kRelaxed));
}

bool IsHard(EndpointFailure failure) {
  return failure == EndpointFailure::kConnectRefused ||
         failure == EndpointFailure::kConnectTimeout || failure == EndpointFailure::kTlsHandshake ||
         failure == EndpointFailure::kProbe;
}

// Of the threads that see the same outage, the one that moves ejected_until_ns ejects; the others
// find it in the future and have nothing to do.
bool Eject(EndpointState& state, int64_t seen_until_ns, int64_t now_ns, EndpointFailure failure,
           const HealthOptions& options) {
  const uint32_t ejections = state.ejections.load(kRelaxed) + 1;
  state.ever_failed.store(true, kRelaxed);
  const Duration max = IsHard(failure) ? options.backoff_max : options.failing_backoff_max;
  const int64_t until_ns = now_ns + BackoffOf(ejections, options.backoff_base, max).count();
  if (!state.ejected_until_ns.compare_exchange_strong(seen_until_ns, until_ns)) return false;
  state.ejections.store(ejections, kRelaxed);
  state.ejection_cause.store(static_cast<uint8_t>(failure), kRelaxed);
  state.consecutive_failures.store(0, kRelaxed);
  state.health_doubted.store(false, kRelaxed);
  state.returned_at_ns.store(0, kRelaxed);
  return true;
}

// Unless it is back from an ejection and has as many requests as its trial allows.
bool MayTry(const EndpointState& state, int32_t in_flight, TimePoint now) {
  const int64_t returned_ns = state.returned_at_ns.load(kRelaxed);
  if (returned_ns == 0) return true;
  // Another thread's `now` may be ahead of ours.
  const int64_t since_ns = std::max<int64_t>(0, now.time_since_epoch().count() - returned_ns);
  if (since_ns >= kTrialTime.count()) return true;
  return in_flight < 1 << (since_ns / kTrialStep.count());
}

// The failures in a row, this one included: 1 if the row starts anew with it.
uint32_t CountInRow(EndpointState& state, int64_t now_ns, uint32_t failures_max) {
  uint32_t failures = state.consecutive_failures.fetch_add(1, kRelaxed) + 1;
  const uint64_t dispatched = state.dispatched_requests.load(kRelaxed);
  const uint64_t since = dispatched - state.row_dispatched.load(kRelaxed);
  if (failures >= failures_max && since > 2 * uint64_t{failures}) {
    failures = 1;
    state.consecutive_failures.store(1, kRelaxed);
  }
  if (failures == 1) {
    state.row_began_ns.store(now_ns, kRelaxed);
    state.row_dispatched.store(dispatched, kRelaxed);
  }
  return failures;
}

}  // namespace

std::string_view NameOf(EndpointFailure failure) {
  switch (failure) {
    case EndpointFailure::kNone:
      return "none";
    case EndpointFailure::kConnectRefused:
      return "connect_refused";
    case EndpointFailure::kConnectTimeout:
      return "connect_timeout";
    case EndpointFailure::kTlsHandshake:
      return "tls_handshake";
    case EndpointFailure::kNoAnswer:
      return "no_answer";
    case EndpointFailure::kBadAnswer:
      return "bad_answer";
    case EndpointFailure::kErrorStatus:
      return "error_status";
    case EndpointFailure::kProbe:
      return "probe_failed";
  }
  CHECK(false);
}

Duration BackoffOf(uint32_t ejections, Duration base, Duration max) {
  CHECK(ejections > 0);
  Duration backoff = base;
  for (uint32_t i = 1; i < ejections && backoff < max; ++i) backoff *= 2;
  return std::min(backoff, max);
}

bool RecordFailure(EndpointState& state, TimePoint now, EndpointFailure failure,
                   const HealthOptions& options) {
  const int64_t now_ns = now.time_since_epoch().count();
  state.failures.fetch_add(1, kRelaxed);
  ChangePenalty(state, now, 1, kPenaltyOfFailure);
  const int64_t until_ns = state.ejected_until_ns.load(kRelaxed);
  if (until_ns > now_ns) return false;
  if (until_ns == 0) {
    const int64_t returned_ns = state.returned_at_ns.load(kRelaxed);
    if (returned_ns != 0 && now_ns - returned_ns >= options.quiet_time.count()) {
      state.ejections.store(0, kRelaxed);
      state.returned_at_ns.store(0, kRelaxed);
    }
    const uint32_t failures_max = failure == EndpointFailure::kConnectRefused
                                      ? options.refusals_in_row_max
                                      : options.failures_in_row_max;
    const uint32_t failures = CountInRow(state, now_ns, failures_max);
    const bool on_probation = state.ejections.load(kRelaxed) != 0;
    if (!on_probation && failures < failures_max) {
      state.health_doubted.store(true, kRelaxed);
      return false;
    }
  }
  return Eject(state, until_ns, now_ns, failure, options);
}

void RecordSuccess(EndpointState& state, TimePoint now, TimePoint dispatched) {
  const int64_t dispatched_ns = dispatched.time_since_epoch().count();
  // Loads first: in the common case the line is only read, and stays shared between the workers.
  if (state.consecutive_failures.load(kRelaxed) != 0) {
    if (dispatched_ns < state.row_began_ns.load(kRelaxed)) return;
    state.consecutive_failures.store(0, kRelaxed);
  }
  if (state.penalty.load(kRelaxed) != 0) ChangePenalty(state, now, 0.5f, 0);
  const int64_t returned_ns = state.returned_at_ns.load(kRelaxed);
  if (returned_ns == 0 || dispatched_ns < returned_ns) return;
  state.ejections.store(0, kRelaxed);
  if (state.trial_successes.fetch_add(1, kRelaxed) + 1 >= kTrialSuccesses) {
    state.returned_at_ns.store(0, kRelaxed);
  }
}

void RecordRefusal(EndpointState& state, TimePoint now, bool doubt) {
  ChangePenalty(state, now, 1, kPenaltyOfFailure);
  if (doubt) DoubtHealth(state);
}

void DoubtHealth(EndpointState& state) {
  if (!IsEjected(state)) state.health_doubted.store(true, kRelaxed);
}

bool RecordStatus(EndpointState& state, int status, TimePoint now, TimePoint dispatched) {
  switch (status) {
    case 503:
      RecordRefusal(state, now, true);
      return false;
    // The replica may well be wrong rather than the client: it has not that model, or other keys.
    // Said at once, to all, it would draw all of the traffic.
    case 401:
    case 403:
    case 404:
    case 408:
    case 429:
      RecordRefusal(state, now, false);
      return false;
    case 501:
      break;
    default:
      if (status >= 500) return RecordFailure(state, now, EndpointFailure::kErrorStatus);
  }
  RecordSuccess(state, now, dispatched);
  return false;
}

bool RecordProbeSuccess(EndpointState& state, TimePoint now) {
  if (!IsEjected(state)) return false;
  state.trial_successes.store(0, kRelaxed);
  state.penalty.store(0, kRelaxed);  // idle, it is what the next decision tries
  state.returned_at_ns.store(now.time_since_epoch().count(), kRelaxed);
  return state.ejected_until_ns.exchange(0) != 0;
}

bool RecordProbeFailure(EndpointState& state, TimePoint now, const HealthOptions& options) {
  const int64_t now_ns = now.time_since_epoch().count();
  const int64_t until_ns = state.ejected_until_ns.load(kRelaxed);
  if (until_ns > now_ns) return false;
  return Eject(state, until_ns, now_ns, EndpointFailure::kProbe, options);
}

void PostponeProbe(EndpointState& state, TimePoint now, const HealthOptions& options) {
  int64_t until_ns = state.ejected_until_ns.load(kRelaxed);
  if (until_ns == 0) return;
  state.ejected_until_ns.compare_exchange_strong(
      until_ns, (now + options.backoff_base).time_since_epoch().count());
}

bool TakeDoubt(EndpointState& state) {
  return state.health_doubted.load(kRelaxed) && state.health_doubted.exchange(false);
}

bool IsProbeDue(const EndpointState& state, TimePoint now) {
  const int64_t until_ns = state.ejected_until_ns.load(kRelaxed);
  return until_ns != 0 && now.time_since_epoch().count() >= until_ns;
}

EndpointFailure CauseOf(const EndpointState& state) {
  return static_cast<EndpointFailure>(state.ejection_cause.load(kRelaxed));
}

Standing StandingOf(const EndpointState& state, int32_t in_flight, TimePoint now) {
  if (IsEjected(state)) return IsHard(CauseOf(state)) ? Standing::kRefusing : Standing::kFailing;
  if (!MayTry(state, in_flight, now)) return Standing::kOnTrial;
  const Share share = ShareOf(state, now);
  if (share.paused_for > Duration::zero()) return Standing::kPaused;
  return share.is_used_up(in_flight) ? Standing::kLimited : Standing::kInUse;
}

float PenaltyOf(const EndpointState& state, TimePoint now) {
  const uint64_t packed = state.penalty.load(kRelaxed);
  const float own = packed == 0 ? 0 : Decayed(packed, TickOf(now));
  return state.others.doubts.load(kRelaxed) > 0 ? std::max(own, kPenaltyOfHearsay) : own;
}

}  // namespace gw
