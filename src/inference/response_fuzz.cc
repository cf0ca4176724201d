// Any bytes as a response, cut anywhere: the reader must not crash, and must say the same however
// they are cut. The first byte chooses stream or body, the second seeds the cuts.

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>

#include "base/check.h"
#include "base/random.h"
#include "inference/response.h"

namespace {

auto FactsOf(const gw::ResponseReader& reader) {
  const gw::Usage& usage = reader.usage();
  return std::tuple(usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens,
                    reader.output_events(), reader.saw_done(), reader.saw_abort(),
                    reader.saw_error_event(), reader.at_event_boundary());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const bool stream = data[0] % 2 == 0;
  gw::Random random(data[1]);
  const std::string_view body(reinterpret_cast<const char*>(data) + 2, size - 2);

  gw::ResponseReader whole;
  whole.Reset(gw::ApiKind::kChatCompletions, stream);
  whole.Feed(body);
  gw::ResponseReader cut;
  cut.Reset(gw::ApiKind::kChatCompletions, stream);
  for (size_t at = 0; at < body.size();) {
    const size_t bytes = std::min<size_t>(1 + random.Below(1 + random.Below(40)), body.size() - at);
    // A copy of its own, so that reading past a cut is seen.
    const std::string piece(body.substr(at, bytes));
    cut.Feed(piece);
    at += bytes;
  }
  CHECK(FactsOf(whole) == FactsOf(cut));
  whole.Finish();
  cut.Finish();
  CHECK(FactsOf(whole) == FactsOf(cut));
  return 0;
}
