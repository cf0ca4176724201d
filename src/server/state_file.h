// StateFile: a small text that outlives the process. It is replaced as a whole: whoever reads it,
// also after a crash or a power failure, finds the old text or the new one.

#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"

namespace gw {

// Where the state of a gateway that is served from these paths is kept, unless somebody says so:
// below $STATE_DIRECTORY (systemd), else $XDG_STATE_HOME/penstock, else ~/.local/state/penstock, in
// a file of a name of its own for each set of paths. "" if there is none of these folders to be
// had.
std::string DefaultStateFile(const std::vector<std::string>& config_paths);

class StateFile {
 public:
  // "": nothing is kept, which is no error.
  explicit StateFile(std::string path) : path_(std::move(path)) {}
  ~StateFile() { Unlock(); }
  StateFile(const StateFile&) = delete;
  StateFile& operator=(const StateFile&) = delete;

  const std::string& path() const { return path_; }
  // "" if there is no such file. An error names the file; InvalidArgument: it is none of ours.
  absl::StatusOr<std::string> Read() const;
  // Makes the folder, if that is missing. What is no regular file is left as it is.
  absl::Status Write(std::string_view text) const;
  // True: no other process has it from here on, until Unlock or the end of this one. Also true
  // where there is nobody to share it with: nothing is kept, or its folder cannot be written.
  bool Lock();
  void Unlock();

 private:
  const std::string path_;
  int lock_ = -1;  // of the file beside it that is locked
};

}  // namespace gw
