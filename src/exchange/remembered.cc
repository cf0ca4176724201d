// What a request holds of its endpoint, and what its pool's memory (scheduling/pool_memory.h)
// learns of it, for the rules that decide where the next one goes.

#include "exchange/exchange.h"

namespace gw {

// Of an endpoint that is to compute the prompt.
void Exchange::TakeHold(const Decision& decision, TimePoint now, EndpointHold* hold) {
  const int64_t uncached = UncachedTokens(decision);
  hold->Take(*decision.endpoint,
             {.uncached_tokens = uncached,
              .tokens = static_cast<int64_t>(parsed_.request.prompt_tokens_estimate)},
             now);
  PoolMemory* const memory = routed_.pool()->memory.get();
  if (memory != nullptr) memory->OnDispatch(hold->state(), uncached, now);
}

// Of a pair's other endpoint, which is handed what the first one computed.
void Exchange::TakeDecodeHold(TimePoint now) {
  tried_->hold.Take(*tried_->decision.endpoint,
                    {.tokens = static_cast<int64_t>(parsed_.request.prompt_tokens_estimate),
                     .computed_here = false},
                    now);
}

// The first byte of an answer that comes as a whole is its last, and what an error says took no
// prompt, be it an event of a stream that began with 200. A pair's first byte comes from the half
// that computed nothing.
void Exchange::LearnFirstToken(TimePoint now) {
  PoolMemory* const memory = routed_.pool()->memory.get();
  const bool says = observed_->response.event_stream() && observed_->status >= 200 &&
                    observed_->status <= 299 && !tried_->pair.active &&
                    !observed_->response.reader().saw_error_event();
  if (memory == nullptr || !says) return;
  memory->OnFirstToken(tried_->hold.state(), UncachedTokens(tried_->decision), tried_->dispatched,
                       now);
}

// Of a pair: its prefill half has answered, and is still held.
void Exchange::LearnPrefill(TimePoint now) {
  PoolMemory* const memory = routed_.pool()->memory.get();
  if (memory == nullptr) return;
  memory->OnFirstToken(tried_->pair.hold.state(), UncachedTokens(tried_->pair.decision),
                       tried_->pair.dispatched, now);
}

// Before its endpoint is given back. Answers that were cut say little of how long they are.
void Exchange::LearnEnd(Outcome outcome, TimePoint now) {
  if (!tried_->hold.held() || outcome != Outcome::kComplete) return;
  PoolMemory* const memory = routed_.pool()->memory.get();
  if (memory == nullptr || observed_->status < 200 || observed_->status > 299) return;
  const int64_t estimated = observed_->response.estimated_tokens();
  const int64_t tokens =
      estimated > 0 ? estimated : observed_->response.reader().usage().completion_tokens;
  memory->OnEnd(tried_->hold.state(), parsed_.request.target_model, tokens, now);
}

}  // namespace gw
