#include "pool/endpoint_hold.h"

#include "base/check.h"

namespace gw {

void EndpointHold::Take(const Endpoint& endpoint, int64_t prompt) {
  CHECK(state_ == nullptr);
  state_ = endpoint.state;
  prompt_tokens_ = prompt;
  context_tokens_ = 0;
  awaits_ = true;
  state_->in_flight_requests.fetch_add(1, std::memory_order_relaxed);
  state_->pending_prompt_tokens.fetch_add(prompt_tokens_, std::memory_order_relaxed);
  state_->awaiting_requests.fetch_add(1, std::memory_order_relaxed);
  state_->dispatched_requests.fetch_add(1, std::memory_order_relaxed);
}

void EndpointHold::Answered(Duration took) {
  if (!awaits_) return;
  awaits_ = false;
  state_->awaiting_requests.fetch_sub(1, std::memory_order_relaxed);
  state_->first_bytes.fetch_add(1, std::memory_order_relaxed);
  state_->first_byte_ns_sum.fetch_add(took.count(), std::memory_order_relaxed);
  int64_t longest = state_->first_byte_ns_longest.load(std::memory_order_relaxed);
  while (took.count() > longest && !state_->first_byte_ns_longest.compare_exchange_weak(
                                       longest, took.count(), std::memory_order_relaxed)) {
  }
}

void EndpointHold::StartDecoding(int64_t context) {
  state_->pending_prompt_tokens.fetch_sub(prompt_tokens_, std::memory_order_relaxed);
  state_->decoding_context_tokens.fetch_add(context - context_tokens_, std::memory_order_relaxed);
  prompt_tokens_ = 0;
  context_tokens_ = context;
}

void EndpointHold::Release() {
  if (!state_) return;
  if (awaits_) state_->awaiting_requests.fetch_sub(1, std::memory_order_relaxed);
  awaits_ = false;
  state_->in_flight_requests.fetch_sub(1, std::memory_order_relaxed);
  state_->pending_prompt_tokens.fetch_sub(prompt_tokens_, std::memory_order_relaxed);
  state_->decoding_context_tokens.fetch_sub(context_tokens_, std::memory_order_relaxed);
  state_.reset();
}

}  // namespace gw
