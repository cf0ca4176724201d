#include <simdjson.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <unordered_set>

#include "inference/json_bytes.h"
#include "inference/response.h"

namespace gw {
namespace {

using internal::JsonItems;

// Appends the bytes of each model of `body` whose id is not in `seen`. Returns false if `body` is
// not a model list.
bool AppendModels(std::string_view body, simdjson::dom::parser* parser,
                  std::unordered_set<std::string>* seen, std::string* out) {
  const simdjson::padded_string text(body);
  simdjson::dom::object top;
  simdjson::dom::array models;
  if (parser->parse(text).get(top) != simdjson::SUCCESS) return false;
  if (top.at_key("data").get(models) != simdjson::SUCCESS) return false;
  // The document gives the ids and the bytes give the objects, in step.
  size_t position = 0;
  for (const auto& field : top) {
    if (field.key == "data") break;
    ++position;
  }
  JsonItems members(body);
  std::string_view data;
  for (size_t i = 0; i <= position; ++i) members.Next(&data);
  JsonItems objects(data);
  for (const simdjson::dom::element& model : models) {
    std::string_view object, id;
    objects.Next(&object);
    if (model["id"].get(id) != simdjson::SUCCESS || !seen->emplace(id).second) continue;
    if (!out->ends_with('[')) *out += ',';
    *out += object;
  }
  return true;
}

}  // namespace

bool MergeModelLists(const std::string_view* bodies, size_t count, std::string* out) {
  *out = "{\"object\":\"list\",\"data\":[";
  simdjson::dom::parser parser;
  std::unordered_set<std::string> seen;
  bool any = false;
  for (size_t i = 0; i < count; ++i) any |= AppendModels(bodies[i], &parser, &seen, out);
  *out += "]}";
  return any;
}

}  // namespace gw
