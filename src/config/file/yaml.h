// YAML text to Nodes. The only file that knows yaml-cpp is yaml.cc.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/node.h"
#include "config/file/file_source.h"

namespace gw::config {

struct YamlDocuments {
  std::vector<api::Node> documents;  // empty ones are left out
  std::string error;                 // "12:3: ..." (line and column); empty if all was read
};

// Reads a stream of documents (JSON too). On error `documents` holds nothing. Aliases are expanded
// and merge keys (<<) merged, within the limits.
YamlDocuments ReadYaml(std::string_view text, const FileLimits& limits = {});

}  // namespace gw::config
