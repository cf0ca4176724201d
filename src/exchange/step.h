// Step: what a front end has to do next, as an Exchange says.

#pragma once

#include <cstdint>
#include <string>

#include "exchange/rejection.h"

namespace gw {

struct Step {
  enum class Kind : uint8_t {
    kContinue,     // nothing to do
    kReadBody,     // collect the request's body (it may be empty), then OnRequestBody
    kWait,         // nothing, until Waiter::OnGateAnswer is called (gate.h), then OnGateAnswer
    kForward,      // send body() to endpoint()
    kPrefill,      // send prefill_body() to prefill_endpoint() and collect the whole answer
    kForwardPair,  // both at once
    kListModels,   // answer with the merged lists of model_rules()
    kAnswer,       // answer with filter_answer()
    kRespond,      // answer with `rejection`
    kRelay,        // answer with held_answer()
    kBackOff,      // nothing for as long as back_off(), then OnBackOffOver
  };
  Kind kind = Kind::kRespond;
  Rejection rejection = Rejection::kNone;
};

// What a filter of the route answers in the endpoints' place: a redirection, or the answer to a
// preflight. It has no body.
struct FilterAnswer {
  int status = 200;
  std::string location = {};  // empty: no such field
};

// Why a request cannot go on; kNone: it can.
struct Refusal {
  Rejection rejection = Rejection::kNone;
  std::string detail = {};  // what its client is told in place of the rejection's own text

  explicit operator bool() const { return rejection != Rejection::kNone; }
};

}  // namespace gw
