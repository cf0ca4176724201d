// What an object was read from, as YAML, for people to look at and to compare with the version
// before: without `status` and what only an API server keeps in metadata.

#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "api/node.h"

namespace gw::api {

// Of an object: null for kinds of which no text is kept, as they come and go all the time, are of
// others, or are secret (core and discovery.k8s.io). Says nothing new about the object: two that
// are otherwise equal are equal.
struct Written {
  std::shared_ptr<const std::string> yaml;

  bool operator==(const Written& other) const { return true; }
};
Written WrittenOf(const Node& document, std::string_view group);

// Text that every YAML reader takes for this text without quotes.
bool IsPlainYaml(std::string_view text);
// Any node, as a YAML document that reads as the same one. Ends with a line feed.
std::string YamlOf(const Node& node);

}  // namespace gw::api
