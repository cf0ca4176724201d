// Any bytes as a body with content codings: no matter in which slices they are given and taken, the
// same comes out, and never more than the limits allow.

#include "http/content_decoder.h"
#include "http/fuzz_util.h"

namespace gw::http {
namespace {

using Outcome = ContentDecoder::Outcome;
constexpr ContentDecoder::Limits kLimits{1 << 20, 100, 64 * 1024};

struct Decoded {
  Outcome outcome = Outcome::kNeedMore;
  std::string text;
};

Decoded Decode(const std::vector<std::string_view>& parts, std::span<const ContentCoding> codings,
               size_t room) {
  ContentDecoder decoder(codings, kLimits);
  Decoded decoded;
  std::string slice(room, '\0');
  for (size_t i = 0; i <= parts.size(); ++i) {
    std::string_view part = i < parts.size() ? parts[i] : std::string_view();
    size_t written = 0;
    do {
      const size_t before = part.size();
      decoded.outcome = decoder.Decode(&part, i == parts.size(), slice, &written);
      CHECK(written <= slice.size() && part.size() <= before);
      decoded.text.append(slice, 0, written);
      CHECK(decoded.text.size() <= kLimits.bytes_max + room);
    } while (decoded.outcome == Outcome::kMore);
    if (decoded.outcome != Outcome::kNeedMore) return decoded;
    CHECK(part.empty());
  }
  return decoded;
}

}  // namespace
}  // namespace gw::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gw::http;
  const FuzzInput input(data, size);
  std::vector<ContentCoding> codings{static_cast<ContentCoding>(input.seed % 4)};
  if (input.seed % 16 >= 12) codings.push_back(static_cast<ContentCoding>(input.seed / 16 % 4));
  const Decoded whole = Decode({input.bytes}, codings, 16 * 1024);
  const Decoded cut = Decode(input.Cut(), codings, 1 + input.seed * 5);
  CHECK(whole.outcome != Outcome::kMore && whole.outcome != Outcome::kNeedMore);
  // How far a decoder is when it notices depends on the slices, whether it does does not.
  const bool good = whole.outcome == Outcome::kDone;
  CHECK(good == (cut.outcome == Outcome::kDone));
  CHECK(!good || whole.text == cut.text);
  return 0;
}
