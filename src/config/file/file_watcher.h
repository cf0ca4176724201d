// FileWatcher: loads files again whenever they change.

#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "config/file/load.h"

namespace gw::config {

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

  // Any thread. Reads everything at once, without waiting for events or for quiet, and reports what
  // differs; behind that `done` is called on the watcher's thread, and told whether anything did.
  virtual void LoadNow(std::function<void(bool reported)> done) = 0;
};

}  // namespace gw::config
