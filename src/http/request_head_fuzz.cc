// Any bytes as the input of a RequestParser: the same however they are cut, and what is accepted is
// read back from what the writer makes of it.

#include <string>
#include <string_view>
#include <vector>

#include "http/fuzz_util.h"
#include "http/h1_writer.h"
#include "http/url.h"

namespace gw::http {
namespace {

// An accepted head, written again, must be the same head: nothing in it can end a line or a field.
void CheckHead(std::string_view bytes) {
  RequestParser parser;
  H1Step step = parser.Next(bytes);
  if (step.event != H1Event::kHead) return;
  const RequestHead& head = parser.head();
  std::string written;
  AppendRequestLine(&written, head.method, head.target);
  size_t hosts = 0;
  std::vector<std::string_view> connection;
  for (const HeaderField& field : head.headers) {
    AppendHeader(&written, field.name, field.value);
    hosts += EqualsIgnoreCase(field.name, "host");
    if (EqualsIgnoreCase(field.name, "connection")) connection.push_back(field.value);
  }
  const HopByHopFields hop_by_hop(head.headers);
  for (const HeaderField& field : head.headers) {
    if (EqualsIgnoreCase(field.name, "close")) continue;  // in Connection an option, no field
    for (std::string_view list : connection) {
      CHECK(!HasListElement(list, field.name) || hop_by_hop.Contains(field.name));
    }
  }
  if (hosts == 0) AppendHeader(&written, "Host", "a");  // from an HTTP/1.0 client
  AppendHeadEnd(&written);
  if (head.minor_version == 0 && head.framing == BodyFraming::kChunked) CHECK(false);
  RequestParser again;
  step = again.Next(written);
  CHECK(step.event == H1Event::kHead || again.error() == HeadError::kHeadTooLarge ||
        again.error() == HeadError::kTooManyHeaders);
  if (step.event != H1Event::kHead) return;
  CHECK(step.consumed == written.size());
  CHECK(again.head().headers.size() == head.headers.size() + (hosts == 0 ? 1 : 0));
  CHECK(again.head().framing == head.framing);
  CHECK(again.head().content_length == head.content_length);
  if (const auto target = ParseTarget(head.target)) {
    CHECK(!target->path.empty());
    CHECK(target->path.find("/../") == std::string_view::npos);
    if (!target->host.empty()) CHECK(head.authority.starts_with(target->host));
  }
}

}  // namespace
}  // namespace gw::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gw::http;
  const FuzzInput input(data, size);
  const HeadLimits limits{.head_bytes_max = 2000, .header_count_max = 20, .target_bytes_max = 500};
  const Transcript whole = ReadRequests({input.bytes}, limits);
  CHECK(ReadRequests(input.Cut(), limits) == whole);
  CheckHead(input.bytes);
  return 0;
}
