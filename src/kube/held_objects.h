// HeldObjects: which objects of one resource are known, in which version. It tells what is new, so
// that a whole list that is read once more costs nothing but its reading: of 5,000 objects that are
// as they were none is told again.
//
// One thread at a time.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "api/meta.h"
#include "kube/resource.h"

namespace gw::kube {

class HeldObjects {
 public:
  explicit HeldObjects(size_t objects_max) : objects_max_(objects_max) {}

  enum class Outcome : uint8_t {
    kNews,     // it is new, or another than before
    kSame,     // it is held in that version
    kTooMany,  // objects_max others are held: this one is not
  };
  Outcome Take(const ApiObject& object);
  // False if it is not held.
  bool Drop(const api::ObjectKey& key) { return objects_.erase(key) > 0; }

  // A whole list begins; one that was begun before and had no end is forgotten.
  void BeginList() { ++list_; }
  // It has ended: drops what was not taken since, and returns the names.
  std::vector<api::ObjectKey> EndList();

  size_t size() const { return objects_.size(); }

 private:
  struct Held {
    std::string uid;
    std::string resource_version;
    uint64_t list = 0;  // the last one that it was taken in
  };

  const size_t objects_max_;
  uint64_t list_ = 0;
  std::map<api::ObjectKey, Held> objects_;
};

}  // namespace gw::kube
