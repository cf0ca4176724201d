// Where changes must be looked for, so that none of the files given can change unseen.
//
// A directory that holds configuration is watched for every name configuration may have. A symbolic
// link on the way to a file is watched in the directory it stands in: a ConfigMap's mount changes
// all its files by renaming one link, `..data`. A file is watched through its directory, because an
// editor replaces it by another one of that name.

#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "config/file/load.h"

namespace gw::config {

struct WatchPlace {
  bool configuration = false;   // every name that ListFiles looks for matters
  std::set<std::string> names;  // these matter as well
  // `folder`: it is the name of one; where configuration is looked for, folders matter as well.
  bool Matters(std::string_view name, bool folder = false) const;
};

// Directories, absolute and free of symbolic links, and what matters there. Of a path that does not
// exist, the deepest directory that does: it is where the path will appear.
std::map<std::string, WatchPlace> PlacesToWatch(const std::vector<std::string>& paths,
                                                const FileLimits& limits);

}  // namespace gw::config
