// What every source of configuration yields, files or API server: the objects that could be read,
// and what could not. Which of them are served is for LastGood to say.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "api/object.h"

namespace gw::config {

// A file, or all below a folder, that cannot be read: what is wrong with one object of a file that
// reads well is no SourceError but stands with that object.
struct SourceError {
  std::string place;    // the path of the file or folder; empty: any file that is not in `files`
  std::string message;  // "pools/qwen.yaml:12:3: ...": begins with the place
};

struct LoadResult {
  api::Parsed parsed;  // of all files that could be read
  std::vector<SourceError> errors;
  std::vector<std::string> paths;    // as they were given
  std::vector<std::string> files;    // that could be read, in the order of reading
  std::vector<std::string> empty;    // of these, the ones without any document
  std::vector<std::string> folders;  // that were looked into
  std::vector<std::string> limits;   // names of the limits that were reached
  uint64_t hash = 0;  // of all that was read, names included; equal means nothing changed

  bool ok() const { return errors.empty(); }
  std::string error() const;  // all messages, joined by "; "
};

// What a load amounts to when nothing was served before.
api::ResourceSet ResourcesOf(const LoadResult& loaded);

}  // namespace gw::config
