#include "config/kubernetes/managed_objects.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "kube/json_node.h"
#include "kube/node_edit.h"

namespace gw::config {
namespace {

using api::Node;
using api::StringMap;
using kube::MapAt;
using kube::SetMember;
using kube::TextNode;

constexpr std::string_view kManagedFrom = "--managed-from";

// What is said to this process and not to those that serve one Gateway.
constexpr std::string_view kOwnFlags[] = {"--infrastructure", kManagedFrom, "--service",
                                          "--address-pool",   "--lease",    "--gateway",
                                          "--write-status"};

// `kubectl rollout restart` of this gateway is none of the Gateways', and one of theirs would be
// taken back by the next writing.
constexpr std::string_view kRestartedAt = "kubectl.kubernetes.io/restartedAt";

// What a cut name and a hash have at least, of a name above 63 characters: those are cut to 54,
// without dashes and dots at the end.
constexpr size_t kCutLabelMin = 10;

StringMap PairsOf(const Node* map) {
  StringMap pairs;
  for (size_t i = 0; map != nullptr && i < map->keys.size(); ++i) {
    pairs[map->keys[i].name] = map->items[i].text;
  }
  return pairs;
}

Node MapOf(const StringMap& pairs) {
  Node map = kube::MapNode();
  for (const auto& [key, value] : pairs) SetMember(&map, key, TextNode(value));
  return map;
}

// Later ones go before.
StringMap Joined(std::initializer_list<const StringMap*> maps) {
  StringMap joined;
  for (const StringMap* map : maps) {
    for (const auto& [key, value] : *map) joined[key] = value;
  }
  return joined;
}

Node MetadataOf(const StringMap& labels, const StringMap& annotations) {
  Node metadata = kube::MapNode();
  SetMember(&metadata, "labels", MapOf(labels));
  if (!annotations.empty()) SetMember(&metadata, "annotations", MapOf(annotations));
  return metadata;
}

Node ObjectOf(const char* api_version, const char* kind, const api::ManagedGateway& gateway,
              const std::string& ns) {
  const StringMap ours = api::ManagedLabels(gateway.gateway);
  Node metadata = MetadataOf(Joined({&gateway.infrastructure.labels, &ours}),
                             gateway.infrastructure.annotations);
  SetMember(&metadata, "name", TextNode(api::ManagedName(gateway.gateway)));
  SetMember(&metadata, "namespace", TextNode(ns));
  Node object = kube::MapNode();
  SetMember(&object, "apiVersion", TextNode(api_version));
  SetMember(&object, "kind", TextNode(kind));
  SetMember(&object, "metadata", std::move(metadata));
  return object;
}

std::string_view FlagOf(std::string_view argument) {
  return argument.substr(0, argument.find('='));
}

bool HasFlag(const std::vector<Node>& arguments, std::string_view flag) {
  return std::any_of(arguments.begin(), arguments.end(),
                     [&](const Node& each) { return FlagOf(each.text) == flag; });
}

// "--flag=value" and "--flag" "value" alike.
Node ArgumentsFor(const std::vector<Node>& own, const api::ObjectKey& gateway,
                  const std::string& ns) {
  Node list = kube::ListNode();
  for (size_t i = 0; i < own.size(); ++i) {
    const std::string_view flag = FlagOf(own[i].text);
    if (std::find(std::begin(kOwnFlags), std::end(kOwnFlags), flag) == std::end(kOwnFlags)) {
      list.items.push_back(own[i]);
      continue;
    }
    const bool value_follows = flag == own[i].text && i + 1 < own.size() &&
                               !std::string_view(own[i + 1].text).starts_with("--");
    if (value_follows) ++i;
  }
  for (const std::string& argument :
       {absl::StrCat("--gateway=", gateway.ns, "/", gateway.name),
        absl::StrCat("--service=", ns, "/", api::ManagedName(gateway)),
        std::string("--write-status=false")}) {
    list.items.push_back(TextNode(argument));
  }
  return list;
}

// False: no container is this gateway, as none has the flag that names its Deployment.
bool SetArguments(Node* pod, const api::ObjectKey& gateway, const std::string& ns) {
  for (size_t i = 0; i < pod->keys.size(); ++i) {
    if (pod->keys[i].name != "containers") continue;
    for (Node& container : pod->items[i].items) {
      for (const char* field : {"args", "command"}) {
        const std::vector<Node>& own = kube::ItemsAt(&container, field);
        if (!HasFlag(own, kManagedFrom)) continue;
        SetMember(&container, field, ArgumentsFor(own, gateway, ns));
        return true;
      }
    }
  }
  return false;
}

// Where the Pods are to be apart from each other (affinity, spread over zones) they select
// themselves.
void ReplaceSelector(const StringMap& own, const StringMap& theirs, Node* node) {
  for (size_t i = 0; i < node->items.size(); ++i) {
    const bool is_selector = i < node->keys.size() && node->keys[i].name == "matchLabels";
    if (is_selector && PairsOf(&node->items[i]) == own) {
      node->items[i] = MapOf(theirs);
    } else {
      ReplaceSelector(own, theirs, &node->items[i]);
    }
  }
}

Node Projected(const Node& object, const Node& wish) {
  if (wish.is_map() && object.is_map()) {
    Node view = kube::MapNode();
    for (size_t i = 0; i < wish.keys.size(); ++i) {
      const Node* there = object.Find(wish.keys[i].name);
      if (there != nullptr) SetMember(&view, wish.keys[i].name, Projected(*there, wish.items[i]));
    }
    return view;
  }
  if (wish.is_list() && object.is_list() && wish.items.size() == object.items.size()) {
    Node view = kube::ListNode();
    for (size_t i = 0; i < wish.items.size(); ++i) {
      view.items.push_back(Projected(object.items[i], wish.items[i]));
    }
    return view;
  }
  return object;
}

}  // namespace

absl::StatusOr<Node> MakeDeployment(const Node& own, const api::ManagedGateway& gateway,
                                    const std::string& ns) {
  const Node* own_spec = MapAt(&own, "spec");
  const Node* own_template = MapAt(own_spec, "template");
  const Node* own_pod = MapAt(own_template, "spec");
  const Node* own_metadata = MapAt(own_template, "metadata");
  const StringMap own_selector = PairsOf(MapAt(MapAt(own_spec, "selector"), "matchLabels"));
  const StringMap selector = api::ManagedLabels(gateway.gateway);
  StringMap labels = PairsOf(MapAt(own_metadata, "labels"));
  for (const auto& [key, value] : own_selector) labels.erase(key);
  labels = Joined({&labels, &gateway.infrastructure.labels, &selector});
  if (!own_selector.empty() && api::LabelsMatch(own_selector, labels)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "spec.infrastructure.labels: all those are among them by which this gateway's own "
        "Deployment selects its Pods (",
        kube::ToJson(MapOf(own_selector)), ")"));
  }
  StringMap annotations = PairsOf(MapAt(own_metadata, "annotations"));
  annotations.erase(std::string(kRestartedAt));
  annotations = Joined({&annotations, &gateway.infrastructure.annotations});
  Node pod = own_pod == nullptr ? kube::MapNode() : *own_pod;
  if (!SetArguments(&pod, gateway.gateway, ns)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "no container of this gateway's own Deployment has the flag ", std::string(kManagedFrom)));
  }
  ReplaceSelector(own_selector, selector, &pod);
  Node pod_template = kube::MapNode();
  SetMember(&pod_template, "metadata", MetadataOf(labels, annotations));
  SetMember(&pod_template, "spec", std::move(pod));
  Node match = kube::MapNode();
  SetMember(&match, "matchLabels", MapOf(selector));
  Node spec = kube::MapNode();
  for (const char* field :
       {"strategy", "minReadySeconds", "progressDeadlineSeconds", "revisionHistoryLimit"}) {
    const Node* value = own_spec->Find(field);
    if (value != nullptr) SetMember(&spec, field, *value);
  }
  SetMember(&spec, "selector", std::move(match));
  SetMember(&spec, "template", std::move(pod_template));
  Node deployment = ObjectOf("apps/v1", "Deployment", gateway, ns);
  SetMember(&deployment, "spec", std::move(spec));
  return deployment;
}

