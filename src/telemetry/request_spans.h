// The spans of a request, made of its record when it has ended: the request itself (SERVER), what
// it did before it was sent (parse, queue, decision), each try of it (CLIENT; of a pair one for
// each half) and the pauses between tries. Names and attributes are those of OpenTelemetry's
// conventions for HTTP and generative AI where they have any, else penstock.*, which are the log's
// (docs/observability.md lists them).

#pragma once

#include <cstddef>
#include <cstdint>

#include "base/random.h"
#include "exchange/history.h"
#include "exchange/traced.h"
#include "trace/otlp.h"

namespace gw {

// How many AppendSpans makes of it.
size_t SpanCount(const RequestRecord& record);

// `prompt`: nullptr: they carry none. `unix_offset_ns`: from TimePoints to nanoseconds since 1970.
// `random`: for the ids that nobody else was told.
void AppendSpans(const RequestRecord& record, const PromptMessages* prompt, int64_t unix_offset_ns,
                 Random& random, OtlpSpans* out);

}  // namespace gw
