// Node: a parsed document before it has a meaning. YAML files and JSON answers both become Nodes,
// so that the kinds are parsed by one reader.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gw::api {

struct Node {
  enum class Kind : uint8_t { kNull, kScalar, kList, kMap };
  struct Key {
    std::string name;
    int line = 0;

    bool operator==(const Key&) const = default;
  };

  Kind kind = Kind::kNull;
  bool quoted = false;      // a scalar that is text whatever it looks like
  int line = 0;             // from 1; 0: unknown
  std::string text;         // of a scalar
  std::vector<Key> keys;    // of a map: keys[i] belongs to items[i]; repeated keys are kept
  std::vector<Node> items;  // of a list or map

  bool is_map() const { return kind == Kind::kMap; }
  bool is_list() const { return kind == Kind::kList; }
  // The value of a key, null if this is no map or has no such key.
  const Node* Find(std::string_view key) const;

  bool operator==(const Node&) const = default;
};

// What an unquoted scalar means to the YAML reader of Kubernetes (YAML 1.1, so `yes` and `off` are
// booleans). Quoted scalars are text.
enum class ScalarType { kText, kBool, kInteger, kFloat };
ScalarType TypeOf(const Node& scalar);

// For messages: `"abc"`, `the number 5`, `the boolean true`, `a list`, `a map`, `null`.
std::string Describe(const Node& node);
// Text in quotes, cut to a readable length, control characters escaped.
std::string Quoted(std::string_view text);

// As JSON text on one line. REQUIRES: unquoted scalars are numbers, true or false, as those are
// that were read from JSON
std::string ToJson(const Node& node);

}  // namespace gw::api
