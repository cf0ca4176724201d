#include <algorithm>
#include <set>

#include "api/annotations.h"
#include "api/kinds.h"
#include "api/names.h"
#include "api/read_access.h"
#include "api/read_tls.h"

namespace gw::api {
namespace {

// More than any API server takes: what somebody has written into a status refuses no Gateway.
constexpr size_t kToldMax = 100'000;
constexpr size_t kTextMax = 1u << 20;

bool IsProtocol(std::string_view text) {
  // "HTTP", or a domain and a path for protocols of other implementations.
  if (text.size() > 255) return false;
  const size_t slash = text.find('/');
  if (slash != std::string_view::npos) return IsControllerName(text);
  return IsKind(text);
}

bool Contains(const std::vector<std::string>& values, const std::string& value) {
  for (const std::string& known : values) {
    if (known == value) return true;
  }
  return false;
}

ParametersRef ReadParametersRef(const Value& value, bool has_namespace) {
  MapReader in = value.Map();
  ParametersRef ref;
  ref.group = in.Require("group").Group();
  ref.kind = in.Require("kind").Kind();
  ref.name = in.Require("name").Text(1, 253);
  if (has_namespace) ref.ns = in.Get("namespace").DnsLabel();
  return ref;
}

LabelSelector ReadSelector(const Value& value) {
  using Operator = LabelRequirement::Operator;
  static constexpr Operator kOperators[] = {Operator::kIn, Operator::kNotIn, Operator::kExists,
                                            Operator::kDoesNotExist};
  MapReader in = value.Map();
  LabelSelector selector;
  selector.match_labels = in.Get("matchLabels").Labels();
  for (const Value& item : in.Get("matchExpressions").List(0, 64)) {
    MapReader map = item.Map();
    LabelRequirement requirement;
    requirement.key = map.Require("key").TextLike(IsLabelKey, "a label key");
    requirement.op =
        kOperators[map.Require("operator").OneOf({"In", "NotIn", "Exists", "DoesNotExist"}, 0)];
    const Value values = map.Get("values");
    for (const Value& label : values.List(0, 256)) {
      requirement.values.push_back(label.TextLike(IsLabelValue, "a label value"));
    }
    const bool wants_values = requirement.op == Operator::kIn || requirement.op == Operator::kNotIn;
    if (wants_values && requirement.values.empty()) {
      values.Error("must not be empty for operator In or NotIn");
    } else if (!wants_values && !requirement.values.empty()) {
      values.Error("must be empty for operator Exists or DoesNotExist");
    }
    selector.match_expressions.push_back(std::move(requirement));
  }
  return selector;
}

AllowedRoutes ReadAllowedRoutes(const Value& value) {
  using From = AllowedRoutes::From;
  static constexpr From kFroms[] = {From::kSame, From::kAll, From::kSelector, From::kNone};
  AllowedRoutes allowed;
  MapReader in = value.Map();
  {
    MapReader namespaces = in.Get("namespaces").Map();
    allowed.from = kFroms[namespaces.Get("from").OneOf({"Same", "All", "Selector", "None"}, 0)];
    const Value selector = namespaces.Get("selector");
    if (selector.present()) allowed.selector = ReadSelector(selector);
    if (allowed.from == From::kSelector && !selector.present()) {
      selector.Error("is required when from is Selector");
    }
  }
  for (const Value& item : in.Get("kinds").List(0, 8)) {
    MapReader map = item.Map();
    RouteGroupKind kind;
    const Value group = map.Get("group");
    if (group.present()) kind.group = group.Group();
    kind.kind = map.Require("kind").Kind();
    allowed.kinds.push_back(std::move(kind));
  }
  return allowed;
}

// `files`: of the Gateway, for listeners that name no certificate.
Listener ReadListener(const Value& value, const std::string& ns, int index,
                      const std::optional<CertificateFiles>& files,
                      std::vector<Unsupported>* unsupported) {
  Listener listener;
  MapReader in = value.Map();
  listener.name = in.Require("name").DnsSubdomain();
  const Value hostname = in.Get("hostname");
  listener.hostname = hostname.Hostname();
  listener.port = in.Require("port").Port().value_or(0);
  const Value protocol = in.Require("protocol");
  listener.protocol = protocol.TextLike(IsProtocol, "a protocol such as HTTP or HTTPS");
  protocol.Keep();
  const Value tls = in.Get("tls");
  if (tls.present()) {
    listener.tls = ReadListenerTls(tls, ns, index, files, unsupported);
  } else if (listener.protocol == "HTTPS" && files) {
    listener.tls = ListenerTls{.files = files};
  }
  const bool plain =
      listener.protocol == "HTTP" || listener.protocol == "TCP" || listener.protocol == "UDP";
  if (plain && tls.present()) tls.Error("must not be given for protocol " + listener.protocol);
  if (listener.protocol == "HTTPS" && listener.tls &&
      listener.tls->mode != ListenerTls::Mode::kTerminate) {
    tls.Error("mode must be Terminate for protocol HTTPS");
  }
  if ((listener.protocol == "TCP" || listener.protocol == "UDP") && hostname.present()) {
    hostname.Error("must not be given for protocol " + listener.protocol);
  }
  value.Keep();
  const Value allowed = in.Get("allowedRoutes");
  listener.allowed_routes = ReadAllowedRoutes(allowed);
  allowed.Keep();
  return listener;
}

bool AnyUses(const CertificateFiles& files, const std::vector<Listener>& listeners) {
  return std::any_of(listeners.begin(), listeners.end(), [&](const Listener& listener) {
    return listener.tls && listener.tls->files == files;
  });
}

GatewayAddress ReadAddress(const Value& value, std::vector<Unsupported>* unsupported) {
  MapReader in = value.Map();
  GatewayAddress address;
  const Value type = in.Get("type");
  ReadInto(type, &address.type);
  const Value text = in.Get("value");
  address.value = text.Text(0, 253);
  if (address.type == "IPAddress" && !address.value.empty() && !IsIpAddress(address.value)) {
    text.Error("must be an IP address, got " + Quoted(address.value));
  } else if (address.type == "IPAddress" && !address.value.empty()) {
    address.value = CanonicalIp(address.value);
  } else if (address.type != "IPAddress") {
    const std::string where = type.where();
    unsupported->push_back({type.path(), -1,
                            address.type + " is not supported, only IPAddress is" +
                                (where.empty() ? "" : " (" + where + ")")});
  }
  return address;
}

void ReadServiceType(const ObjectInput& in, std::string* type) {
  const auto written = in.meta.annotations.find(kServiceTypeAnnotation);
  if (written == in.meta.annotations.end()) return;
  *type = written->second;
  if (*type == "LoadBalancer" || *type == "NodePort" || *type == "ClusterIP") return;
  in.top.Get("metadata")
      .At("annotations")
      .At(kServiceTypeAnnotation)
      .Error("must be LoadBalancer, NodePort or ClusterIP, got " + Quoted(*type));
}

// Of an API server, which has judged it. The rest of a Gateway's status is not looked at.
ToldIps ReadTold(const Value& status) {
  ToldIps told;
  for (const Value& item : status.At("addresses").List(0, kToldMax)) {
    const std::string ip = item.At("value").Text(0, kTextMax);
    if (IsIpAddress(ip)) told.ips.push_back(CanonicalIp(ip));
  }
  return told;
}

}  // namespace

GatewayClass ReadGatewayClass(ObjectInput& in) {
  GatewayClass result;
  MapReader spec = in.top.Require("spec").Map();
  const Value controller = spec.Require("controllerName");
  result.controller_name = controller.TextLike(
      IsControllerName, "a domain and a path such as \"penstock.dev/gateway-controller\"");
  controller.Keep();
  result.description = spec.Get("description").Text(0, 64);
  const Value parameters = spec.Get("parametersRef");
  if (parameters.present()) result.parameters_ref = ReadParametersRef(parameters, true);
  NoteUnsupported(parameters, -1, &result.unsupported);
  result.version = in.version;
  result.meta = std::move(in.meta);
  return result;
}

Gateway ReadGateway(ObjectInput& in) {
  Gateway result;
  result.access = ReadKeyAccess(in);
  MapReader spec = in.top.Require("spec").Map();
  const Value class_name = spec.Require("gatewayClassName");
  result.gateway_class_name = class_name.Text(1, 253);
  class_name.Keep();
  const std::optional<CertificateFiles> files = ReadCertificateFiles(in);
  std::vector<std::string> names;
  for (const Value& item : spec.Require("listeners").List(1, 64)) {
    const int index = static_cast<int>(result.listeners.size());
    Listener listener = ReadListener(item, in.meta.ns, index, files, &result.unsupported);
    if (!listener.name.empty() && Contains(names, listener.name)) {
      item.Error("name " + Quoted(listener.name) + " is given to two listeners");
    }
    names.push_back(listener.name);
    result.listeners.push_back(std::move(listener));
  }
  if (files && !AnyUses(*files, result.listeners)) {
    in.top.Get("metadata")
        .At("annotations")
        .At(kCertificateFileOption)
        .Error("no HTTPS listener uses it: all have a certificate of their own");
  }
  const Value addresses = spec.Get("addresses");
  for (const Value& item : addresses.List(0, 16)) {
    result.addresses.push_back(ReadAddress(item, &result.unsupported));
  }
  if (in.of_cluster) result.told = ReadTold(in.top.Get("status"));
  {
    MapReader infrastructure = spec.Get("infrastructure").Map();
    result.infrastructure.labels = infrastructure.Get("labels").Labels();
    result.infrastructure.annotations = infrastructure.Get("annotations").Strings();
    ReadServiceType(in, &result.infrastructure.service_type);
    const Value parameters = infrastructure.Get("parametersRef");
    if (parameters.present()) result.parameters_ref = ReadParametersRef(parameters, false);
    NoteUnsupported(parameters, -1, &result.unsupported);
  }
  GatewayTls tls = ReadGatewayTls(spec.Get("tls"), in.meta.ns);
  result.frontend = std::move(tls.frontend);
  result.backend = std::move(tls.backend);
  for (const char* field : {"allowedListeners", "backendTLS", "defaultScope"}) {
    NoteUnsupported(spec.Get(field), -1, &result.unsupported);
  }
  result.version = in.version;
  result.meta = std::move(in.meta);
  return result;
}

ReferenceGrant ReadReferenceGrant(ObjectInput& in) {
  ReferenceGrant grant;
  MapReader spec = in.top.Require("spec").Map();
  for (const Value& item : spec.Require("from").List(1, 16)) {
    MapReader map = item.Map();
    ReferenceGrant::From from;
    from.group = map.Get("group").Group();
    from.kind = map.Require("kind").Kind();
    from.ns = map.Require("namespace").DnsLabel();
    grant.from.push_back(std::move(from));
  }
  for (const Value& item : spec.Require("to").List(1, 16)) {
    MapReader map = item.Map();
    ReferenceGrant::To to;
    to.group = map.Get("group").Group();
    to.kind = map.Require("kind").Kind();
    to.name = map.Get("name").Text(1, 253);
    grant.to.push_back(std::move(to));
  }
  grant.version = in.version;
  grant.meta = std::move(in.meta);
  return grant;
}

}  // namespace gw::api
