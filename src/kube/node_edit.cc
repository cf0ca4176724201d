#include "kube/node_edit.h"

#include <utility>

#include "absl/strings/numbers.h"

namespace gw::kube {
namespace {

using api::Node;

const Node* Find(const Node* map, std::string_view key) {
  return map == nullptr ? nullptr : map->Find(key);
}

Node OfKind(Node::Kind kind) {
  Node node;
  node.kind = kind;
  return node;
}

}  // namespace

Node TextNode(std::string_view text) {
  Node node = OfKind(Node::Kind::kScalar);
  node.quoted = true;
  node.text = text;
  return node;
}

Node NumberNode(int64_t value) {
  Node node = OfKind(Node::Kind::kScalar);
  node.text = std::to_string(value);
  return node;
}

Node ListNode() { return OfKind(Node::Kind::kList); }
Node MapNode() { return OfKind(Node::Kind::kMap); }

void SetMember(Node* map, std::string_view key, Node value) {
  for (size_t i = 0; i < map->keys.size(); ++i) {
    if (map->keys[i].name != key) continue;
    map->items[i] = std::move(value);
    return;
  }
  map->keys.push_back({.name = std::string(key)});
  map->items.push_back(std::move(value));
}

void SetText(Node* map, std::string_view key, std::string_view text) {
  if (!text.empty()) SetMember(map, key, TextNode(text));
}

std::string TextAt(const Node* map, std::string_view key) {
  const Node* found = Find(map, key);
  return found == nullptr || found->kind != Node::Kind::kScalar ? "" : found->text;
}

std::optional<int64_t> IntegerAt(const Node* map, std::string_view key) {
  const Node* found = Find(map, key);
  int64_t value = 0;
  if (found == nullptr || found->kind != Node::Kind::kScalar || found->quoted ||
      !absl::SimpleAtoi(found->text, &value)) {
    return std::nullopt;
  }
  return value;
}

const Node* MapAt(const Node* map, std::string_view key) {
  const Node* found = Find(map, key);
  return found != nullptr && found->is_map() ? found : nullptr;
}

const std::vector<Node>& ItemsAt(const Node* map, std::string_view key) {
  static const std::vector<Node> kNone;
  const Node* found = Find(map, key);
  return found != nullptr && found->is_list() ? found->items : kNone;
}

bool SaysTheSame(const api::Node& a, const api::Node& b) {
  if (a.kind != b.kind || a.items.size() != b.items.size()) return false;
  if (a.kind == api::Node::Kind::kScalar) return a.quoted == b.quoted && a.text == b.text;
  for (size_t i = 0; i < a.items.size(); ++i) {
    const api::Node* const other = a.is_map() ? b.Find(a.keys[i].name) : &b.items[i];
    if (other == nullptr || !SaysTheSame(a.items[i], *other)) return false;
  }
  return true;
}

}  // namespace gw::kube
