// What is sent on: which fields a proxy must drop, keep and add (RFC 9110 section 7.6).

#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "client/request.h"
#include "dataplane/rate_fields.h"
#include "dataplane/response_sink.h"
#include "exchange/asked.h"
#include "exchange/metrics.h"
#include "http/head.h"
#include "routing/filters.h"
#include "snapshot/snapshot.h"
#include "trace/context.h"

namespace gw {

struct ForwardedRequest {
  std::string_view target;
  std::string_view request_id;
  ClientIdentity client;
  bool has_body = false;
  bool read_here = false;  // the gateway reads the answer itself: asked for as it is, not coded
  // The model's name for kModelNameField in place of the client's field; empty: no such field.
  std::optional<std::string_view> model_name = {};
  bool decoded = false;  // the body goes on without the coding that it came with
  FilterChain filters = {};
  bool drops_credentials = false;  // Authorization and x-api-key were for the gateway
  const EndpointAccess* access = nullptr;
  // What is said of the trace in place of what the client says; nullopt: that passes as it is.
  std::optional<TraceContext> trace = {};
  bool keeps_trace_state = false;  // the client's, which belongs to its traceparent
};

// Puts what the endpoints want to see in the place of all fields of that name, if they do. Views of
// `access`.
void SetCredential(const EndpointAccess& access, std::vector<http::HeaderField>* fields);

// The request to an endpoint, without its body's parts: the client's end-to-end fields as they are
// and in order, with x-request-id, x-forwarded-for, -proto, -host and -client-cert made right, then
// what the route's filters make of them, and last the endpoints' own credential. Host is what a
// filter says, else what the endpoints want, else the client's.
class RequestForwarder {
 public:
  // Views of the result are valid until the next call, as long as `head` and `request`'s are.
  ClientRequest Forward(const http::RequestHead& head, const ForwardedRequest& request);

 private:
  std::vector<http::HeaderField> fields_;
  std::string forwarded_for_;
  std::string client_cert_;
  TraceparentText traceparent_;
};

// The head of an answer with what is left of the client's limits, as the route's filters make it,
// without the fields of one hop. Views of all that is given; the filters are the request's.
// `session`: a field that is added then; of those with its name only cookies stay beside it.
http::ResponseHead FilteredHead(const http::ResponseHead& head, const http::RequestHead& request,
                                const FilterChain& filters, const RateFields& rates,
                                std::span<const http::HeaderField> set);

// Puts the field in the place of all of its name; a cookie stands beside the others.
void SetField(const http::HeaderField& field, std::vector<http::HeaderField>* fields);

// What a failure of the connection to an endpoint is to the request.
TryFailure TryFailureOf(ClientFailure failure);

struct ForwardedResponse {
  std::string_view request_id;
  bool head_request = false;
  bool http10 = false;      // the client speaks HTTP/1.0: no chunked coding
  bool keep_alive = false;  // the connection stays open after this response
  bool filtered = false;    // the body's length changes on its way
};

// Writes the head of the response in HTTP/1.1 and says how its body ends: kOpen is the chunked
// coding.
BodyForm WriteDownstreamHead(const http::ResponseHead& head, const ForwardedResponse& response,
                             std::string* out);

}  // namespace gw
