// Requests as parts of traces.

#include "exchange/traced.h"

#include "exchange/exchange.h"

namespace gw {
namespace {

// Of two it would be anybody's guess which one is meant.
std::optional<TraceContext> ParentOf(const http::HeaderList& headers) {
  if (headers.Count("traceparent") != 1) return std::nullopt;
  return ParseTraceparent(headers.Find("traceparent")->value);
}

// As a whole, or not at all: half of it means something else to its owners.
bool MayPassState(const http::HeaderList& headers) {
  size_t members = 0;
  for (const http::HeaderField& field : headers) {
    if (field.name.size() != 10 || !http::EqualsIgnoreCase(field.name, "tracestate")) continue;
    if (!IsTracestate(field.value, &members)) return false;
  }
  return members > 0;
}

}  // namespace

// `head`: nullptr if it was refused.
void Exchange::BeginTrace(const http::RequestHead* head) {
  if (env_.tracing == nullptr) return;
  std::optional<TraceContext> parent;
  if (head != nullptr) parent = ParentOf(head->headers);
  const TraceId id = parent ? parent->trace : NewTraceId(env_.random);
  traced_.context = {id, NewSpanId(env_.random), env_.tracing->sampler.Keeps(parent, id)};
  traced_.parent = parent ? parent->span : 0;
  traced_.keeps_state = parent && MayPassState(head->headers);
}

// Of the try that has just been dispatched. They are drawn whether or not spans are kept of it:
// who is asked is told of a parent in either case.
void Exchange::NameTrySpans(bool with_prefill) {
  if (!traced_.active()) return;
  const SpanId whole = NewSpanId(env_.random);
  tried_->notes.SetSpans(whole, with_prefill ? NewSpanId(env_.random) : 0);
}

// Of a request that nobody keeps spans of there is nothing to look up.
std::optional<Exemplar> Exchange::ExemplarNow() const {
  if (!traced_.context.sampled) return std::nullopt;
  const TraceContext& context = traced_.context;
  constexpr int64_t kNanosPerMilli = 1'000'000;
  return Exemplar{context.trace.high, context.trace.low, context.span,
                  env_.clock.UnixNanos() / kNanosPerMilli};
}

void Exchange::FillTrace() {
  RequestRecord& record = *env_.record;
  record.trace_id.clear();
  record.trace = traced_.As(traced_.context.span);
  record.parent_span = traced_.parent;
  if (traced_.active()) AppendHex(traced_.context.trace, &record.trace_id);
  record.api = parsed_.request.api;
  const Endpoint* const endpoint = tried_->decision.endpoint;
  record.runtime = endpoint != nullptr ? NameOf(endpoint->runtime) : "";
  record.tls = asked_.tls;
  const bool queued = queued_.result != QueueResult::kNone && queued_.waited > Duration(0);
  record.queue_began_ms = queued ? ToMillis(queued_.entered - asked_.began) : -1;
}

}  // namespace gw
