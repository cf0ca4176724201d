#include "pool/endpoint_hold.h"

#include "base/check.h"

namespace gw {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

}  // namespace

void EndpointHold::Take(const Endpoint& endpoint, const HeldPrompt& prompt, TimePoint now) {
  CHECK(state_ == nullptr);
  state_ = endpoint.state;
  last_ = now;
  prompt_tokens_ = prompt.uncached_tokens;
  context_tokens_ = prompt.tokens;
  decoding_tokens_ = 0;
  generated_tokens_ = 0;
  awaits_ = true;
  computes_ = prompt.computed_here;
  state_->in_flight_requests.fetch_add(1, kRelaxed);
  state_->pending_prompt_tokens.fetch_add(prompt_tokens_, kRelaxed);
  state_->context_tokens.fetch_add(context_tokens_, kRelaxed);
  state_->awaiting_requests.fetch_add(1, kRelaxed);
  state_->dispatched_requests.fetch_add(1, kRelaxed);
  if (computes_) state_->busy.Begin(now);
}

void EndpointHold::Answered(Duration took) {
  if (!awaits_) return;
  awaits_ = false;
  state_->awaiting_requests.fetch_sub(1, kRelaxed);
  state_->first_bytes.fetch_add(1, kRelaxed);
  state_->first_byte_ns_sum.fetch_add(took.count(), kRelaxed);
  int64_t longest = state_->first_byte_ns_longest.load(kRelaxed);
  while (took.count() > longest &&
         !state_->first_byte_ns_longest.compare_exchange_weak(longest, took.count(), kRelaxed)) {
  }
}

void EndpointHold::EndPrompt(TimePoint now) {
  last_ = now;
  if (prompt_tokens_ != 0) state_->pending_prompt_tokens.fetch_sub(prompt_tokens_, kRelaxed);
  prompt_tokens_ = 0;
  if (computes_) state_->busy.End(now);
  computes_ = false;
}

void EndpointHold::StartDecoding(int64_t context, TimePoint now) {
  EndPrompt(now);
  state_->decoding_context_tokens.fetch_add(context - decoding_tokens_, kRelaxed);
  decoding_tokens_ = context;
  if (context != context_tokens_) {
    state_->context_tokens.fetch_add(context - context_tokens_, kRelaxed);
    context_tokens_ = context;
  }
}

void EndpointHold::TellGenerated(int64_t tokens) {
  state_->generated_tokens.fetch_add(tokens - generated_tokens_, kRelaxed);
  generated_tokens_ = tokens;
}

void EndpointHold::Release(TimePoint now) {
  if (!state_) return;
  EndPrompt(now);
  if (awaits_) state_->awaiting_requests.fetch_sub(1, kRelaxed);
  awaits_ = false;
  state_->in_flight_requests.fetch_sub(1, kRelaxed);
  state_->decoding_context_tokens.fetch_sub(decoding_tokens_, kRelaxed);
  state_->context_tokens.fetch_sub(context_tokens_, kRelaxed);
  if (generated_tokens_ != 0) state_->generated_tokens.fetch_sub(generated_tokens_, kRelaxed);
  state_.reset();
}

}  // namespace gw
