#include "kube/status_conditions.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/utf8.h"
#include "kube/node_edit.h"

namespace gw::kube {
namespace {

using api::Condition;
using api::Node;

bool IsOneOf(ConditionTypes types, std::string_view type) {
  return std::find(types.begin(), types.end(), type) != types.end();
}

Node NodeOf(const Condition& said, std::string_view since) {
  Node node = MapNode();
  SetMember(&node, "type", TextNode(said.type));
  SetMember(&node, "status", TextNode(NameOf(said.status)));
  SetMember(&node, "observedGeneration", NumberNode(said.observed_generation));
  SetMember(&node, "lastTransitionTime", TextNode(since));
  SetMember(&node, "reason", TextNode(said.reason));
  SetMember(&node, "message", TextNode(FitMessage(said.message)));
  return node;
}

bool Says(const Node& there, const Condition& said) {
  return TextAt(&there, "status") == NameOf(said.status) &&
         TextAt(&there, "reason") == said.reason &&
         TextAt(&there, "message") == FitMessage(said.message) &&
         IntegerAt(&there, "observedGeneration").value_or(0) == said.observed_generation;
}

// `said` in place of what is there.
Node Renewed(const Node& there, const Condition& said, std::string_view now) {
  const std::string since = TextAt(&there, "lastTransitionTime");
  const bool same_status = TextAt(&there, "status") == NameOf(said.status);
  return NodeOf(said, same_status && !since.empty() ? std::string_view(since) : now);
}

}  // namespace

JoinedList JoinConditions(const Node* place, const std::vector<Condition>& said,
                          ConditionTypes ours, std::string_view now) {
  JoinedList joined{.list = ListNode()};
  std::vector<Node>& list = joined.list.items;
  std::set<std::string> done;
  for (const Node& there : ItemsAt(place, "conditions")) {
    const std::string type = TextAt(&there, "type");
    const Condition* wanted = api::FindCondition(said, type);
    if (wanted == nullptr && !IsOneOf(ours, type)) {
      list.push_back(there);
      continue;
    }
    if (wanted == nullptr || !done.insert(type).second) {
      joined.changed = true;
      continue;
    }
    const bool same = Says(there, *wanted);
    list.push_back(same ? there : Renewed(there, *wanted, now));
    joined.changed |= !same;
  }
  for (const Condition& condition : said) {
    if (done.contains(condition.type)) continue;
    if (list.size() >= kConditionsMax) {
      ++joined.left_out;
      continue;
    }
    list.push_back(NodeOf(condition, now));
    joined.changed = true;
  }
  return joined;
}

int64_t NewestObserved(const Node* place, ConditionTypes ours) {
  int64_t newest = 0;
  for (const Node& there : ItemsAt(place, "conditions")) {
    if (!IsOneOf(ours, TextAt(&there, "type"))) continue;
    newest = std::max(newest, IntegerAt(&there, "observedGeneration").value_or(0));
  }
  return newest;
}

std::string FitMessage(std::string_view message) {
  std::string fit;
  for (size_t count = 0; !message.empty() && count < kMessageCharactersMax; ++count) {
    const size_t bytes = Utf8CharacterBytes(message);
    fit += bytes == 0 ? "\xEF\xBF\xBD" : message.substr(0, bytes);
    message.remove_prefix(std::max<size_t>(bytes, 1));
  }
  return fit;
}

}  // namespace gw::kube
