// EndpointHold: what one request holds of the endpoint that it was sent to, in the endpoint's own
// accounting (EndpointState): a place in flight, the tokens of its prompt that are yet to be
// computed, the tokens of its context while it is decoded, with those that were generated. Exact
// and immediate, where what model servers report of themselves is old. Whoever sends requests
// shares it: exchanges, a queue that looks at what is under way, a replay in virtual time.
//
// One thread at a time; the accounts themselves are shared by all.

#pragma once

#include <cstdint>
#include <memory>

#include "base/clock.h"
#include "pool/endpoint.h"

namespace gw {

// What a request's prompt is to the endpoint that it is sent to.
struct HeldPrompt {
  int64_t uncached_tokens = 0;  // that are not believed to be cached there
  int64_t tokens = 0;           // all of them
  bool computed_here = true;    // false: another endpoint computes it (disaggregated)
};

class EndpointHold {
 public:
  EndpointHold() = default;
  ~EndpointHold() { Release(last_); }
  EndpointHold(const EndpointHold&) = delete;
  EndpointHold& operator=(const EndpointHold&) = delete;

  // REQUIRES: !held()
  void Take(const Endpoint& endpoint, const HeldPrompt& prompt, TimePoint now);
  // The first byte came `took` after the request was sent. Counts once. REQUIRES: held()
  void Answered(Duration took);
  // The prompt is done: its tokens are the context of what is generated. REQUIRES: held()
  void StartDecoding(int64_t context, TimePoint now);
  // So many tokens have been generated so far. Told in steps of kGeneratedStep, so that the account
  // is not written for each of them. REQUIRES: held()
  void Generated(int64_t tokens) {
    if (tokens >= generated_tokens_ + kGeneratedStep) TellGenerated(tokens);
  }
  static constexpr int64_t kGeneratedStep = 16;
  // Gives everything back, if anything is held.
  void Release(TimePoint now);
  void Release() { Release(last_); }  // where there is no time: as of the last one it was given

  bool held() const { return state_ != nullptr; }
  EndpointState& state() const { return *state_; }  // REQUIRES: held()

 private:
  void TellGenerated(int64_t tokens);
  void EndPrompt(TimePoint now);

  std::shared_ptr<EndpointState> state_;
  TimePoint last_{};
  int64_t prompt_tokens_ = 0;     // yet to be computed
  int64_t decoding_tokens_ = 0;   // of the context that is being decoded
  int64_t context_tokens_ = 0;    // of the prompt, whether it is computed or not
  int64_t generated_tokens_ = 0;  // that were told
  bool awaits_ = false;           // no byte has come yet
  bool computes_ = false;         // the endpoint is busy with the prompt
};

}  // namespace gw
