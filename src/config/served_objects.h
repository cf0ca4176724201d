// ServedObjects: which version of each object is served. What a new version broke, and what cannot
// be read any more, stays as it was served last until it is right again or deleted.
//
// For any ConfigSource. Which version of an object is the newest, what is deleted and what is only
// out of reach is the source's to say: one by one, as an API server tells it, or for all objects at
// once, as files are read (file/last_good.h).
//
// A value: no file, no clock, no socket.

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "api/object.h"
#include "config/config_source.h"

namespace gw::config {

// What of an object alone keeps all of it from being served; "" if nothing does.
using Judge = std::function<std::string(const api::Object&)>;

class ServedObjects {
 public:
  struct Served {
    api::ParsedObject version;  // the one that is served
    bool good = true;           // the judge has nothing against it: worth keeping
    std::optional<api::StaleObject> stale;
  };

  explicit ServedObjects(Judge judge = nullptr) : judge_(std::move(judge)) {}

  const std::map<api::ObjectId, Served>& objects() const { return objects_; }
  const Served* Find(const api::ObjectId& id) const;  // nullptr: it is not served

  // Of each object one call before the next TakeChange.

  // A whole version came. It is served, unless the judge is against it and the one before is good:
  // then that one goes on. REQUIRES: version.object != nullptr
  void Take(const api::ParsedObject& version, int64_t now_unix_s);
  // The newest version is broken, or out of reach (`source_lost`): the one that is served goes on,
  // and is stale since the first of such calls. REQUIRES: Find(id) != nullptr
  void Keep(const api::ObjectId& id, std::string why, bool source_lost, int64_t now_unix_s);
  // It was deleted.
  void Remove(const api::ObjectId& id);

  // What came of the calls since the last TakeChange; an object that is as it was is none. Remarks
  // and limits are the source's to add.
  Change TakeChange();
  std::vector<api::StaleObject> Stale() const;  // all there are

 private:
  const Judge judge_;
  std::map<api::ObjectId, Served> objects_;
  std::set<api::ObjectId> stale_;
  Change change_;
};

}  // namespace gw::config
