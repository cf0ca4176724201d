#include "kube/held_objects.h"

namespace gw::kube {

HeldObjects::Outcome HeldObjects::Take(const ApiObject& object) {
  auto found = objects_.find(object.key);
  if (found == objects_.end()) {
    if (objects_.size() >= objects_max_) return Outcome::kTooMany;
    found = objects_.emplace(object.key, Held{}).first;
  }
  Held& held = found->second;
  held.list = list_;
  // Versions are those of the whole store in practice, but an object that was made anew under its
  // name is another one whatever its version says.
  if (held.uid == object.uid && held.resource_version == object.resource_version) {
    return Outcome::kSame;
  }
  held.uid = object.uid;
  held.resource_version = object.resource_version;
  return Outcome::kNews;
}

std::vector<api::ObjectKey> HeldObjects::EndList() {
  std::vector<api::ObjectKey> gone;
  for (auto it = objects_.begin(); it != objects_.end();) {
    if (it->second.list == list_) {
      ++it;
      continue;
    }
    gone.push_back(it->first);
    it = objects_.erase(it);
  }
  return gone;
}

}  // namespace gw::kube
