// Objects out of files, in one pass: YAML (and JSON, its subset), many documents per file, many
// files per directory.
//
// A directory means its *.yaml, *.yml and *.json, in order of their names, and those of directories
// below it. Names that begin with a dot (a mounted ConfigMap's `..data`) and what editors leave
// behind (a~, #a#, 4913) are not looked at; a file that is named itself is read whatever its name.
// Symbolic links are followed; what they lead to is read once.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "api/object.h"
#include "config/file/file_limits.h"

namespace gw::config {

// A file, or all below a folder, that cannot be read: what is wrong with one object of a file that
// reads well is no SourceError but stands with that object.
struct SourceError {
  std::string place;    // the path of the file or folder; empty: any file that is not in `files`
  std::string message;  // "pools/qwen.yaml:12:3: ...": begins with the place
};

// Which of these objects are served is for LastGood to say.
struct LoadResult {
  api::Parsed parsed;  // of all files that could be read
  std::vector<SourceError> errors;
  std::vector<std::string> paths;    // as they were given
  std::vector<std::string> files;    // that could be read, in the order of reading
  std::vector<std::string> empty;    // of these, the ones without any document
  std::vector<std::string> folders;  // that were looked into
  std::vector<std::string> beside;   // that the objects name (certificates): read too, as far as
                                     // they are there
  std::vector<std::string> limits;   // names of the limits that were reached
  uint64_t hash = 0;  // of all that was read, names included; equal means nothing changed

  bool ok() const { return errors.empty(); }
  std::string error() const;  // all messages, joined by "; "
};

// Reads everything now. Any thread; blocks on the disk.
LoadResult LoadFiles(const std::vector<std::string>& paths, const FileLimits& limits = {});
// The same without a line in the log.
LoadResult LoadQuietly(const std::vector<std::string>& paths, const FileLimits& limits);

// Says in the log which objects were passed over because their kinds are not ours.
void LogSkipped(const LoadResult& result);

}  // namespace gw::config
