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
    case 23:
      return EqualsIgnoreCase(name, "x-forwarded-client-cert");
    default:
      return false;
  }
}

void SetForwardedFor(const http::HeaderList& headers, std::string_view client_ip,
                     std::string* value) {
  value->clear();
  for (const http::HeaderField& field : headers) {
    if (!EqualsIgnoreCase(field.name, "x-forwarded-for")) continue;
    if (field.value.empty()) continue;
    *value += field.value;
    *value += ", ";
  }
  *value += client_ip;
}

// As Envoy writes it. What a client sends by that name is never passed on: whoever reads it may
// believe it. Quotes and control characters are escaped in the subject already (RFC 2253).
void SetClientCert(const ClientIdentity& client, std::string* value) {
  *value = "Hash=";
  *value += client.fingerprint;
  *value += ";Subject=\"";
  *value += client.subject;
  *value += '"';
}

// Whether it is said anew, or has lost its meaning.
bool IsReplacedInTrace(std::string_view name, const ForwardedRequest& request) {
  if (!request.trace) return false;
  return (name.size() == 11 && EqualsIgnoreCase(name, "traceparent")) ||
         (name.size() == 10 && !request.keeps_trace_state && EqualsIgnoreCase(name, "tracestate"));
}

// Whether a client's field stays here when somebody else serves (EndpointAccess::elsewhere).
bool IsOursAlone(std::string_view name, const EndpointAccess& access) {
  for (const std::string_view of_clients : {"cookie", "forwarded", "x-real-ip"}) {
    if (name.size() == of_clients.size() && EqualsIgnoreCase(name, of_clients)) return true;
  }
  return access.credential && HasApiKey(name);
}

}  // namespace

ClientRequest RequestForwarder::Forward(const http::RequestHead& head,
                                        const ForwardedRequest& request) {
  fields_.clear();
  std::string_view proto = "http";
  std::string_view host = head.authority;
  const bool elsewhere = request.access != nullptr && request.access->elsewhere;
  const http::HopByHopFields hop_by_hop(head.headers);
  for (const http::HeaderField& field : head.headers) {
    // Never hop-by-hop, whatever Connection says; the authority of an absolute target overrides it.
    if (field.name.size() == 4 && EqualsIgnoreCase(field.name, "host")) continue;
    if (IsRewrittenInRequest(field.name)) {
      if (EqualsIgnoreCase(field.name, "x-forwarded-proto")) proto = field.value;
      if (EqualsIgnoreCase(field.name, "x-forwarded-host")) host = field.value;
      continue;
    }
    if (hop_by_hop.Contains(field.name)) continue;
    if (request.decoded && EqualsIgnoreCase(field.name, "content-encoding")) continue;
    if (request.drops_credentials && HasApiKey(field.name)) continue;
    if (request.model_name && EqualsIgnoreCase(field.name, kModelNameField)) continue;
    if (elsewhere && IsOursAlone(field.name, *request.access)) continue;
    if (IsReplacedInTrace(field.name, request)) continue;
    fields_.push_back(field);
  }
  if (request.model_name && !request.model_name->empty()) {
    fields_.push_back({kModelNameField, *request.model_name});
  }
  if (request.client.tls) proto = "https";
  fields_.push_back({"x-request-id", request.request_id});
  if (!elsewhere) {
    SetForwardedFor(head.headers, request.client.ip, &forwarded_for_);
    fields_.push_back({"x-forwarded-for", forwarded_for_});
    fields_.push_back({"x-forwarded-proto", proto});
    if (!host.empty()) fields_.push_back({"x-forwarded-host", host});
    if (!request.client.subject.empty()) {
      SetClientCert(request.client, &client_cert_);
      fields_.push_back({"x-forwarded-client-cert", client_cert_});
    }
  }
  if (request.trace) {
    fields_.push_back({"traceparent", WriteTraceparent(*request.trace, &traceparent_)});
  }
  request.filters.EditRequest(&fields_);
  if (request.read_here) {
    std::erase_if(fields_, [](const http::HeaderField& field) {
      return EqualsIgnoreCase(field.name, "accept-encoding");
    });
    fields_.push_back({"accept-encoding", "identity"});
  }
  if (request.access != nullptr) SetCredential(*request.access, &fields_);
  std::string_view authority = request.filters.hostname();
  if (authority.empty() && request.access != nullptr) authority = request.access->authority;
  if (authority.empty()) authority = head.authority;
  // A body that was announced is announced again, even an empty one.
  const bool has_body =
      request.has_body || head.framing != http::BodyFraming::kNone || head.method == "POST";
  return {head.method, request.target, authority, fields_, has_body, {}};
}

