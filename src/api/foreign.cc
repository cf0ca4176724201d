#include "api/foreign.h"

#include <algorithm>

#include "api/node.h"

namespace gw::api {
namespace {

constexpr size_t kTargetsMax = 64;

struct KindName {
  std::string_view group;
  std::string_view kind;
};

constexpr KindName kServed[] = {{kGatewayGroup, "Gateway"},
                                {kGatewayGroup, "HTTPRoute"},
                                {kInferenceGroup, "InferencePool"},
                                {kInferenceXGroup, "InferencePool"},
                                {"", "Service"}};

// Policies of other gateways that change no request: what they ask for is theirs to do.
constexpr KindName kObservers[] = {{"networking.gke.io", "HealthCheckPolicy"},
                                   {"networking.gke.io", "GCPBackendPolicy"},
                                   {"networking.gke.io", "GCPTrafficDistributionPolicy"},
                                   {"gateway.nginx.org", "ObservabilityPolicy"},
                                   {"telemetry.istio.io", "Telemetry"}};

std::string TextOf(const Node& map, std::string_view field) {
  const Node* node = map.Find(field);
  return node != nullptr && node->kind == Node::Kind::kScalar ? node->text : "";
}

void AddTarget(const Node& ref, const std::string& ns, bool parent,
               std::vector<ForeignObject::Target>* out) {
  if (!ref.is_map() || out->size() >= kTargetsMax) return;
  ForeignObject::Target target;
  target.group = TextOf(ref, "group");
  target.kind = TextOf(ref, "kind");
  if (parent && ref.Find("group") == nullptr) target.group = kGatewayGroup;
  if (parent && ref.Find("kind") == nullptr) target.kind = "Gateway";
  const bool served = std::any_of(std::begin(kServed), std::end(kServed), [&](const KindName& k) {
    return k.group == target.group && k.kind == target.kind;
  });
  if (!served) return;
  target.ns = TextOf(ref, "namespace");
  if (target.ns.empty()) target.ns = ns;
  target.name = TextOf(ref, "name");
  target.section = TextOf(ref, "sectionName");
  if (const Node* labels = ref.Find("matchLabels"); labels != nullptr && labels->is_map()) {
    for (size_t i = 0; i < labels->keys.size(); ++i) {
      target.labels[labels->keys[i].name] = labels->items[i].text;
    }
  }
  out->push_back(std::move(target));
}

void AddTargets(const Node& spec, std::string_view one, std::string_view many,
                const std::string& ns, bool parent, std::vector<ForeignObject::Target>* out) {
  if (const Node* ref = spec.Find(one)) AddTarget(*ref, ns, parent, out);
  const Node* refs = spec.Find(many);
  if (refs == nullptr || !refs->is_list()) return;
  for (const Node& ref : refs->items) AddTarget(ref, ns, parent, out);
}

}  // namespace

std::vector<ForeignObject::Target> ForeignTargets(const Node& document, const std::string& ns) {
  std::vector<ForeignObject::Target> targets;
  const Node* spec = document.Find("spec");
  if (spec == nullptr || !spec->is_map()) return targets;
  AddTargets(*spec, "targetRef", "targetRefs", ns, false, &targets);
  AddTargets(*spec, "targetSelector", "targetSelectors", ns, false, &targets);
  AddTargets(*spec, "parentRef", "parentRefs", ns, true, &targets);
  return targets;
}

ForeignObject::Effect ForeignEffect(const Node& document, const ObjectRef& ref) {
  const Node* spec = document.Find("spec");
  if (spec->Find("parentRef") != nullptr || spec->Find("parentRefs") != nullptr) {
    return ForeignObject::Effect::kAttaches;
  }
  const bool observes = std::any_of(
      std::begin(kObservers), std::end(kObservers),
      [&](const KindName& known) { return known.group == ref.group && known.kind == ref.kind; });
  if (!observes) return ForeignObject::Effect::kChanges;
  // Google's policy of backends may ask for credentials or for rules of access.
  const Node* fields = spec->Find("default");
  const bool guards = fields != nullptr &&
                      (fields->Find("iap") != nullptr || fields->Find("securityPolicy") != nullptr);
  return guards ? ForeignObject::Effect::kChanges : ForeignObject::Effect::kObserves;
}

}  // namespace gw::api
