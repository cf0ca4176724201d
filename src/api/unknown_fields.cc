#include "api/unknown_fields.h"

#include <absl/strings/numbers.h>

#include <string_view>
#include <utility>
#include <variant>

namespace gw::api {
namespace {

constexpr char kMessage[] = "is a field of a newer version, which is not known here";

// "spec.rules[3].foo" -> 3 for the list "spec.rules["; -1: it is not in one of its items.
int IndexIn(std::string_view path, std::string_view list) {
  if (!path.starts_with(list)) return -1;
  path.remove_prefix(list.size());
  int index = -1;
  const std::string digits(path.substr(0, path.find(']')));
  return absl::SimpleAtoi(digits, &index) ? index : -1;
}

// Those in items of the list are not supported there, the others go to metadata.
void Divide(std::string_view list, std::vector<std::string> paths, ObjectMeta* meta,
            std::vector<Unsupported>* unsupported) {
  for (std::string& path : paths) {
    const int index = IndexIn(path, list);
    if (index >= 0) {
      unsupported->push_back({std::move(path), index, kMessage});
    } else {
      meta->unknown_fields.push_back(std::move(path));
    }
  }
}

void Note(std::vector<std::string> paths, HttpRoute* route) {
  Divide("spec.rules[", std::move(paths), &route->meta, &route->unsupported);
}
void Note(std::vector<std::string> paths, Gateway* gateway) {
  Divide("spec.listeners[", std::move(paths), &gateway->meta, &gateway->unsupported);
}
void Note(std::vector<std::string> paths, BackendTlsPolicy* policy) {
  for (std::string& path : paths) {
    if (path.starts_with("spec.")) {
      policy->unsupported.push_back({std::move(path), -1, kMessage});
    } else {
      policy->meta.unknown_fields.push_back(std::move(path));
    }
  }
}
void Note(std::vector<std::string>, Service*) {}
void Note(std::vector<std::string>, EndpointSlice*) {}
void Note(std::vector<std::string>, Pod*) {}
void Note(std::vector<std::string>, Secret*) {}
void Note(std::vector<std::string>, ConfigMap*) {}
void Note(std::vector<std::string>, Namespace*) {}
void Note(std::vector<std::string> paths, auto* object) {
  object->meta.unknown_fields = std::move(paths);
}

}  // namespace

void NoteUnknownFields(std::vector<std::string> paths, Object* object) {
  if (paths.empty()) return;
  std::visit([&](auto& of_kind) { Note(std::move(paths), &of_kind); }, *object);
}

}  // namespace gw::api
