#include "api/annotations.h"
#include "api/core_fields.h"
#include "api/kinds.h"
#include "api/names.h"
#include "base/text.h"

namespace gw::api {
namespace {

constexpr size_t kTextMax = 1u << 20;
constexpr size_t kListMax = 100'000;

// "8000" -> 8000.
std::optional<int> PortFromText(std::string_view text) {
  if (text.empty() || text.size() > 5 || text.front() == '0') return std::nullopt;
  int port = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    port = port * 10 + (c - '0');
  }
  return port <= 65535 ? std::optional<int>(port) : std::nullopt;
}

// The Ready condition of a Pod; `unjudged`: without any condition.
bool PodReady(const Value& conditions, bool unjudged) {
  const std::vector<Value> items = conditions.List(0, kListMax);
  bool ready = items.empty() && unjudged;
  for (const Value& item : items) {
    MapReader condition = item.Map();
    const bool about_ready = condition.Get("type").Text(0, kTextMax) == "Ready";
    const bool is_true = condition.Get("status").Text(0, kTextMax) == "True";
    condition.IgnoreAll(kPodConditionFields);
    if (about_ready) ready = is_true;
  }
  return ready;
}

ServicePort ReadServicePort(const Value& value) {
  MapReader in = value.Map();
  ServicePort port;
  port.name = in.Get("name").Text(0, 63);
  port.port = in.Require("port").Port().value_or(0);
  port.target_port = port.port;
  const Value target = in.Get("targetPort");
  if (target.present()) {
    if (target.IsText()) {
      port.target_port = 0;
      port.target_port_name = target.Text(1, 63);
    } else {
      port.target_port = target.Port().value_or(0);
    }
  }
  ReadInto(in.Get("protocol"), &port.protocol);
  ReadInto(in.Get("appProtocol"), &port.app_protocol);
  in.Ignore({"nodePort"});
  return port;
}

std::vector<std::string> ReadTexts(const Value& list) {
  std::vector<std::string> texts;
  for (const Value& item : list.List(0, kListMax)) texts.push_back(item.Text(0, kTextMax));
  return texts;
}

// The rest of a Service's status is not looked at.
std::vector<IngressPoint> ReadLoadBalancer(const Value& status) {
  std::vector<IngressPoint> points;
  for (const Value& item : status.At("loadBalancer").At("ingress").List(0, kListMax)) {
    points.push_back({item.At("ip").Text(0, kTextMax), item.At("hostname").Text(0, kTextMax)});
  }
  return points;
}

SliceEndpoint ReadSliceEndpoint(const Value& value, bool addresses_are_ip) {
  MapReader in = value.Map();
  SliceEndpoint endpoint;
  for (const Value& address : in.Require("addresses").List(1, 100)) {
    endpoint.addresses.push_back(addresses_are_ip ? address.TextLike(IsIpAddress, "an IP address")
                                                  : address.Text(1, 253));
  }
  const Value conditions = in.Get("conditions");
  if (conditions.present()) {
    MapReader map = conditions.Map();
    endpoint.ready = map.Get("ready").Bool().value_or(true);
    endpoint.serving = map.Get("serving").Bool().value_or(endpoint.ready);
    endpoint.terminating = map.Get("terminating").Bool().value_or(false);
  }
  const Value target = in.Get("targetRef");
  if (target.present()) {
    MapReader map = target.Map();
    const bool is_pod = map.Get("kind").Text(0, kTextMax) == "Pod";
    const std::string name = map.Get("name").Text(0, 253);
    if (is_pod) endpoint.pod_name = name;
    map.IgnoreAll(kObjectReferenceFields);
  }
  in.IgnoreAll(kSliceEndpointFields);
  return endpoint;
}

// Ours and the inference extension's; kubectl's and others' may be many.
bool IsJudgedLater(std::string_view annotation) {
  return annotation.starts_with("penstock.dev/") || annotation.starts_with("inference.");
}

void ReadPodAnnotations(const ObjectInput& in, Pod* pod) {
  for (const auto& [key, value] : in.meta.annotations) {
    std::string error = WhyUnknown("Pod", key);
    if (key == kTargetPortAnnotation) {
      pod->target_port = PortFromText(value);
      if (!pod->target_port) error = "must be 1..65535, got " + Quoted(value);
    }
    if (!error.empty()) in.top.Get("metadata").At("annotations").At(key).Error(error);
  }
}

}  // namespace

