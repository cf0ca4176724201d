#include "scheduling/loads.h"

namespace gw {

void Loads::Sample(const Candidates& candidates, TimePoint now) {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  // As in SampleEndpoints: far enough ahead that a fetch from memory is done when its turn comes.
  constexpr size_t kPrefetchAhead = 8;
  const size_t count = candidates.size();
  for (auto* column :
       {&running_requests, &decoding_tokens, &context_tokens, &cache_tokens, &busy_seconds}) {
    column->resize(count);
  }
  busy_shares_.resize(count);
  busy_ticks_.resize(count);
  // Places by themselves: the compiler would look for them again behind each read of an atomic.
  float* const running = running_requests.data();
  float* const decoding = decoding_tokens.data();
  float* const context = context_tokens.data();
  float* const cache = cache_tokens.data();
  float* const seconds = busy_seconds.data();
  uint32_t* const shares = busy_shares_.data();
  uint32_t* const ticks = busy_ticks_.data();
  const auto endpoints = candidates.endpoints();
  for (size_t i = 0; i < count; ++i) {
    if (i + kPrefetchAhead < count) {
      __builtin_prefetch(&endpoints[i + kPrefetchAhead]->state->running_requests);
    }
    const EndpointState& state = *endpoints[i]->state;
    const int64_t generated = state.generated_tokens.load(kRelaxed);
    const BusyTime::Reading busy = state.busy.reading();
    running[i] = state.running_requests.load(kRelaxed);
    decoding[i] = static_cast<float>(state.decoding_context_tokens.load(kRelaxed) + generated);
    context[i] = static_cast<float>(state.context_tokens.load(kRelaxed) + generated);
    cache[i] = static_cast<float>(state.cache_blocks.load(kRelaxed)) *
               static_cast<float>(state.cache_block_tokens.load(kRelaxed));
    shares[i] = busy.share;
    ticks[i] = busy.tick;
  }
  const uint32_t tick = BusyTime::TickOf(now);
  for (size_t i = 0; i < count; ++i) {
    seconds[i] = BusyTime::SecondsOf({shares[i], ticks[i]}, tick);
  }
}

}  // namespace gw
