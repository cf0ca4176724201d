#include "inference/model_list.h"

#include <simdjson.h>

#include "inference/json_bytes.h"
#include "inference/parser.h"

namespace gw {
namespace {

using internal::JsonItems;

// The position of the first member of that name; the number of members if there is none.
size_t PositionOf(const simdjson::dom::object& object, std::string_view name) {
  size_t position = 0;
  for (const auto& field : object) {
    if (field.key == name) break;
    ++position;
  }
  return position;
}

// REQUIRES: `json` has more than `position` members
std::string_view ValueAt(std::string_view json, size_t position) {
  JsonItems members(json);
  std::string_view value;
  for (size_t i = 0; i <= position; ++i) members.Next(&value);
  return value;
}

}  // namespace

std::optional<std::vector<ListedModel>> ReadModelList(std::string_view body) {
  const simdjson::padded_string text(body);
  simdjson::dom::parser parser;
  simdjson::dom::object top;
  simdjson::dom::array models;
  if (parser.parse(text).get(top) != simdjson::SUCCESS) return std::nullopt;
  if (top.at_key("data").get(models) != simdjson::SUCCESS) return std::nullopt;
  // The document gives the ids and the bytes give the objects, in step.
  JsonItems objects(ValueAt(body, PositionOf(top, "data")));
  std::vector<ListedModel> list;
  for (const simdjson::dom::element& model : models) {
    std::string_view json, id;
    objects.Next(&json);
    simdjson::dom::object object;
    if (model.get(object) != simdjson::SUCCESS) continue;
    if (object.at_key("id").get(id) != simdjson::SUCCESS) continue;
    const std::string_view token = ValueAt(json, PositionOf(object, "id"));
    list.push_back(
        {std::string(id), json, {static_cast<size_t>(token.data() - json.data()), token.size()}});
  }
  return list;
}

std::string WithId(const ListedModel& model, std::string_view id) {
  std::string json(model.json);
  json.replace(model.id_value.offset, model.id_value.length, QuoteJson(id));
  return json;
}

}  // namespace gw
