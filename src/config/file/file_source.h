// Objects out of files: YAML (and JSON, its subset), many documents per file, many files per
// directory.
//
// A directory means its *.yaml, *.yml and *.json, in order of their names, not those of directories
// below it. Hidden files and what editors leave behind (a~, .a.swp, #a#, 4913) are not looked at; a
// file that is named itself is read whatever its name. Symbolic links are followed, so that a
// ConfigMap's mount works.

#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "config/config_source.h"

namespace gw::config {

// What is refused because nobody means it. Reaching one fails the load and names the limit.
struct FileLimits {
  size_t files_max = 4096;
  size_t file_bytes_max = 16u << 20;
  size_t total_bytes_max = 64u << 20;
  size_t documents_max = 65536;           // per file
  size_t depth_max = 64;                  // of nested maps and lists
  size_t nodes_max = 2'000'000;           // per file, aliases counted as often as they are used
  size_t expanded_bytes_max = 64u << 20;  // of text per file, aliases counted likewise
};

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
