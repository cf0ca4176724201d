// The state of a disaggregated request: its prefill half, and what both halves hold of their
// endpoints. The Exchange that owns it is the decode half.
//
// vLLM: OnRequestBody answers kPrefill; when the prefill half has ended, OnPrefillEnd answers
// kForward, which is the decode half. SGLang: kForwardPair sends both at once. Whatever ends one
// half before the client has seen a byte ends the other: the front end cancels both and does what
// the Step says, which may be a new pair. A pair's stream is held until it carries output
// (holds_response), since a KV cache that cannot be fetched shows as an error event behind vLLM's
// first, empty one.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "exchange/metrics.h"
#include "inference/body_edit.h"
#include "pool/endpoint_hold.h"
#include "scheduling/profile.h"

namespace gw {

enum class Half : uint8_t { kPrefill, kDecode };

// A whole answer of a model server that is handed on as it came, not as a stream.
struct HeldAnswer {
  int status = 0;
  std::string content_type;
  std::string retry_after = {};  // as it came; empty: it has none
  std::string body;
};

struct Pair {
  enum class Prefill : uint8_t { kNone, kRunning, kDone };

  bool active = false;  // the try in work is one
  Prefill prefill = Prefill::kNone;
  Runtime runtime = Runtime::kVllm;
  Decision decision;  // of the prefill half
  EndpointHold hold;  // of the prefill half
  BodyEdit body;      // of the prefill half; SGLang's halves share one body
  TimePoint dispatched{};
  TimePoint prefill_ended{};
  int prefill_status = 0;
  // Blocks are kept for the decode half, which has not shown that it has them.
  bool leased = false;
  bool recomputed = false;  // prefill handed nothing over
  bool alone = false;       // one endpoint does both
  bool released = false;    // the decode half's stream is no longer held
  std::string_view failed_half;
  HeldAnswer answer;  // of the half that failed

  // For the next request.
  void Reset();
};

}  // namespace gw
