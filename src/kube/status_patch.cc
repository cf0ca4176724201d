#include "kube/status_patch.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/text.h"
#include "kube/json_node.h"
#include "kube/node_edit.h"
#include "kube/status_parents.h"

namespace gw::kube {
namespace {

using api::Node;
using api::ObjectStatus;
using Form = StatusKind::Form;

constexpr size_t kFeaturesMax = 64;   // GatewayClass, status.supportedFeatures
constexpr size_t kAddressesMax = 16;  // Gateway, status.addresses

std::string GroupOf(const Node& object) {
  const std::string api_version = TextAt(&object, "apiVersion");
  const size_t slash = api_version.find('/');
  return slash == std::string::npos ? "" : api_version.substr(0, slash);
}

struct Patcher {
  const ObjectStatus& said;
  const StatusKind& kind;
  const Node* status;  // may be null
  std::string_view object_ns;
  const StatusOwner& owner;
  std::string now;

  Node patch = MapNode();  // for "status"
  size_t left_out = 0;

  ParentsInput Parents() const { return {kind, said.parents, status, object_ns, owner}; }

  void Put(std::string_view key, JoinedList joined) {
    left_out += joined.left_out;
    if (joined.changed) SetMember(&patch, key, std::move(joined.list));
  }
  void JoinAll();
};

// As GatewayClass has it since v1.1 of the Gateway API: a list of maps.
JoinedList JoinFeatures(const Node* status, const std::vector<std::string>& said) {
  JoinedList joined{.list = ListNode()};
  std::vector<std::string> there;
  for (const Node& item : ItemsAt(status, "supportedFeatures")) {
    there.push_back(TextAt(&item, "name"));
  }
  std::vector<std::string> wanted = said;
  std::sort(wanted.begin(), wanted.end());
  if (wanted.size() > kFeaturesMax) {
    joined.left_out = wanted.size() - kFeaturesMax;
    wanted.resize(kFeaturesMax);
  }
  for (const std::string& name : wanted) {
    Node item = MapNode();
    SetMember(&item, "name", TextNode(name));
    joined.list.items.push_back(std::move(item));
  }
  std::sort(there.begin(), there.end());
  joined.changed = there != wanted;
  return joined;
}

// In their order: clients take the first.
JoinedList JoinAddresses(const Node* status, const std::vector<api::GatewayAddress>& said) {
  JoinedList joined{.list = ListNode()};
  using Address = std::pair<std::string, std::string>;
  std::vector<Address> there;
  for (const Node& item : ItemsAt(status, "addresses")) {
    const std::string type = TextAt(&item, "type");
    there.emplace_back(type.empty() ? "IPAddress" : type, TextAt(&item, "value"));
  }
  std::vector<Address> wanted;
  for (const api::GatewayAddress& address : said) {
    if (address.value.empty()) continue;
    if (wanted.size() >= kAddressesMax) {
      ++joined.left_out;
      continue;
    }
    wanted.emplace_back(address.type, address.value);
    Node item = MapNode();
    SetMember(&item, "type", TextNode(address.type));
    SetMember(&item, "value", TextNode(address.value));
    joined.list.items.push_back(std::move(item));
  }
  joined.changed = there != wanted;
  return joined;
}

Node KindsNode(const std::vector<api::SupportedKind>& kinds) {
  Node list = ListNode();
  for (const api::SupportedKind& kind : kinds) {
    Node item = MapNode();
    SetMember(&item, "group", TextNode(kind.group));
    SetMember(&item, "kind", TextNode(kind.kind));
    list.items.push_back(std::move(item));
  }
  return list;
}

bool SaysKinds(const Node* listener, const std::vector<api::SupportedKind>& said) {
  std::vector<std::pair<std::string, std::string>> there;
  for (const Node& item : ItemsAt(listener, "supportedKinds")) {
    const bool has_group = item.Find("group") != nullptr;
    there.emplace_back(has_group ? TextAt(&item, "group") : api::kGatewayGroup,
                       TextAt(&item, "kind"));
  }
  std::vector<std::pair<std::string, std::string>> wanted;
  for (const api::SupportedKind& kind : said) wanted.emplace_back(kind.group, kind.kind);
  std::sort(there.begin(), there.end());
  std::sort(wanted.begin(), wanted.end());
  return there == wanted;
}

const Node* FindListener(const Node* status, const std::string& name) {
  for (const Node& item : ItemsAt(status, "listeners")) {
    if (TextAt(&item, "name") == name) return &item;
  }
  return nullptr;
}

JoinedList JoinListeners(const Node* status, const std::vector<api::ListenerStatus>& said,
                         std::string_view now) {
  JoinedList joined{.list = ListNode()};
  joined.changed = ItemsAt(status, "listeners").size() != said.size();
  for (const api::ListenerStatus& listener : said) {
    const Node* there = FindListener(status, listener.name);
    JoinedList conditions = JoinConditions(there, listener.conditions, ListenerTypes(), now);
    joined.left_out += conditions.left_out;
    joined.changed |= there == nullptr || conditions.changed ||
                      IntegerAt(there, "attachedRoutes") != listener.attached_routes ||
                      !SaysKinds(there, listener.supported_kinds);
    // What a newer version of the kind has beside these stays.
    Node item = there == nullptr ? MapNode() : *there;
    SetMember(&item, "name", TextNode(listener.name));
    SetMember(&item, "attachedRoutes", NumberNode(listener.attached_routes));
    SetMember(&item, "supportedKinds", KindsNode(listener.supported_kinds));
    SetMember(&item, "conditions", std::move(conditions.list));
    joined.list.items.push_back(std::move(item));
  }
  return joined;
}

void Patcher::JoinAll() {
  if (kind.form == Form::kParents) {
    return Put(kind.parents.list, JoinParents(Parents(), now));
  }
  Put("conditions", JoinConditions(status, said.conditions, kind.types, now));
  for (size_t i = 0; i < said.fields.items.size(); ++i) {
    const std::string& name = said.fields.keys[i].name;
    const Node* const there = status == nullptr ? nullptr : status->Find(name);
    if (there != nullptr && SaysTheSame(*there, said.fields.items[i])) continue;
    SetMember(&patch, name, said.fields.items[i]);
  }
  if (kind.form == Form::kClass) {
    Put("supportedFeatures", JoinFeatures(status, said.supported_features));
  }
  if (kind.form == Form::kGateway) {
    Put("addresses", JoinAddresses(status, said.addresses));
    Put("listeners", JoinListeners(status, said.listeners, now));
  }
}

void RaiseTo(const std::vector<api::Condition>& conditions, int64_t* newest) {
  for (const api::Condition& condition : conditions) {
    *newest = std::max(*newest, condition.observed_generation);
  }
}

// The generation of the object that is judged; 0: nothing is said of any.
int64_t GenerationSaid(const ObjectStatus& said) {
  int64_t newest = 0;
  RaiseTo(said.conditions, &newest);
  for (const auto& listener : said.listeners) RaiseTo(listener.conditions, &newest);
  for (const auto& parent : said.parents) RaiseTo(parent.conditions, &newest);
  return newest;
}

int64_t GenerationThere(const Patcher& patcher) {
  if (patcher.kind.form == Form::kParents) return NewestObservedOfParents(patcher.Parents());
  int64_t newest = NewestObserved(patcher.status, patcher.kind.types);
  for (const Node& listener : ItemsAt(patcher.status, "listeners")) {
    newest = std::max(newest, NewestObserved(&listener, ListenerTypes()));
  }
  return newest;
}

// A status that is of a later generation than the object itself was brought back with an object
// that was made anew (from a backup): it is nobody's newer view.
bool IsOldView(const Patcher& patcher, int64_t object_generation) {
  const int64_t generation = GenerationSaid(patcher.said);
  return generation > 0 && generation < GenerationThere(patcher) && generation < object_generation;
}

}  // namespace

bool TakesStatus(std::string_view group, std::string_view kind) {
  return FindStatusKind(group, kind) != nullptr;
}

StatusPatch MakeStatusPatch(const ObjectStatus& said, const Node& object, const StatusOwner& owner,
                            int64_t now_unix_s) {
  const StatusKind* kind = FindStatusKind(GroupOf(object), TextAt(&object, "kind"));
  CHECK(kind != nullptr);
  const Node* metadata = MapAt(&object, "metadata");
  const std::string object_ns = TextAt(metadata, "namespace");
  Patcher patcher{said, *kind, MapAt(&object, "status"), object_ns, owner, UtcText(now_unix_s)};
  if (IsOldView(patcher, IntegerAt(metadata, "generation").value_or(0))) {
    return {.outcome = StatusPatch::Outcome::kOldView};
  }
  patcher.JoinAll();
  StatusPatch result{.left_out = patcher.left_out};
  if (patcher.patch.items.empty()) return result;
  Node version = MapNode();
  SetMember(&version, "resourceVersion", TextNode(TextAt(metadata, "resourceVersion")));
  Node body = MapNode();
  SetMember(&body, "metadata", std::move(version));
  SetMember(&body, "status", std::move(patcher.patch));
  result.outcome = StatusPatch::Outcome::kWrite;
  result.body = ToJson(body);
  return result;
}

}  // namespace gw::kube
