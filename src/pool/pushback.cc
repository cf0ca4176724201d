#include "pool/pushback.h"

#include <algorithm>
#include <limits>

namespace gw {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

int64_t Nanos(TimePoint time) { return time.time_since_epoch().count(); }

// Never back: of two answers the one that wants the longer pause counts.
void PauseUntil(EndpointState& state, TimePoint until) {
  int64_t paused_until = state.pushback.paused_until_ns.load(kRelaxed);
  while (paused_until < Nanos(until) && !state.pushback.paused_until_ns.compare_exchange_weak(
                                            paused_until, Nanos(until), kRelaxed)) {
  }
}

// Another thread's `now` may be ahead of ours.
int32_t AllowedOf(const EndpointState& state, TimePoint now) {
  const int32_t allowed = state.pushback.allowed.load(kRelaxed);
  const int64_t since = Nanos(now) - state.pushback.last_at_ns.load(kRelaxed);
  return since >= kShareTime.count() ? 0 : allowed;
}

}  // namespace

int32_t ShrunkShare(int32_t allowed, int32_t in_flight) {
  const auto most = static_cast<int32_t>(int64_t{std::max(in_flight, 0)} * 3 / 4);
  const int32_t shrunk = std::max(1, most);
  return allowed == 0 ? shrunk : std::min(allowed, shrunk);
}

int32_t GrownShare(int32_t allowed, int32_t in_flight) {
  if (allowed == std::numeric_limits<int32_t>::max()) return 0;
  const int32_t grown = allowed + 1;
  const bool holds_nothing_back = grown >= kShareKeptBelow && grown / 2 >= in_flight;
  return holds_nothing_back ? 0 : grown;
}

Duration PauseAfter(uint32_t pauses) {
  Duration pause = kPauseFirst;
  for (uint32_t i = 0; i < pauses && pause < kPauseMax; ++i) pause *= 2;
  return std::min(pause, kPauseMax);
}

void RecordPushback(EndpointState& state, TimePoint now, TimePoint dispatched,
                    std::optional<Duration> retry_after) {
  const bool says_when = retry_after && *retry_after > Duration::zero();
  if (says_when) PauseUntil(state, now + std::min(*retry_after, kRetryAfterMax));
  const int32_t before = AllowedOf(state, now);
  state.pushback.last_at_ns.store(Nanos(now), kRelaxed);
  state.ever_pushed_back.store(true, kRelaxed);
  int64_t shrunk_at = state.pushback.shrunk_at_ns.load(kRelaxed);
  if (Nanos(dispatched) <= shrunk_at) return;
  // Of the threads that are refused at the same time one shrinks it.
  if (!state.pushback.shrunk_at_ns.compare_exchange_strong(shrunk_at, Nanos(now))) return;
  const int32_t in_flight = OwnRequests(state);
  state.pushback.successes.store(0, kRelaxed);
  state.pushback.allowed.store(ShrunkShare(before, in_flight), kRelaxed);
  if (before != 1 || in_flight > 1 || says_when) return;
  PauseUntil(state, now + PauseAfter(state.pushback.pauses.fetch_add(1, kRelaxed)));
}

void RecordServed(EndpointState& state, TimePoint now, TimePoint dispatched) {
  if (!state.ever_pushed_back.load(kRelaxed)) return;
  int32_t allowed = AllowedOf(state, now);
  if (allowed == 0 || Nanos(dispatched) <= state.pushback.shrunk_at_ns.load(kRelaxed)) return;
  state.pushback.pauses.store(0, kRelaxed);
  const uint32_t successes = state.pushback.successes.fetch_add(1, kRelaxed) + 1;
  if (successes < static_cast<uint32_t>(allowed)) return;
  state.pushback.successes.store(0, kRelaxed);
  const int32_t in_flight = OwnRequests(state);
  // Unless it has shrunk meanwhile.
  state.pushback.allowed.compare_exchange_strong(allowed, GrownShare(allowed, in_flight), kRelaxed);
}

Share ShareOf(const EndpointState& state, TimePoint now) {
  if (!state.ever_pushed_back.load(kRelaxed)) return {};
  const int64_t pause = state.pushback.paused_until_ns.load(kRelaxed) - Nanos(now);
  return {AllowedOf(state, now), Duration(std::max<int64_t>(0, pause))};
}

}  // namespace gw
