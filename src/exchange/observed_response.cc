#include "exchange/observed_response.h"

namespace gw {

void ObservedResponse::Begin(const http::ResponseHead& head, ApiKind api) {
  constexpr std::string_view kEventStream = "text/event-stream";
  const http::HeaderField* type = head.headers.Find("content-type");
  event_stream_ = type != nullptr &&
                  http::EqualsIgnoreCase(type->value.substr(0, kEventStream.size()), kEventStream);
  const http::HeaderField* coding = head.headers.Find("content-encoding");
  coded_ = coding != nullptr && !http::EqualsIgnoreCase(coding->value, "identity");
  read_ = !coded_ && (event_stream_ || api != ApiKind::kOther);
  counted_ = api != ApiKind::kOther;
  reader_.Reset(api, event_stream_);
  filter_.Stop();
}

void ObservedResponse::FilterUsage(bool keep_null) {
  if (plain_stream()) filter_.Start(keep_null);
}

void ObservedResponse::Drop() {
  event_stream_ = false;
  coded_ = false;
  read_ = false;
  counted_ = false;
  reader_.Reset(ApiKind::kOther, false);
  filter_.Stop();
}

int64_t ObservedResponse::estimated_tokens() const {
  const bool reported = reader_.usage().completion_tokens >= 0;
  return counted_ && event_stream_ && !reported ? reader_.output_events() : 0;
}

}  // namespace gw
