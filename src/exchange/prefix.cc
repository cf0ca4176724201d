// What a request asks of the prefix index, and what the index learns of it.

#include <algorithm>

#include "exchange/exchange.h"

namespace gw {

void Exchange::FillPrefixHits() {
  env_.slots.clear();
  for (const EndpointView& view : env_.views) env_.slots.push_back(view.slot);
  env_.hits.assign(env_.slots.size(), 0);
  env_.index.Match(request_.prefix_blocks, env_.slots, env_.hits);
  for (size_t i = 0; i < env_.views.size(); ++i) {
    env_.views[i].prefix_hit_blocks = env_.hits[i];
    env_.views[i].prefix_hit_tokens = static_cast<uint32_t>(pool_->prefix.TokensOf(env_.hits[i]));
  }
}

int64_t Exchange::UncachedTokens(const Decision& decision) const {
  const auto tokens = static_cast<int64_t>(request_.prompt_tokens_estimate);
  if (request_.prefix_blocks.empty()) return tokens;
  // The leading blocks believed to be cached there need no prefill.
  const size_t cached = pool_->prefix.TokensOf(decision.prefix_hit_blocks);
  return std::max<int64_t>(0, tokens - static_cast<int64_t>(cached));
}

// The endpoint is going to have the prompt's blocks, `held` of which it is believed to have.
void Exchange::LearnPrefix(const Decision& decision, uint32_t held) {
  if (request_.prefix_blocks.empty()) return;
  const EndpointState& state = *decision.endpoint->state;
  const uint64_t chars = state.cache_chars();
  // What has said that it holds something has room for a block.
  const uint64_t blocks_max =
      chars == 0 ? 0 : std::max<uint64_t>(chars / pool_->prefix.block_chars, 1);
  env_.index.Insert(request_.prefix_blocks, state.slot, held, blocks_max);
}

// It has had them until now: an answer takes seconds to minutes, in which the endpoint forgets what
// was used less lately, and so may the index have.
void Exchange::RefreshPrefix(const Decision& decision) { LearnPrefix(decision, 0); }

// How long the prompt's text was in tokens, as the endpoint counts them.
void Exchange::LearnTokens() {
  const int64_t tokens = response_.reader().usage().prompt_tokens;
  if (tokens <= 0) return;
  for (const Decision* half : {&decision_, &pair_.decision}) {
    if (half->endpoint == nullptr) continue;
    half->endpoint->state->LearnCharsPerToken(request_.prompt_chars, static_cast<uint64_t>(tokens));
  }
}

// An answer came of it, and if it was cut then not by the endpoint. One that failed or refused may
// never have looked at the prompt.
bool Exchange::WasServed(Outcome outcome) const {
  const bool success = upstream_status_ >= 200 && upstream_status_ <= 299;
  return saw_first_byte_ && success &&
         (outcome == Outcome::kComplete || outcome == Outcome::kClientLeft ||
          outcome == Outcome::kTimedOut);
}

}  // namespace gw
