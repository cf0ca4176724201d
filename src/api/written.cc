#include "api/written.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>
#include <vector>

#include "base/escape.h"

namespace gw::api {
namespace {

constexpr std::string_view kLastApplied = "kubectl.kubernetes.io/last-applied-configuration";
constexpr std::array<std::string_view, 5> kServersMetadata = {"managedFields", "resourceVersion",
                                                              "uid", "selfLink", "generation"};

bool IsServersMetadata(std::string_view key) {
  return std::ranges::find(kServersMetadata, key) != kServersMetadata.end();
}

std::string InQuotes(std::string_view text) {
  std::string out = "\"";
  AppendJsonEscaped(&out, text);
  return out + '"';
}

std::string KeyText(std::string_view key) {
  return IsPlainYaml(key) ? std::string(key) : InQuotes(key);
}

std::string ScalarText(const Node& node) {
  if (node.kind == Node::Kind::kNull) return "null";
  if (node.quoted) return IsPlainYaml(node.text) ? node.text : InQuotes(node.text);
  // It was written without quotes and means what that means; or it is text of several lines.
  const bool is_word =
      !node.text.empty() && node.text.find_first_of("\n\r\t") == std::string::npos &&
      node.text.find(": ") == std::string::npos && node.text.find(" #") == std::string::npos;
  return is_word ? Printable(node.text) : InQuotes(node.text);
}

// Begins where the cursor stands and ends with a line feed. `in_list`: behind "- ", so that the
// first line needs no indentation.
void Append(const Node& node, size_t indent, bool in_list, std::string* out) {
  if (!node.is_map() && !node.is_list()) {
    out->append(ScalarText(node)).push_back('\n');
    return;
  }
  if (node.items.empty()) {
    out->append(node.is_map() ? "{}\n" : "[]\n");
    return;
  }
  for (size_t i = 0; i < node.items.size(); ++i) {
    if (i > 0 || !in_list) out->append(indent, ' ');
    const Node& item = node.items[i];
    const bool is_leaf = (!item.is_map() && !item.is_list()) || item.items.empty();
    if (node.is_list()) {
      out->append("- ");
      Append(item, indent + 2, true, out);
      continue;
    }
    out->append(KeyText(node.keys[i].name)).append(is_leaf ? ": " : ":\n");
    // kubectl's form: the items of a list stand where its key does.
    Append(item, item.is_list() ? indent : indent + 2, false, out);
  }
}

void Drop(Node* map, auto is_dropped) {
  if (map == nullptr || !map->is_map()) return;
  for (size_t i = map->items.size(); i-- > 0;) {
    if (!is_dropped(map->keys[i].name)) continue;
    map->keys.erase(map->keys.begin() + static_cast<ptrdiff_t>(i));
    map->items.erase(map->items.begin() + static_cast<ptrdiff_t>(i));
  }
}

Node* Find(Node* map, std::string_view key) { return const_cast<Node*>(map->Find(key)); }

}  // namespace

bool IsPlainYaml(std::string_view text) {
  if (text.empty() || std::isalpha(static_cast<unsigned char>(text[0])) == 0) return false;
  for (const std::string_view word :
       {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}) {
    if (std::ranges::equal(text, word, [](char a, char b) {
          return std::tolower(static_cast<unsigned char>(a)) == b;
        })) {
      return false;
    }
  }
  return std::ranges::all_of(text, [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.' ||
           c == '/';
  });
}

std::string YamlOf(const Node& node) {
  std::string out;
  Append(node, 0, false, &out);
  return out;
}

Written WrittenOf(const Node& document, std::string_view group) {
  if (group.empty() || group == "discovery.k8s.io") return {};
  Node kept = document;
  Drop(&kept, [](std::string_view key) { return key == "status"; });
  if (Node* metadata = Find(&kept, "metadata"); metadata != nullptr) {
    Drop(metadata, IsServersMetadata);
    if (Node* annotations = Find(metadata, "annotations"); annotations != nullptr) {
      Drop(annotations, [](std::string_view key) { return key == kLastApplied; });
    }
  }
  return {std::make_shared<const std::string>(YamlOf(kept))};
}

}  // namespace gw::api
