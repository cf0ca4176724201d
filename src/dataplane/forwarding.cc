#include "dataplane/forwarding.h"

#include "exchange/exchange.h"
#include "http/h1_writer.h"

namespace gw {
namespace {

using http::EqualsIgnoreCase;

// Fields of the request that the gateway writes itself.
bool IsRewrittenInRequest(std::string_view name) {
  switch (name.size()) {
    case 6:
      return EqualsIgnoreCase(name, "expect");
    case 12:
      return EqualsIgnoreCase(name, "x-request-id");
    case 14:
      return EqualsIgnoreCase(name, "content-length");
    case 15:
      return EqualsIgnoreCase(name, "x-forwarded-for");
    case 16:
      return EqualsIgnoreCase(name, "x-forwarded-host");
    case 17:
      return EqualsIgnoreCase(name, "x-forwarded-proto");
    default:
      return false;
  }
}

void WriteForwardedFor(const http::HeaderList& headers, std::string_view client_ip,
                       std::string* out) {
  std::string value;
  for (const http::HeaderField& field : headers) {
    if (!EqualsIgnoreCase(field.name, "x-forwarded-for")) continue;
    if (field.value.empty()) continue;
    value += field.value;
    value += ", ";
  }
  value += client_ip;
  http::AppendHeader(out, "x-forwarded-for", value);
}

}  // namespace

void WriteUpstreamHead(const http::RequestHead& head, const ForwardedRequest& request,
                       std::string* out) {
  out->clear();
  http::AppendRequestLine(out, head.method, request.target);
  const http::HeaderField* forwarded_proto = nullptr;
  const http::HeaderField* forwarded_host = nullptr;
  bool has_host = false;
  const http::HopByHopFields hop_by_hop(head.headers);
  for (const http::HeaderField& field : head.headers) {
    if (field.name.size() == 4 && EqualsIgnoreCase(field.name, "host")) {
      // Never hop-by-hop, whatever Connection says; the authority of an absolute target overrides
      // it.
      if (!has_host) http::AppendHeader(out, field.name, head.authority);
      has_host = true;
      continue;
    }
    if (IsRewrittenInRequest(field.name)) {
      if (EqualsIgnoreCase(field.name, "x-forwarded-proto")) forwarded_proto = &field;
      if (EqualsIgnoreCase(field.name, "x-forwarded-host")) forwarded_host = &field;
      continue;
    }
    if (hop_by_hop.Contains(field.name)) continue;
    if (request.read_here && EqualsIgnoreCase(field.name, "accept-encoding")) continue;
    if (request.model_name && EqualsIgnoreCase(field.name, kModelNameField)) continue;
    http::AppendHeader(out, field.name, field.value);
  }
  if (request.read_here) http::AppendHeader(out, "accept-encoding", "identity");
  if (!has_host) http::AppendHeader(out, "host", head.authority);
  if (request.model_name && !request.model_name->empty()) {
    http::AppendHeader(out, kModelNameField, *request.model_name);
  }
  http::AppendHeader(out, "x-request-id", request.request_id);
  WriteForwardedFor(head.headers, request.client_ip, out);
  http::AppendHeader(out, "x-forwarded-proto",
                     forwarded_proto != nullptr ? forwarded_proto->value : "http");
  if (forwarded_host != nullptr) {
    http::AppendHeader(out, "x-forwarded-host", forwarded_host->value);
  } else if (!head.authority.empty()) {
    http::AppendHeader(out, "x-forwarded-host", head.authority);
  }
  // A body that was announced is announced again, even an empty one.
  if (request.body_bytes > 0 || head.framing != http::BodyFraming::kNone || head.method == "POST") {
    http::AppendHeader(out, "content-length", request.body_bytes);
  }
  http::AppendHeadEnd(out);
}

DownstreamFraming WriteDownstreamHead(const http::ResponseHead& head,
                                      const ForwardedResponse& response, std::string* out) {
  out->clear();
  http::AppendStatusLine(out, head.status, head.reason);
  bool has_request_id = false;
  const http::HopByHopFields hop_by_hop(head.headers);
  const http::HeaderField* content_length = nullptr;
  for (const http::HeaderField& field : head.headers) {
    if (field.name.size() == 12 && EqualsIgnoreCase(field.name, "x-request-id")) {
      has_request_id = true;
    }
    if (field.name.size() == 14 && EqualsIgnoreCase(field.name, "content-length")) {
      content_length = &field;
      continue;
    }
    if (hop_by_hop.Contains(field.name)) continue;
    http::AppendHeader(out, field.name, field.value);
  }
  if (!has_request_id) http::AppendHeader(out, "x-request-id", response.request_id);
  DownstreamFraming framing = DownstreamFraming::kNoBody;
  const bool bodiless = response.head_request || head.status == 204 || head.status == 304;
  if (bodiless || head.framing == http::BodyFraming::kLength) {
    if (!bodiless) framing = DownstreamFraming::kLength;
    if (content_length != nullptr && head.status != 204) {
      http::AppendHeader(out, "content-length", content_length->value);
    }
  } else if (head.framing == http::BodyFraming::kNone) {
    http::AppendHeader(out, "content-length", uint64_t{0});
  } else if (response.http10) {
    framing = DownstreamFraming::kToClose;
  } else {
    framing = DownstreamFraming::kChunked;
    http::AppendHeader(out, "transfer-encoding", "chunked");
  }
  const bool keep_alive = response.keep_alive && framing != DownstreamFraming::kToClose;
  if (!keep_alive) {
    http::AppendHeader(out, "connection", "close");
  } else if (response.http10) {
    http::AppendHeader(out, "connection", "keep-alive");
  }
  http::AppendHeadEnd(out);
  return framing;
}

}  // namespace gw
