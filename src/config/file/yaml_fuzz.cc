// Any bytes: text -> Nodes -> objects, with limits small enough to be reached.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "api/parse.h"
#include "base/check.h"
#include "config/file/yaml.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  gw::config::FileLimits limits;
  limits.documents_max = 64;
  limits.depth_max = 16;
  limits.nodes_max = 20'000;
  limits.expanded_bytes_max = 1u << 20;
  const gw::config::YamlDocuments yaml =
      gw::config::ReadYaml({reinterpret_cast<const char*>(data), size}, limits);
  CHECK(yaml.error.empty() || yaml.documents.empty());
  CHECK(yaml.documents.size() <= limits.documents_max);
  gw::api::Parser parser;
  for (const gw::api::Node& document : yaml.documents) parser.Add(document, "a.yaml");
  for (const gw::api::ParsedObject& parsed : parser.Take().objects) {
    CHECK((parsed.object == nullptr) == !parsed.errors.empty());
    for (const auto& message : parsed.errors) CHECK(!message.empty());
  }
  return 0;
}
