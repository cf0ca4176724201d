#include "pool/gateway_sums.h"

#include <algorithm>

#include "pool/endpoint.h"

namespace gw {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

template <class T>
void Move(T before, T after, std::atomic<T>* others, std::atomic<T>* all) {
  if (before == after) return;
  others->fetch_add(after - before, kRelaxed);
  all->fetch_add(after - before, kRelaxed);
}

// A reader may meet the one after and the other before a change.
template <class T>
T Rest(T all, T others) {
  return std::max<T>(0, all - others);
}

}  // namespace

GatewaySums OtherGateways::Load() const {
  return {.requests = requests.load(kRelaxed),
          .prompts = prompts.load(kRelaxed),
          .pending_tokens = pending_tokens.load(kRelaxed),
          .decoding_tokens = decoding_tokens.load(kRelaxed),
          .context_tokens = context_tokens.load(kRelaxed),
          .generated_tokens = generated_tokens.load(kRelaxed),
          .doubted = doubts.load(kRelaxed) > 0};
}

GatewaySums OwnSums(const EndpointState& state) {
  const GatewaySums others = state.others.Load();
  return {
      .requests = Rest(state.in_flight_requests.load(kRelaxed), others.requests),
      .prompts = Rest(state.busy.pending(), others.prompts),
      .pending_tokens = Rest(state.pending_prompt_tokens.load(kRelaxed), others.pending_tokens),
      .decoding_tokens = Rest(state.decoding_context_tokens.load(kRelaxed), others.decoding_tokens),
      .context_tokens = Rest(state.context_tokens.load(kRelaxed), others.context_tokens),
      .generated_tokens = Rest(state.generated_tokens.load(kRelaxed), others.generated_tokens),
      .doubted = state.ejected_until_ns.load(kRelaxed) != 0 || state.silence.load(kRelaxed) != 0};
}

int32_t OwnRequests(const EndpointState& state) {
  return Rest(state.in_flight_requests.load(kRelaxed), state.others.requests.load(kRelaxed));
}

void AddOthers(const GatewaySums& before, const GatewaySums& after, TimePoint now,
               EndpointState* state) {
  OtherGateways& others = state->others;
  Move(before.requests, after.requests, &others.requests, &state->in_flight_requests);
  Move(before.pending_tokens, after.pending_tokens, &others.pending_tokens,
       &state->pending_prompt_tokens);
  Move(before.decoding_tokens, after.decoding_tokens, &others.decoding_tokens,
       &state->decoding_context_tokens);
  Move(before.context_tokens, after.context_tokens, &others.context_tokens, &state->context_tokens);
  Move(before.generated_tokens, after.generated_tokens, &others.generated_tokens,
       &state->generated_tokens);
  if (before.doubted != after.doubted) {
    others.doubts.fetch_add(after.doubted ? 1 : -1, kRelaxed);
    // From now on its penalty is looked at.
    state->ever_failed.store(true, kRelaxed);
    if (after.doubted) state->health_doubted.store(true, kRelaxed);
  }
  if (before.prompts == after.prompts) return;
  others.prompts.fetch_add(after.prompts - before.prompts, kRelaxed);
  state->busy.Add(after.prompts - before.prompts, now);
}

}  // namespace gw
