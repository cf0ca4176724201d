// LastGood: what is served of what was loaded. An object that an edit broke, and all objects of a
// file that cannot be read any more, stay as they were served last until they are right again or
// deleted.
//
// Deleted means: gone from a file that reads well, or gone with its file from a folder that can be
// listed. A file that is named itself and is gone or empty has deleted nothing, nor has an empty
// file in a folder: nobody means that, a full disk or an editor between truncating and writing does
// it.
//
// Of several objects with one name the one that was served goes on (a copy of its file may sort
// before it), else the first that was read.
//
// A value: no file, no clock, no socket.

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "api/object.h"
#include "config/config_source.h"
#include "config/file/load.h"

namespace gw::config {

class LastGood {
 public:
  // What of an object alone keeps all of it from being served; "" if nothing does.
  using Judge = std::function<std::string(const api::Object&)>;

  explicit LastGood(Judge judge = nullptr) : judge_(std::move(judge)) {}

  // Takes over what can be served, and says what of that is not as it was.
  Change Merge(const LoadResult& loaded, int64_t now_unix_s);

 private:
  struct Served {
    api::ParsedObject version;  // the one that is served
    bool good = true;           // the judge has nothing against it: worth keeping
    std::optional<api::StaleObject> stale;
  };
  using ServedObjects = std::map<api::ObjectId, Served>;
  class Merger;

  const Judge judge_;
  ServedObjects served_;
};

// What a load amounts to when nothing was served before.
api::ResourceSet ResourcesOf(const LoadResult& loaded);

}  // namespace gw::config
