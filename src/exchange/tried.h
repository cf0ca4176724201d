// Tried: how a request is tried: the try in work, be it one endpoint or a pair of them, and what
// became of those before it.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "exchange/pair.h"
#include "exchange/tries.h"
#include "exchange/try_notes.h"
#include "inference/body_edit.h"
#include "pool/heard_gateways.h"
#include "scheduling/profile.h"
#include "snapshot/snapshot.h"

namespace gw {

struct Tried {
  Decision decision;                         // of the endpoint whose answer is the client's
  EndpointHold hold;                         // of that endpoint
  Pair pair;                                 // the other half, if there is one
  BodyEdit body;                             // what is sent
  std::optional<HeardGateways::Seen> heard;  // at the last decision; nullopt: there are none
  std::optional<Duration> deciding;          // all decisions together; nullopt: there was none
  TimePoint dispatched;
  std::vector<uint32_t> slots;     // of endpoints that are not to be tried again
  std::vector<std::string> order;  // addresses that a gate keeps to, the best first; empty: any
  int count = 0;                   // tries so far, with this one
  Tries failed;                    // of them
  const PoolEntry* fell_back_from = nullptr;  // the pool that another serves for
  FallbackReason fallback_reason = FallbackReason::kNoEndpoint;
  int count_before_fallback = 0;  // tries of `count` that were that pool's
  TryNotes notes;
  // Between two tries: nothing is held.
  bool backs_off = false;
  Duration back_off{};
  TryFailure back_off_cause = TryFailure::kReset;

  // For the next request. REQUIRES: nothing is held
  void Reset() {
    decision = {};
    heard.reset();
    deciding.reset();
    pair.Reset();
    body.Begin({});
    slots.clear();
    order.clear();
    count = 0;
    failed = {};
    fell_back_from = nullptr;
    count_before_fallback = 0;
    backs_off = false;
    notes.Reset();
  }
};

}  // namespace gw
