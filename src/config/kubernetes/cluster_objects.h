// ClusterObjects: what is served of the objects that an API server tells of, one by one: the newest
// version of each, or its last good one (config/served_objects.h). Between two looks at it an
// object may change many times; only what it is at the second one counts.
//
// A value: no socket, no clock.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/object.h"
#include "config/config_source.h"
#include "config/served_objects.h"

namespace gw::config {

class ClusterObjects {
 public:
  explicit ClusterObjects(Judge judge) : served_(std::move(judge)) {}

  // The newest version of an object came, whole or broken.
  void Put(api::ParsedObject version);
  void Drop(const api::ObjectId& id);
  // A limit was reached; `name` lives for ever.
  void NoteLimit(std::string_view name) { limits_.push_back(name); }

  // What is different from the last call; nullopt: nothing. `errors` and `unread`: what cannot
  // be read now, as Remarks have them.
  std::optional<Change> TakeChange(std::vector<std::string> errors, int64_t now_unix_s,
                                   std::vector<std::string> unread = {});

  size_t size() const { return served_.objects().size() + refused_.size(); }

 private:
  void TakeBroken(const api::ParsedObject& broken, int64_t now_unix_s);

  ServedObjects served_;
  std::map<api::ObjectId, std::optional<api::ParsedObject>> newest_;  // nullopt: it is gone
  std::map<api::ObjectId, api::InvalidObject> refused_;  // of which no version is served
  std::shared_ptr<const Remarks> remarks_ = std::make_shared<Remarks>();
  std::vector<std::string_view> limits_;
};

}  // namespace gw::config
