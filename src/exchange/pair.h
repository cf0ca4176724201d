// The state of a disaggregated request: its prefill half, and what both halves hold of their
// endpoints. The Exchange that owns it is the decode half.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "exchange/metrics.h"
#include "inference/body_edit.h"
#include "pool/endpoint.h"
#include "scheduling/profile.h"

namespace gw {

// What a request adds to its endpoint's own accounting while it is in work there.
struct EndpointHold {
  std::shared_ptr<EndpointState> state;  // nullptr: nothing is held
  int64_t prompt_tokens = 0;             // yet to be computed
  int64_t context_tokens = 0;            // being decoded
  bool awaits = false;                   // no byte has come yet

  void Take(const Endpoint& endpoint, int64_t prompt);
  // The first byte came `took` after the dispatch.
  void Answered(Duration took);
  // The prompt is done: its tokens are the context of what is generated.
  void StartDecoding(int64_t context);
  void Release();
};

enum class Half : uint8_t { kPrefill, kDecode };

// A whole answer of a model server that is handed on as it came, not as a stream.
struct HeldAnswer {
  int status = 0;
  std::string content_type;
  std::string body;
};

struct Pair {
  // Pairs of one request: the first and one more.
  static constexpr int kTriesMax = 2;

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
  int tries = 0;
  int stale_tries = 0;
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
