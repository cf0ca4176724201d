// Whole objects of the API server of the tests, by their paths: GET, POST, PUT, and JSON merge
// patches of /status, with resourceVersion as the lock that it is.

#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "kube/json_node.h"
#include "kube/node_edit.h"
#include "kube/test_api_server.h"

namespace gw::kube {

inline api::Node JsonOf(const std::string& text) {
  auto node = ParseJson(text);
  CHECK(node.ok());
  return *std::move(node);
}

// RFC 7386 section 2.
inline void MergePatch(const api::Node& patch, api::Node* target) {
  if (!patch.is_map()) {
    *target = patch;
    return;
  }
  if (!target->is_map()) *target = MapNode();
  for (size_t i = 0; i < patch.keys.size(); ++i) {
    const std::string& name = patch.keys[i].name;
    size_t at = 0;
    while (at < target->keys.size() && target->keys[at].name != name) ++at;
    const bool there = at < target->keys.size();
    if (patch.items[i].kind == api::Node::Kind::kNull) {
      if (!there) continue;
      target->keys.erase(target->keys.begin() + static_cast<ptrdiff_t>(at));
      target->items.erase(target->items.begin() + static_cast<ptrdiff_t>(at));
      continue;
    }
    if (!there) SetMember(target, name, {});
    MergePatch(patch.items[i], &target->items[at]);
  }
}

class TestApiObjects {
 public:
  // Written by whoever: under a new version, and without a word about the old one.
  void Put(const std::string& path, api::Node object) { Store(path, std::move(object)); }
  void Put(const std::string& path, const std::string& json) { Store(path, JsonOf(json)); }
  void Delete(const std::string& path) { objects_.erase(path); }
  const api::Node& At(const std::string& path) const { return objects_.at(path); }
  bool Has(const std::string& path) const { return objects_.contains(path); }

  // What becomes of an object as it is stored: defaults, fields that are not known.
  std::function<void(api::Node*)> admit;

  std::optional<std::string> Serve(const TestApiRequest& request) {
    std::string path = request.target;
    if (request.method == "POST") return Create(path, JsonOf(request.body));
    const bool status_alone = path.ends_with("/status");
    if (status_alone) path.erase(path.size() - std::string_view("/status").size());
    if (!path.starts_with("/apis/")) return std::nullopt;
    if (!Has(path)) return TestApiServer::Status(404);
    if (request.method == "GET") return TestApiServer::Answer(200, ToJson(At(path)));
    const api::Node sent = JsonOf(request.body);
    const std::string version = TextAt(MapAt(&sent, "metadata"), "resourceVersion");
    if (version != VersionAt(path)) return TestApiServer::Status(409);
    api::Node object = At(path);
    if (request.method == "PUT") {
      object = sent;
    } else {
      CHECK(request.method == "PATCH" && status_alone);
      CHECK(request.fields.at("content-type") == "application/merge-patch+json");
      const api::Node* status = MapAt(&sent, "status");
      CHECK(status != nullptr);
      api::Node patch = MapNode();
      SetMember(&patch, "status", *status);
      MergePatch(patch, &object);
    }
    Store(path, std::move(object));
    return TestApiServer::Answer(200, ToJson(At(path)));
  }

  std::string VersionAt(const std::string& path) const {
    return TextAt(MapAt(&At(path), "metadata"), "resourceVersion");
  }

 private:
  std::string Create(const std::string& collection, api::Node object) {
    const std::string path =
        absl::StrCat(collection, "/", TextAt(MapAt(&object, "metadata"), "name"));
    if (Has(path)) return TestApiServer::Status(409);
    Store(path, std::move(object));
    return TestApiServer::Answer(201, ToJson(At(path)));
  }
  void Store(const std::string& path, api::Node object) {
    if (admit) admit(&object);
    api::Node metadata = *MapAt(&object, "metadata");
    SetMember(&metadata, "resourceVersion", TextNode(absl::StrCat("v/", ++version_, "+=")));
    SetMember(&object, "metadata", std::move(metadata));
    objects_[path] = std::move(object);
  }

  std::map<std::string, api::Node> objects_;
  int version_ = 0;
};

}  // namespace gw::kube
