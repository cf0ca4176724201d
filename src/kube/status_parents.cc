#include "kube/status_parents.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "kube/node_edit.h"

namespace gw::kube {
namespace {

using api::Node;
using api::ParentStatus;

// group, kind, namespace, name, sectionName, port (0: none): what a reference means, whatever of
// it is written.
using ParentKey =
    std::tuple<std::string, std::string, std::string, std::string, std::string, int64_t>;

ParentKey KeyOf(const api::ParentRef& ref) {
  return {ref.group, ref.kind, ref.ns, ref.name, ref.section_name, ref.port.value_or(0)};
}

ParentKey KeyOf(const Node* ref, std::string_view object_ns) {
  const auto text = [&](std::string_view key, std::string_view absent) {
    return ref != nullptr && ref->Find(key) != nullptr ? TextAt(ref, key) : std::string(absent);
  };
  return {text("group", api::kGatewayGroup), text("kind", "Gateway"),
          text("namespace", object_ns),      TextAt(ref, "name"),
          TextAt(ref, "sectionName"),        IntegerAt(ref, "port").value_or(0)};
}

// As the specification of routes asks for it: the reference as it was given. Group and kind are
// filled in by the server anyway.
Node RefNode(const api::ParentRef& ref, const ParentsInput& input) {
  Node node = MapNode();
  SetMember(&node, "group", TextNode(ref.group));
  SetMember(&node, "kind", TextNode(ref.kind));
  const bool with_ns =
      input.kind.parents.always_namespace || ref.ns_given || ref.ns != input.object_ns;
  if (with_ns) SetText(&node, "namespace", ref.ns);
  SetMember(&node, "name", TextNode(ref.name));
  SetText(&node, "sectionName", ref.section_name);
  if (ref.port) SetMember(&node, "port", NumberNode(*ref.port));
  return node;
}

// Of nobody: what has a controllerName is somebody's, whatever it refers to.
bool IsDefaultEntry(const Node& entry, const ParentsShape& shape) {
  if (!shape.may_lack_controller || !TextAt(&entry, "controllerName").empty()) return false;
  const Node* ref = MapAt(&entry, shape.ref);
  return TextAt(ref, "kind") == "Status" && TextAt(ref, "name") == "default";
}

// As the CRD of v1alpha2 fills it in.
Node DefaultEntry(const ParentsShape& shape) {
  Node ref = MapNode();
  SetMember(&ref, "kind", TextNode("Status"));
  SetMember(&ref, "name", TextNode("default"));
  Node condition = MapNode();
  SetMember(&condition, "type", TextNode("Accepted"));
  SetMember(&condition, "status", TextNode("Unknown"));
  SetMember(&condition, "reason", TextNode("Pending"));
  SetMember(&condition, "message", TextNode("Waiting for controller"));
  SetMember(&condition, "lastTransitionTime", TextNode("1970-01-01T00:00:00Z"));
  Node conditions = ListNode();
  conditions.items.push_back(std::move(condition));
  Node entry = MapNode();
  SetMember(&entry, shape.ref, std::move(ref));
  SetMember(&entry, "conditions", std::move(conditions));
  return entry;
}

// What we say of the parent that the entry is about; null: nothing.
const ParentStatus* FindSaid(const ParentsInput& input, const Node& entry) {
  const ParentKey key = KeyOf(MapAt(&entry, input.kind.parents.ref), input.object_ns);
  const std::string controller = TextAt(&entry, "controllerName");
  for (const ParentStatus& said : input.said) {
    const bool ours = controller.empty() ? input.kind.parents.may_lack_controller
                                         : controller == said.controller_name;
    if (ours && KeyOf(said.parent_ref) == key) return &said;
  }
  return nullptr;
}

// What is to stand there: the first of several for one parent, and none that names no parent.
std::vector<const ParentStatus*> Wanted(const ParentsInput& input) {
  std::vector<const ParentStatus*> wanted;
  std::set<std::pair<ParentKey, std::string>> seen;
  for (const ParentStatus& said : input.said) {
    if (said.parent_ref.name.empty()) continue;
    const bool by_controller = input.kind.parents.names_controller;
    const bool first =
        seen.emplace(KeyOf(said.parent_ref), by_controller ? said.controller_name : "").second;
    if (first) wanted.push_back(&said);
  }
  return wanted;
}

bool IsOurs(const ParentsInput& input, const Node& entry) {
  if (IsDefaultEntry(entry, input.kind.parents)) return false;
  const std::string controller = TextAt(&entry, "controllerName");
  if (!controller.empty()) return input.owner.controller_names.contains(controller);
  if (!input.kind.parents.may_lack_controller) return false;
  if (FindSaid(input, entry) != nullptr) return true;
  const auto [group, kind, ns, name, section, port] =
      KeyOf(MapAt(&entry, input.kind.parents.ref), input.object_ns);
  return group == api::kGatewayGroup && kind == "Gateway" &&
         input.owner.gateways.contains({ns, name});
}

// `there`: the entry that is ours already, or null.
Node EntryOf(const ParentStatus& said, const ParentsInput& input, const Node* there,
             std::string_view now, JoinedList* joined) {
  const bool lacks_controller = input.kind.parents.names_controller && there != nullptr &&
                                there->Find("controllerName") == nullptr;
  JoinedList conditions = JoinConditions(there, said.conditions, input.kind.types, now);
  joined->left_out += conditions.left_out;
  if (there != nullptr && !conditions.changed && !lacks_controller) return *there;
  joined->changed = true;
  Node entry = there == nullptr ? MapNode() : *there;
  SetMember(&entry, input.kind.parents.ref, RefNode(said.parent_ref, input));
  if (input.kind.parents.names_controller) {
    SetMember(&entry, "controllerName", TextNode(said.controller_name));
  }
  SetMember(&entry, "conditions", std::move(conditions.list));
  return entry;
}

}  // namespace

JoinedList JoinParents(const ParentsInput& input, std::string_view now) {
  const ParentsShape& shape = input.kind.parents;
  JoinedList joined{.list = ListNode()};
  std::vector<Node>& list = joined.list.items;
  const std::vector<const ParentStatus*> wanted = Wanted(input);
  std::vector<const ParentStatus*> done;
  const auto is_done = [&](const ParentStatus* said) {
    return std::find(done.begin(), done.end(), said) != done.end();
  };
  for (const Node& there : ItemsAt(input.status, shape.list)) {
    if (IsDefaultEntry(there, shape) && !wanted.empty()) {
      joined.changed = true;
      continue;
    }
    if (!IsOurs(input, there)) {
      list.push_back(there);
      continue;
    }
    const ParentStatus* said = FindSaid(input, there);
    if (said == nullptr || is_done(said)) {
      joined.changed = true;
      continue;
    }
    done.push_back(said);
    list.push_back(EntryOf(*said, input, &there, now, &joined));
  }
  for (const ParentStatus* said : wanted) {
    if (is_done(said)) continue;
    if (list.size() >= shape.entries_max) {
      ++joined.left_out;
      continue;
    }
    list.push_back(EntryOf(*said, input, nullptr, now, &joined));
  }
  if (shape.restores_default && joined.changed && list.empty()) {
    list.push_back(DefaultEntry(shape));
  }
  return joined;
}

int64_t NewestObservedOfParents(const ParentsInput& input) {
  int64_t newest = 0;
  for (const Node& entry : ItemsAt(input.status, input.kind.parents.list)) {
    if (IsOurs(input, entry)) newest = std::max(newest, NewestObserved(&entry, input.kind.types));
  }
  return newest;
}

}  // namespace gw::kube
