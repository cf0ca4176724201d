// Objects out of files: YAML (and JSON, its subset), many documents per file, many files per
// directory.
//
// A directory means its *.yaml, *.yml and *.json, in order of their names, and those of directories
// below it. Names that begin with a dot (a mounted ConfigMap's `..data`) and what editors leave
// behind (a~, #a#, 4913) are not looked at; a file that is named itself is read whatever its name.
// Symbolic links are followed; what they lead to is read once.

#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "config/config_source.h"
#include "config/file/file_limits.h"

namespace gw::config {

// Reads everything now. Any thread; blocks on the disk.
LoadResult LoadFiles(const std::vector<std::string>& paths, const FileLimits& limits = {});

struct WatchOptions {
  FileLimits limits;
  // A change is loaded when nothing more has happened for `quiet`, and at the latest `quiet_max`
  // after it began: an editor's write-and-rename is one change.
  std::chrono::milliseconds quiet{100};
  std::chrono::milliseconds quiet_max{500};
  // How often everything is looked at even if no event came (network file systems send none).
  std::chrono::milliseconds poll_interval{5000};
  // Somebody still writes a file that is open: so long it is waited for the end of it.
  std::chrono::milliseconds writing_max{5000};
  // That there is no object at all any more is believed when it is seen again after so long.
  std::chrono::milliseconds gone_confirmed_after{1000};
  bool use_inotify = true;  // false: polling alone
};

// Loads again whenever the files change. Owns one thread.
class FileWatcher {
 public:
  // Runs on the watcher's thread, one call at a time, only when the content differs from what was
  // reported last (a load that fails counts as content). It may block; changes meanwhile are not
  // lost.
  using Callback = std::function<void(const LoadResult&)>;

  // `loaded` is what the caller has already: a change between that load and this call is reported
  // too.
  static std::unique_ptr<FileWatcher> Start(const std::vector<std::string>& paths,
                                            const LoadResult& loaded, Callback on_change,
                                            const WatchOptions& options = {});
  // Waits for a callback that is running; none runs afterwards. Not from within the callback.
  virtual ~FileWatcher() = default;
};

}  // namespace gw::config
