#include "exchange/early_stream.h"

#include "inference/response.h"

namespace gw {

std::optional<Duration> StreamKeepaliveOf(const Exchange& exchange) {
  const InferenceRequest& request = exchange.request();
  if (request.api == ApiKind::kOther || !request.stream) return std::nullopt;
  return exchange.stream_keepalive();
}

std::string EarlyErrorEvent(const Exchange& exchange, Rejection rejection) {
  const RejectionInfo& info = InfoOf(rejection);
  return ErrorEvent(exchange.request().api, info.status, info.code, exchange.rejection_text(),
                    false);
}

std::string EarlyErrorEvent(const Exchange& exchange, int status, std::string_view body) {
  std::string text = "the model server answered " + std::to_string(status);
  if (status < 300) text += " and no event stream";
  text += ": ";
  text += body;
  return ErrorEvent(exchange.request().api, status < 300 ? 502 : status, "upstream_error", text,
                    false);
}

}  // namespace gw
