#include "exchange/rejection.h"

#include "base/check.h"

namespace gw {
namespace {

constexpr RejectionInfo kTable[] = {
    {200, "none", "", 0},
    {400, "bad_request", "the request is not valid HTTP/1.1", 0},
    {400, "ambiguous_header",
     "a header field has _ in its name where servers take it for the one with -", 0},
    {417, "expectation_failed", "only Expect: 100-continue is understood", 0},
    {400, "invalid_body", "the request body is not valid", 0},
    {414, "uri_too_long", "the request target is too long", 0},
    {431, "headers_too_large", "the request's header fields are too large or too many", 0},
    {413, "body_too_large", "the request body is larger than the gateway accepts", 0},
    {400, "invalid_content_encoding", "the request body is not what its Content-Encoding says", 0},
    {413, "compression_ratio_too_large",
     "the request body grows more by decoding than the gateway accepts", 0},
    {415, "content_encoding_not_supported", "the request's Content-Encoding is not supported", 0},
    {505, "version_not_supported", "only HTTP/1.0 and HTTP/1.1 are supported", 0},
    {501, "upgrade_not_supported", "the gateway does not switch protocols", 0},
    {404, "route_not_found", "no route matches this request", 0},
    {404, "model_not_found", "the model does not exist", 0},
    {401, "invalid_api_key", "the API key is not known here", 0},
    {429, "rate_limit_exceeded", "the API key's limit of requests per minute is reached", 1},
    {429, "token_rate_limit_exceeded", "the API key's limit of tokens per minute is reached", 1},
    {429, "saturated", "all endpoints are saturated and the request is not critical", 1},
    {429, "queue_full", "too many requests wait", 1},
    {429, "queue_timeout", "the request has waited for its turn as long as it may", 1},
    {503, "max_requests", "as many requests are here as may be at once", 0},
    {503, "max_waiting", "as many requests wait as may", 0},
    {429, "evicted", "the request was ended to make room for one of a higher priority", 1},
    {500, "route_not_supported", "the route needs a feature that is not supported", 0},
    {500, "no_valid_destination", "the route has no valid destination for this request", 0},
    {500, "pool_not_servable", "the pool cannot be served as it is configured", 0},
    {503, "no_endpoint", "the pool has no ready endpoint", 5},
    {503, "endpoints_unreachable", "no endpoint of the pool could be connected to", 5},
    {502, "upstream_failed", "the model server closed the connection without an answer", 0},
    {502, "upstream_bad_response", "the model server's response is not valid HTTP", 0},
    {502, "upstream_tls_failed", "the TLS handshake with the model server failed", 0},
    {504, "timeout", "the model server did not answer in time", 0},
    {504, "bootstrap_timeout", "the KV cache did not go from prefill to decode in time", 0},
    {501, "not_disaggregated",
     "the pool splits prefill and decode and has no endpoint that serves "
     "this API alone",
     0},
    {503, "gateway_out_of_resources",
     "the gateway has no descriptor or port left for a connection to the model server", 1},
    {503, "shutting_down", "the gateway is shutting down", 1},
    {408, "body_timeout", "the request's body did not come in time", 0},
    {503, "too_many_bytes_held", "the gateway holds as many bytes of requests as it may", 1},
    {421, "misdirected_request",
     "the request's host is of another listener than the server name of its TLS connection", 0},
};

}  // namespace

const RejectionInfo& InfoOf(Rejection rejection) {
  const auto index = static_cast<size_t>(rejection);
  CHECK(index < std::size(kTable));
  return kTable[index];
}

size_t RejectionCount() { return std::size(kTable); }

Rejection RejectionFor(http::HeadError error) {
  if (error == http::HeadError::kAmbiguousName) return Rejection::kAmbiguousName;
  switch (http::StatusOf(error)) {
    case 414:
      return Rejection::kUriTooLong;
    case 417:
      return Rejection::kExpectation;
    case 431:
      return Rejection::kHeadTooLarge;
    case 505:
      return Rejection::kVersionUnsupported;
    default:
      return Rejection::kBadRequest;
  }
}

}  // namespace gw
