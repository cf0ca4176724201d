// Any bytes as the input of a ResponseParser: the same however they are cut, also when the
// connection ends after them.

#include "http/fuzz_util.h"

namespace gw::http {
namespace {

// Reads the first response; its own loop, because no message follows a connection that ended.
bool CompleteAtClose(const std::vector<std::string_view>& pieces) {
  ResponseParser parser;
  for (std::string_view piece : pieces) {
    for (;;) {
      const H1Step step = parser.Next(piece);
      piece.remove_prefix(step.consumed);
      if (step.event == H1Event::kNeedMore) break;
      if (step.event == H1Event::kEnd) return parser.OnClose();
      if (step.event == H1Event::kError) {
        CHECK(!parser.OnClose());
        return false;
      }
    }
  }
  return parser.OnClose();
}

}  // namespace
}  // namespace gw::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gw::http;
  const FuzzInput input(data, size);
  const bool head_request = input.seed % 8 == 7;
  const HeadLimits limits{.head_bytes_max = 2000, .header_count_max = 20};
  const Transcript whole = ReadResponses({input.bytes}, head_request, limits);
  CHECK(ReadResponses(input.Cut(), head_request, limits) == whole);
  CHECK(whole.ended <= whole.heads.size());
  CHECK(CompleteAtClose({input.bytes}) == CompleteAtClose(input.Cut()));
  return 0;
}
