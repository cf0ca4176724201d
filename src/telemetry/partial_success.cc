#include "telemetry/partial_success.h"

#include <simdjson.h>

#include <charconv>

namespace gw {

PartialSuccess ReadPartialSuccess(std::string_view body) {
  PartialSuccess read;
  simdjson::dom::parser parser;
  simdjson::dom::element partial;
  if (parser.parse(body.data(), body.size())["partialSuccess"].get(partial) != simdjson::SUCCESS) {
    return read;
  }
  // 64-bit numbers may be text.
  std::string_view text;
  if (partial["rejectedSpans"].get(text) == simdjson::SUCCESS) {
    std::from_chars(text.data(), text.data() + text.size(), read.rejected_spans);
  } else if (partial["rejectedSpans"].get(read.rejected_spans) != simdjson::SUCCESS) {
    read.rejected_spans = 0;
  }
  if (partial["errorMessage"].get(text) == simdjson::SUCCESS) read.message = text;
  return read;
}

}  // namespace gw
