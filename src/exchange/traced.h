// Traced: which trace a request is part of, and what of it is told further on. No span is made on
// a request's way: of one that is sampled the record goes to a TraceSink when it has ended, and
// whoever stands behind that makes spans of its times.

#pragma once

#include <cstddef>
#include <memory>

#include "inference/prompt_messages.h"
#include "trace/context.h"
#include "trace/sampler.h"

namespace gw {

struct RequestRecord;

class TraceSink {
 public:
  // Any thread. Copies the record, or drops it; does not block. `prompt`: nullptr: its spans carry
  // none.
  virtual void Take(const RequestRecord& record, std::unique_ptr<PromptMessages> prompt) = 0;

 protected:
  ~TraceSink() = default;
};

struct Tracing {
  Sampler sampler;
  TraceSink& sink;  // of the requests that are sampled
  // Of each of their prompts that spans carry; 0: none, and nothing is copied.
  size_t prompt_bytes_max = 0;
};

struct Traced {
  TraceContext context;      // its span is the request's own
  SpanId parent = 0;         // the caller's; 0: the trace begins here
  bool keeps_state = false;  // the client's tracestate goes on
  bool active() const { return context.span != 0; }

  // The same as the parent of that span's is told.
  TraceContext As(SpanId span) const { return {context.trace, span, context.sampled}; }
};

}  // namespace gw
