// TraceThread: requests as parts of traces, from the workers to the collector: the queue, and an
// exporter on a loop and a thread of its own.

#pragma once

#include <memory>

#include "base/status.h"
#include "exchange/traced.h"
#include "stats/metrics.h"
#include "telemetry/options.h"
#include "telemetry/trace_metrics.h"

namespace gw {

class TraceThread {
 public:
  // `metrics` outlive it. REQUIRES: options.on()
  static absl::StatusOr<std::unique_ptr<TraceThread>> Start(TraceMetrics& metrics,
                                                            const TraceOptions& options,
                                                            uint64_t seed);
  // Sends what is left, for flush_timeout at most. Whoever uses tracing() is gone by then.
  virtual ~TraceThread() = default;

  virtual const Tracing& tracing() const = 0;
};

}  // namespace gw