void SetCredential(const EndpointAccess& access, std::vector<http::HeaderField>* fields) {
  if (!access.credential) return;
  const auto& [name, value] = *access.credential;
  std::erase_if(*fields, [&](const http::HeaderField& field) {
    return field.name.size() == name.size() && EqualsIgnoreCase(field.name, name);
  });
  fields->push_back({name, value});
}

void SetField(const http::HeaderField& field, std::vector<http::HeaderField>* fields) {
  if (field.name != "set-cookie") {
    std::erase_if(*fields, [&](const http::HeaderField& other) {
      return EqualsIgnoreCase(other.name, field.name);
    });
  }
  fields->push_back(field);
}

http::ResponseHead FilteredHead(const http::ResponseHead& head, const http::RequestHead& request,
                                const FilterChain& filters, const RateFields& rates,
                                std::span<const http::HeaderField> set) {
  std::vector<http::HeaderField> fields;
  const http::HopByHopFields hop_by_hop(head.headers);
  for (const http::HeaderField& field : head.headers) {
    if (!hop_by_hop.Contains(field.name)) fields.push_back(field);
  }
  rates.SetIn(&fields);
  filters.EditResponse(request, &fields);
  for (const http::HeaderField& field : set) SetField(field, &fields);
  http::ResponseHead filtered = head;
  filtered.headers.Clear();
  for (const http::HeaderField& field : fields) filtered.headers.Add(field.name, field.value);
  return filtered;
}

TryFailure TryFailureOf(ClientFailure failure) {
  switch (failure) {
    case ClientFailure::kConnectRefused:
      return TryFailure::kConnectRefused;
    case ClientFailure::kConnectTimeout:
      return TryFailure::kConnectTimeout;
    case ClientFailure::kTlsHandshake:
      return TryFailure::kTlsHandshake;
    case ClientFailure::kUnreachable:
      return TryFailure::kUnreachable;
    case ClientFailure::kLocalResources:
      return TryFailure::kLocalResources;
    case ClientFailure::kStaleConnection:
      return TryFailure::kStaleConnection;
    case ClientFailure::kClosed:
      return TryFailure::kReset;
    case ClientFailure::kBadResponse:
      return TryFailure::kBadResponse;
    case ClientFailure::kTimeout:
      return TryFailure::kResponseTimeout;
  }
  return TryFailure::kReset;
}

BodyForm WriteDownstreamHead(const http::ResponseHead& head, const ForwardedResponse& response,
                             std::string* out) {
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
  BodyForm form = BodyForm::kNone;
  const bool bodiless = response.head_request || head.status == 204 || head.status == 304;
  if (bodiless || (head.framing == http::BodyFraming::kLength && !response.filtered)) {
    if (!bodiless) form = BodyForm::kSized;
    if (content_length != nullptr && head.status != 204) {
      http::AppendHeader(out, "content-length", content_length->value);
    }
  } else if (head.framing == http::BodyFraming::kNone) {
    http::AppendHeader(out, "content-length", uint64_t{0});
  } else if (response.http10) {
    form = BodyForm::kToClose;
  } else {
    form = BodyForm::kOpen;
    http::AppendHeader(out, "transfer-encoding", "chunked");
  }
  const bool keep_alive = response.keep_alive && form != BodyForm::kToClose;
  if (!keep_alive) {
    http::AppendHeader(out, "connection", "close");
  } else if (response.http10) {
    http::AppendHeader(out, "connection", "keep-alive");
  }
  http::AppendHeadEnd(out);
  return form;
}

}  // namespace gw
