// What a metrics page says of an endpoint, put into its state: a function of the page, of what
// earlier pages said and of the state, which whoever has pages from elsewhere can call as well.

#pragma once

#include <cstdint>

#include "base/clock.h"
#include "collect/metrics_text.h"
#include "pool/endpoint.h"

namespace gw {

// Of the pages of one endpoint so far, what the next one is read against.
struct PageMemory {
  bool has_adapters = false;
  bool reported_kv_cache = false;
  LoraReport adapters;         // as last reported
  double process_start_s = 0;  // as last reported; 0: never
};

struct PageReading {
  // Our own requests there, and their tokens, when the page was asked for.
  int32_t in_flight_at_start = 0;
  int64_t tokens_at_start = 0;
  bool has_details = false;  // the page was read to its end (MetricsScanner::Details::kRead)
  TimePoint now;             // the page's moment, from which its age is counted
};

struct PageOutcome {
  // It says how loaded the endpoint is. If not, the age stays that of the last page that did.
  bool tells_load = false;
  // The model server is another process than before: what it had cached is gone.
  bool restarted = false;
};

// A value that cannot be (sample.refused) leaves the last good one as it is.
PageOutcome ApplyPage(const MetricsSample& sample, const PageReading& reading, PageMemory* memory,
                      EndpointState* state);

}  // namespace gw