ObjectMeta ReadMeta(const Value& metadata, bool namespaced, const SourceRef& source) {
  MapReader in = metadata.Map();
  ObjectMeta meta;
  meta.source = source;
  if (!namespaced) meta.ns.clear();
  meta.name = in.Require("name").DnsSubdomain();
  const Value ns = in.Get("namespace");
  if (ns.present() && namespaced) meta.ns = ns.DnsLabel();
  meta.labels = in.Get("labels").Labels();
  const Value annotations = in.Get("annotations");
  meta.annotations = annotations.Strings();
  for (const auto& [key, value] : meta.annotations) {
    if (IsJudgedLater(key)) annotations.At(key).Keep();
  }
  meta.generation = in.Get("generation").Integer(0, INT64_MAX).value_or(1);
  const Value created = in.Get("creationTimestamp");
  const auto is_time = [](std::string_view text) { return ParseTime(text).has_value(); };
  constexpr char kTime[] = "a time such as \"2026-01-02T03:04:05Z\"";
  meta.creation_unix_s = ParseTime(created.TextLike(is_time, kTime)).value_or(0);
  const Value deleted = in.Get("deletionTimestamp");
  deleted.TextLike(is_time, kTime);
  meta.terminating = deleted.present();
  in.Ignore({"generateName", "selfLink", "uid", "resourceVersion", "deletionGracePeriodSeconds",
             "ownerReferences", "finalizers", "managedFields"});
  return meta;
}

Service ReadService(ObjectInput& in) {
  Service service;
  MapReader spec = in.top.Require("spec").Map();
  ReadInto(spec.Get("type"), &service.type);
  ReadInto(spec.Get("clusterIP"), &service.cluster_ip);
  service.cluster_ips = ReadTexts(spec.Get("clusterIPs"));
  service.external_ips = ReadTexts(spec.Get("externalIPs"));
  if (in.of_cluster) service.load_balancer = ReadLoadBalancer(in.top.Get("status"));
  ReadInto(spec.Get("externalName"), &service.external_name);
  service.external_name = ToLower(service.external_name);
  if (service.external_name.ends_with('.')) service.external_name.pop_back();
  service.selector = spec.Get("selector").Labels();
  for (const Value& port : spec.Get("ports").List(0, kListMax)) {
    service.ports.push_back(ReadServicePort(port));
  }
  spec.IgnoreAll(kServiceSpecFields);
  service.meta = std::move(in.meta);
  return service;
}

EndpointSlice ReadEndpointSlice(ObjectInput& in) {
  EndpointSlice slice;
  const auto label = in.meta.labels.find("kubernetes.io/service-name");
  if (label != in.meta.labels.end()) slice.service_name = label->second;
  constexpr const char* kTypes[] = {"IPv4", "IPv6", "FQDN"};
  const size_t type = in.top.Require("addressType").OneOf({"IPv4", "IPv6", "FQDN"}, 0);
  slice.address_type = kTypes[type];
  for (const Value& value : in.top.Get("ports").List(0, 100)) {
    MapReader map = value.Map();
    SlicePort port;
    port.name = map.Get("name").Text(0, 63);
    port.port = map.Get("port").Port();
    ReadInto(map.Get("protocol"), &port.protocol);
    ReadInto(map.Get("appProtocol"), &port.app_protocol);
    slice.ports.push_back(std::move(port));
  }
  for (const Value& value : in.top.Get("endpoints").List(0, 1000)) {
    slice.endpoints.push_back(ReadSliceEndpoint(value, type != 2));
  }
  slice.meta = std::move(in.meta);
  return slice;
}

Pod ReadPod(ObjectInput& in) {
  Pod pod;
  ReadPodAnnotations(in, &pod);
  MapReader spec = in.top.Get("spec").Map();
  spec.IgnoreAll(kPodSpecFields);
  // In files nobody judges it.
  pod.ready = !in.of_cluster;
  const Value status_value = in.top.Get("status");
  if (status_value.present()) {
    MapReader status = status_value.Map();
    pod.ip = status.Get("podIP").TextLike(IsIpAddress, "an IP address");
    ReadInto(status.Get("phase"), &pod.phase);
    pod.ready = PodReady(status.Get("conditions"), !in.of_cluster);
    status.IgnoreAll(kPodStatusFields);
  }
  pod.meta = std::move(in.meta);
  return pod;
}

Namespace ReadNamespace(ObjectInput& in) {
  Namespace result;
  in.top.Get("spec").OnlyFields({"finalizers"});
  result.meta = std::move(in.meta);
  result.meta.labels["kubernetes.io/metadata.name"] = result.meta.name;
  return result;
}

}  // namespace gw::api
