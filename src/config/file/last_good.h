// LastGood: what is served of what was loaded. An object that an edit broke, and all objects of a
// file that cannot be read any more, stay as they were served last until they are right again or
// deleted (config/served_objects.h); this is what a load says of each.
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
#include <utility>

#include "api/object.h"
#include "config/config_source.h"
#include "config/file/load.h"
#include "config/served_objects.h"

namespace gw::config {

class LastGood {
 public:
  explicit LastGood(Judge judge = nullptr) : served_(std::move(judge)) {}

  // Takes over what can be served, and says what of that is not as it was.
  Change Merge(const LoadResult& loaded, int64_t now_unix_s);

 private:
  class Merger;

  ServedObjects served_;
};

// What a load amounts to when nothing was served before.
api::ResourceSet ResourcesOf(const LoadResult& loaded);

}  // namespace gw::config
