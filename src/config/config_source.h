// What every source of configuration yields, files or API server: one ResourceSet, or the reason
// why there is none.

#pragma once

#include <cstdint>
#include <string>

#include "api/resources.h"

namespace gw::config {

// A load fails as a whole only when what was written cannot be read (a missing path, a syntax
// error, a limit reached). An object that reads well but breaks the rules of its kind does not fail
// the load: it is in resources.invalid.
struct LoadResult {
  api::ResourceSet resources;  // empty unless ok()
  std::string error;           // "pools/qwen.yaml:12:3: ..."; several are joined by "; "
  uint64_t hash = 0;           // of all that was read, names included; equal means nothing changed
  int files = 0;               // how many were read

  bool ok() const { return error.empty(); }
};

}  // namespace gw::config
