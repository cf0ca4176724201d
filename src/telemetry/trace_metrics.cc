#include "telemetry/trace_metrics.h"

namespace gw {
namespace {

Counter& Spans(MetricRegistry& registry, const char* result) {
  return registry.AddCounter("penstock_trace_spans_total",
                             "Spans of traced requests, by what became of them.",
                             {{"result", result}});
}

Counter& Posts(MetricRegistry& registry, const char* result) {
  return registry.AddCounter("penstock_trace_exports_total",
                             "POSTs of spans to the collector, by what came of them.",
                             {{"result", result}});
}

Counter& Limit(MetricRegistry& registry, const char* limit) {
  return registry.AddCounter("penstock_limit_reached_total",
                             "How often a limit was reached, by its name.", {{"limit", limit}});
}

}  // namespace

TraceMetrics::TraceMetrics(MetricRegistry& registry)
    : exported(Spans(registry, "exported")),
      queue_full(Spans(registry, "queue_full")),
      refused(Spans(registry, "refused")),
      gave_up(Spans(registry, "gave_up")),
      not_flushed(Spans(registry, "not_flushed")),
      rejected(Spans(registry, "rejected")),
      posts_ok(Posts(registry, "ok")),
      posts_partial(Posts(registry, "partial")),
      posts_throttled(Posts(registry, "throttled")),
      posts_refused(Posts(registry, "refused")),
      posts_failed(Posts(registry, "failed")),
      queue_limit(Limit(registry, "trace_queue")),
      queue_bytes_limit(Limit(registry, "trace_queue_bytes")),
      export_timeout(Limit(registry, "trace_export_timeout")),
      retry_timeout(Limit(registry, "trace_retry_timeout")),
      flush_timeout(Limit(registry, "trace_flush_timeout")) {}

}  // namespace gw
