// EndpointHold: what one request holds of the endpoint that it was sent to, in the endpoint's own
// accounting (EndpointState): a place in flight, the tokens of its prompt that are yet to be
// computed, the tokens of its context while it is decoded. Exact and immediate, where what model
// servers report of themselves is old. Whoever sends requests shares it: exchanges, a queue that
// looks at what is under way, a replay in virtual time.
//
// One thread at a time; the accounts themselves are shared by all.

#pragma once

#include <cstdint>
#include <memory>

#include "base/clock.h"
#include "pool/endpoint.h"

namespace gw {

class EndpointHold {
 public:
  EndpointHold() = default;
  ~EndpointHold() { Release(); }
  EndpointHold(const EndpointHold&) = delete;
  EndpointHold& operator=(const EndpointHold&) = delete;

  // `prompt`: tokens that are not believed to be cached there. REQUIRES: !held()
  void Take(const Endpoint& endpoint, int64_t prompt);
  // The first byte came `took` after the request was sent. Counts once. REQUIRES: held()
  void Answered(Duration took);
  // The prompt is done: its tokens are the context of what is generated. REQUIRES: held()
  void StartDecoding(int64_t context);
  // Gives everything back, if anything is held.
  void Release();

  bool held() const { return state_ != nullptr; }
  EndpointState& state() const { return *state_; }  // REQUIRES: held()

 private:
  std::shared_ptr<EndpointState> state_;
  int64_t prompt_tokens_ = 0;   // yet to be computed
  int64_t context_tokens_ = 0;  // being decoded
  bool awaits_ = false;         // no byte has come yet
};

}  // namespace gw
