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
  const auto endpoints = candidates.endpoints();
  for (size_t i = 0; i < count; ++i) {
    if (i + kPrefetchAhead < count) {
      __builtin_prefetch(&endpoints[i + kPrefetchAhead]->state->running_requests);
    }
    const EndpointState& state = *endpoints[i]->state;
    const int64_t generated = state.generated_tokens.load(kRelaxed);
    running_requests[i] = state.running_requests.load(kRelaxed);
    decoding_tokens[i] =
        static_cast<float>(state.decoding_context_tokens.load(kRelaxed) + generated);
    context_tokens[i] = static_cast<float>(state.context_tokens.load(kRelaxed) + generated);
    cache_tokens[i] = static_cast<float>(state.cache_blocks.load(kRelaxed)) *
                      static_cast<float>(state.cache_block_tokens.load(kRelaxed));
    busy_seconds[i] = state.busy.SecondsAt(now);
  }
}

}  // namespace gw
