// TextSource: a text of the configuration, or of a file that somebody renews under us: a projected
// token, an authority, a client certificate. A file is read when what we have of it is a minute
// old, which is how a kubelet expects it (it renews a token when a fifth of its life is left).
//
// One thread; Get may read a file.

#pragma once

#include <chrono>
#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "kube/access_options.h"

namespace gw::kube {

class TextSource {
 public:
  static constexpr Duration kReadAgain = std::chrono::seconds(60);
  // After a read that failed.
  static constexpr Duration kTryAgain = std::chrono::seconds(5);
  static constexpr size_t kFileBytesMax = 1u << 20;

  // `clock` outlives it.
  TextSource(TextOptions options, const Clock& clock);

  bool given() const { return options_.given(); }
  // What errors call it: the file, or the name of the text.
  const std::string& name() const;
  // Stays until the next Get. A file that cannot be read or is empty leaves what was read of it
  // before, with a warning in the log, as it may be just being replaced; one that never could be
  // read is an error.
  absl::StatusOr<std::string> Get();
  // The next Get reads the file however young what we have is.
  void Expire() { due_ = TimePoint::min(); }

 private:
  void Keep(const absl::Status& fault);

  const TextOptions options_;
  const Clock& clock_;
  TimePoint due_ = TimePoint::min();
  std::string read_;
  bool failing_ = false;  // said in the log already
};

// A whole regular file of at most `bytes_max`; the error names it. Never blocks on a FIFO.
absl::StatusOr<std::string> ReadRegularFile(const std::string& path, size_t bytes_max);

}  // namespace gw::kube
