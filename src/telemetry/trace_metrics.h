// What became of spans and of the POSTs that carry them. There at 0 from the beginning, also where
// requests are not traced.

#pragma once

#include "stats/metrics.h"

namespace gw {

struct TraceMetrics {
  explicit TraceMetrics(MetricRegistry& registry);

  // Spans.
  Counter& exported;
  Counter& queue_full;   // never sent
  Counter& refused;      // by an answer that is not to be tried again
  Counter& gave_up;      // tried as long as may be
  Counter& not_flushed;  // the end came first
  Counter& rejected;     // out of a batch that was taken
  // POSTs.
  Counter& posts_ok;
  Counter& posts_partial;
  Counter& posts_throttled;
  Counter& posts_refused;
  Counter& posts_failed;  // without an answer
  // Limits.
  Counter& queue_limit;
  Counter& queue_bytes_limit;  // prompts that were not kept
  Counter& export_timeout;
  Counter& retry_timeout;
  Counter& flush_timeout;
};

}  // namespace gw
