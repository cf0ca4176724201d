// What a request asks of the prefix index, and what the index learns of it.

#include <algorithm>

#include "exchange/exchange.h"

namespace gw {

void Exchange::FillPrefixHits() {
  const std::span<uint32_t> blocks = env_.candidates.mutable_prefix_hit_blocks();
  const std::span<uint32_t> tokens = env_.candidates.mutable_prefix_hit_tokens();
  env_.index.Match(parsed_.request.prefix_blocks, env_.candidates.slots(), blocks);
  for (size_t i = 0; i < blocks.size(); ++i) {
    tokens[i] = static_cast<uint32_t>(routed_.pool()->prefix.TokensOf(blocks[i]));
  }
}

int64_t Exchange::UncachedTokens(const Decision& decision) const {
  const auto tokens = static_cast<int64_t>(parsed_.request.prompt_tokens_estimate);
  if (parsed_.request.prefix_blocks.empty()) return tokens;
  // The leading blocks believed to be cached there need no prefill.
  const size_t cached = routed_.pool()->prefix.TokensOf(decision.prefix_hit_blocks);
  return std::max<int64_t>(0, tokens - static_cast<int64_t>(cached));
}

// The endpoint has the prompt's blocks, or is going to; `held` of them need not be told to our own
// index, and `told` not to those of other gateways.
void Exchange::InsertPrefix(const Decision& decision, uint32_t held, size_t told) {
  const std::span<const uint64_t> blocks = parsed_.request.prefix_blocks;
  if (blocks.empty()) return;
  const EndpointState& state = *decision.endpoint->state;
  const size_t block_chars = routed_.pool()->prefix.block_chars;
  const uint64_t chars = state.cache_chars();
  // What has said that it holds something has room for a block.
  const uint64_t blocks_max = chars == 0 ? 0 : std::max<uint64_t>(chars / block_chars, 1);
  env_.index.Insert(blocks, state.slot, held, blocks_max);
  if (env_.prefix_news != nullptr) env_.prefix_news->Put(state.slot, block_chars, blocks, told);
}

void Exchange::LearnPrefix(const Decision& decision) {
  InsertPrefix(decision, decision.prefix_hit_blocks, decision.prefix_hit_blocks);
}

// It has had them until now: an answer takes seconds to minutes, in which the endpoint forgets what
// was used less lately, and so may the index have.
void Exchange::RefreshPrefix(const Decision& decision) {
  InsertPrefix(decision, 0, parsed_.request.prefix_blocks.size());
}

// How long the prompt's text was in tokens, as the endpoint counts them.
void Exchange::LearnTokens() {
  const int64_t tokens = observed_->response.reader().usage().prompt_tokens;
  if (tokens <= 0) return;
  for (const Decision* half : {&tried_->decision, &tried_->pair.decision}) {
    if (half->endpoint == nullptr) continue;
    half->endpoint->state->LearnCharsPerToken(parsed_.request.prompt_chars,
                                              static_cast<uint64_t>(tokens));
  }
}

// An answer came of it, and if it was cut then not by the endpoint. One that failed or refused may
// never have looked at the prompt.
bool Exchange::WasServed(Outcome outcome) const {
  const bool success = observed_->status >= 200 && observed_->status <= 299;
  return observed_->saw_first_byte && success &&
         (outcome == Outcome::kComplete || outcome == Outcome::kClientLeft ||
          outcome == Outcome::kTimedOut || outcome == Outcome::kEvicted);
}

}  // namespace gw
