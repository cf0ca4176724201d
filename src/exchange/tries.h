// Tries: how often a request may be tried, and how its tries have failed.

#pragma once

#include "exchange/metrics.h"
#include "exchange/rejection.h"
#include "pool/health.h"

namespace gw {

// What such a try says of its endpoint's health; kNone: nothing.
EndpointFailure ChargeOf(TryFailure failure);

// One try is that of a whole request at one endpoint, or that of its halves at a pair of them.
struct Tries {
  // Further tries after the first.
  static constexpr int kRetriesMax = 2;
  // The same of a pair, which takes two endpoints' time.
  static constexpr int kPairRetriesMax = 1;
  // Of them, to an InferencePool, after a try that was sent whole: whoever had it may have acted on
  // it, and died of it.
  static constexpr int kRepeatsMax = 1;
  // Beside kRetriesMax, not kRepeatsMax: after a kept-alive connection that was closed as it was
  // used. Sent whole, it goes to another endpoint that is in use, if there is one; else to the
  // same.
  static constexpr int kStaleMax = 1;

  int stale = 0;               // tries over such a connection that were followed by another one
  int whole_failures = 0;      // sent whole, and no response came of it
  bool was_connected = false;  // some try that failed had a connection
  TryFailure last = TryFailure::kReset;

  // `sent_whole`: every byte of the request had gone out.
  void Fail(TryFailure failure, bool sent_whole);
  // What the client gets after them.
  Rejection AsRejection() const;
};

}  // namespace gw
