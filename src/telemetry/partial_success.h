// What a collector says of a batch that it has taken (ExportTraceServiceResponse): maybe not all.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gw {

struct PartialSuccess {
  uint64_t rejected_spans = 0;
  std::string message;  // may be a warning, with nothing rejected

  bool empty() const { return rejected_spans == 0 && message.empty(); }
};

// Of an answer's body; empty if it says nothing of it, or is no JSON.
PartialSuccess ReadPartialSuccess(std::string_view body);

}  // namespace gw
