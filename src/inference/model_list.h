// The answer of a model server to GET /v1/models: {"object":"list","data":[{"id":...}, ...]}.
// Reads the ids; all else of a model's object stays as its server wrote it.

#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "inference/request.h"

namespace gw {

// A model of a list; `json` is a view of the list's bytes.
struct ListedModel {
  std::string id;         // decoded
  std::string_view json;  // its object
  ByteRange id_value;     // the JSON token of the id, within `json`
};

// nullopt if `body` is not a model list. What has no id, or one that is no string, is passed over.
std::optional<std::vector<ListedModel>> ReadModelList(std::string_view body);

// The model's object under another name.
std::string WithId(const ListedModel& model, std::string_view id);

}  // namespace gw
