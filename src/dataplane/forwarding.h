// The heads that are sent on: what a proxy must drop, keep and add (RFC 9110 section 7.6).

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "http/head.h"

namespace gw {

struct ForwardedRequest {
  std::string_view target;
  std::string_view request_id;
  std::string_view client_ip;
  uint64_t body_bytes = 0;
  bool read_here = false;  // the gateway reads the answer itself: asked for as it is, not coded
  // The model's name for kModelNameField in place of the client's field; empty: no such field.
  std::optional<std::string_view> model_name = {};
};

// Writes the head of the request to an endpoint: the client's end-to-end fields as they are and in
// order, with x-request-id, x-forwarded-for, -proto and -host made right, and Content-Length set
// to what is sent (the body was buffered).
void WriteUpstreamHead(const http::RequestHead& head, const ForwardedRequest& request,
                       std::string* out);

// How the response's body is framed towards the client.
enum class DownstreamFraming : uint8_t { kNoBody, kLength, kChunked, kToClose };

struct ForwardedResponse {
  std::string_view request_id;
  bool head_request = false;
  bool http10 = false;      // the client speaks HTTP/1.0: no chunked coding
  bool keep_alive = false;  // the connection stays open after this response
};

// Writes the head of the response to the client and says how its body is framed.
DownstreamFraming WriteDownstreamHead(const http::ResponseHead& head,
                                      const ForwardedResponse& response, std::string* out);

}  // namespace gw