Node MakeService(const api::ManagedGateway& gateway, const std::string& ns) {
  Node ports = kube::ListNode();
  for (const uint16_t port : gateway.ports) {
    Node& entry = ports.items.emplace_back(kube::MapNode());
    SetMember(&entry, "name", TextNode(absl::StrCat("port-", port)));
    SetMember(&entry, "port", kube::NumberNode(port));
    SetMember(&entry, "protocol", TextNode("TCP"));
    SetMember(&entry, "targetPort", kube::NumberNode(port));
  }
  Node spec = kube::MapNode();
  SetMember(&spec, "type", TextNode(gateway.infrastructure.service_type));
  SetMember(&spec, "selector", MapOf(api::ManagedLabels(gateway.gateway)));
  SetMember(&spec, "ports", std::move(ports));
  Node service = ObjectOf("v1", "Service", gateway, ns);
  SetMember(&service, "spec", std::move(spec));
  return service;
}

bool WasMade(const Node& object) {
  const Node* metadata = MapAt(&object, "metadata");
  const StringMap labels = PairsOf(MapAt(metadata, "labels"));
  if (!api::HasManagedLabels(labels)) return false;
  const std::string& gateway = labels.at(api::kGatewayNameLabel);
  const std::string name = kube::TextAt(metadata, "name");
  if (name == api::ManagedName({labels.at(api::kGatewayNamespaceLabel), gateway})) return true;
  // A label that was cut ends as the name does, with the hash.
  const size_t dash = gateway.rfind('-');
  return gateway.size() >= kCutLabelMin && dash != gateway.npos && name.starts_with("penstock-") &&
         name.ends_with(gateway.substr(dash));
}

std::string ViewOf(const Node& object, const Node& wish) {
  return kube::ToJson(Projected(object, wish));
}

}  // namespace gw::config
