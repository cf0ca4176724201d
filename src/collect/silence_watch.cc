#include "collect/silence_watch.h"

#include <algorithm>
#include <utility>

namespace gw {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

uint8_t SilenceOf(const EndpointState& state) { return state.silence.load(kRelaxed); }

template <typename Value>
void Insert(Value value, Value* two) {
  if (value > two[0]) {
    two[1] = two[0];
    two[0] = value;
  } else if (value > two[1]) {
    two[1] = value;
  }
}

// The largest of the others.
template <typename Value>
Value Without(Value own, const Value* two) {
  return own == two[0] ? two[1] : two[0];
}

}  // namespace

void SilenceWatch::Watch(Subject subject) {
  watched_[subject.state.get()].subject = std::move(subject);
}

void SilenceWatch::Forget(const EndpointState* state) {
  const auto it = watched_.find(state);
  if (it == watched_.end()) return;
  Set(it->second, 0, TimePoint());
  watched_.erase(it);
}

void SilenceWatch::Look(TimePoint now, const Tell& tell) {
  const bool window_ends = now - window_began_ >= kWindow;
  if (window_ends) window_began_ = now;
  std::unordered_map<std::string_view, Peers> pools;
  int64_t newest_page_ns = 0;
  for (auto& [state, watched] : watched_) {
    Refresh(watched, now, window_ends);
    Peers& peers = pools[watched.subject.pool_id];
    Insert(std::max(watched.longest, watched.longest_before), peers.longest);
    Insert(watched.answered_at, peers.answered_at);
    newest_page_ns = std::max(newest_page_ns, watched.subject.state->scraped_at_ns.load(kRelaxed));
  }
  for (auto& [state, watched] : watched_) {
    LookAtMetrics(watched, newest_page_ns, tell);
    LookAtRequests(watched, pools[watched.subject.pool_id], now, tell);
    Set(watched, SilenceOf(*watched.subject.state), now);
  }
}

void SilenceWatch::Refresh(Watched& watched, TimePoint now, bool window_ends) {
  EndpointState& state = *watched.subject.state;
  const Duration longest(state.first_byte_ns_longest.exchange(0, kRelaxed));
  if (window_ends) watched.longest_before = std::exchange(watched.longest, Duration(0));
  watched.longest = std::max(watched.longest, longest);
  const uint64_t first_bytes = state.first_bytes.load(kRelaxed);
  const bool answered = first_bytes != watched.first_bytes;
  watched.first_bytes = first_bytes;
  if (answered) watched.answered_at = now;
  if (answered || state.awaiting_requests.load(kRelaxed) == 0) watched.quiet_since = now;
}

void SilenceWatch::LookAtMetrics(Watched& watched, int64_t newest_page_ns, const Tell& tell) {
  EndpointState& state = *watched.subject.state;
  const uint32_t unanswered = state.unanswered_scrapes.load(kRelaxed);
  const uint8_t silence = SilenceOf(state);
  const bool is_silent = (silence & Silence::kMetrics) != 0;
  if (unanswered == 0) {
    watched.page_before_ns = newest_page_ns;
    if (!is_silent) return;
    state.silence.store(silence & ~Silence::kMetrics, kRelaxed);
    tell(watched.subject, Silence::kMetrics, false);
    return;
  }
  // Where nobody answers, the trouble is most likely between us and all of them.
  if (is_silent || unanswered < options_.silent_scrapes) return;
  if (newest_page_ns <= watched.page_before_ns) return;
  state.silence.store(silence | Silence::kMetrics, kRelaxed);
  tell(watched.subject, Silence::kMetrics, true);
}

void SilenceWatch::LookAtRequests(Watched& watched, const Peers& peers, TimePoint now,
                                  const Tell& tell) {
  EndpointState& state = *watched.subject.state;
  const uint8_t silence = SilenceOf(state);
  const uint8_t others = silence & Silence::kMetrics;
  const bool is_silent = (silence & Silence::kRequests) != 0;
  if (is_silent && watched.answered_at == now) {
    state.silence.store(others, kRelaxed);
    tell(watched.subject, Silence::kRequests, false);
    return;
  }
  const Duration longest =
      Without(std::max(watched.longest, watched.longest_before), peers.longest);
  const Duration limit =
      std::max(options_.silent_after, longest * static_cast<int>(options_.silent_peer_factor));
  const bool is_trial = (silence & Silence::kTrial) != 0;
  if (is_silent && !is_trial) {
    const bool rests = state.awaiting_requests.load(kRelaxed) == 0;
    if (rests && now - watched.silent_at >= watched.trial) {
      state.silence.store(silence | Silence::kTrial, kRelaxed);
    }
    return;
  }
  const bool peers_answer = Without(watched.answered_at, peers.answered_at) > watched.quiet_since;
  if (now - watched.quiet_since < limit || !peers_answer) return;
  watched.trial =
      is_trial ? std::min(2 * watched.trial, options_.silent_trial_max) : options_.silent_trial;
  watched.silent_at = now;
  state.silence.store(others | Silence::kRequests, kRelaxed);
  if (!is_trial) tell(watched.subject, Silence::kRequests, true);
}

void SilenceWatch::Set(Watched& watched, uint8_t silence, TimePoint now) {
  EndpointState& state = *watched.subject.state;
  state.silence.store(silence, kRelaxed);
  const bool is_silent = silence != 0;
  const bool was_silent = state.silent_since_ns.load(kRelaxed) != 0;
  if (is_silent == was_silent) return;
  state.silent_since_ns.store(is_silent ? now.time_since_epoch().count() : 0, kRelaxed);
}

}  // namespace gw
