// Trace Context (https://www.w3.org/TR/trace-context/): how a request says which trace it is part
// of, and as whose child. traceparent is read and written here; tracestate belongs to others and
// is passed on as it came, or not at all.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/random.h"

namespace gw {

struct TraceId {
  uint64_t high = 0;
  uint64_t low = 0;

  bool operator==(const TraceId&) const = default;
};

// 0: none.
using SpanId = uint64_t;

struct TraceContext {
  TraceId trace;
  SpanId span = 0;
  bool sampled = false;

  bool operator==(const TraceContext&) const = default;
};

// Neither is ever zero, which would be no id.
TraceId NewTraceId(Random& random);
SpanId NewSpanId(Random& random);

// Lower-case hexadecimal, 32 and 16 digits.
void AppendHex(TraceId id, std::string* out);
void AppendHex(SpanId id, std::string* out);

// Of version 00 exactly its form; of a later one what 00 has, whatever follows it. nullopt: the
// trace is to begin anew.
std::optional<TraceContext> ParseTraceparent(std::string_view value);

// In version 00; the view is of `storage`.
using TraceparentText = std::array<char, 55>;
std::string_view WriteTraceparent(const TraceContext& context, TraceparentText* storage);

// More list members of a request are more than anybody has to pass on.
inline constexpr size_t kTracestateMembersMax = 32;
// Whether one field of that name may be passed on, the last of those that came before having left
// the number of members in `*members`.
bool IsTracestate(std::string_view value, size_t* members);

}  // namespace gw
