// The signals of `penstock serve`. Once it serves, none of them ends the process but by a drain:
//
//   SIGTERM, SIGINT   shutdown delay, then drain; a second one ends either at once. While objects
//                     are read for the first time: the end, as nothing is served yet
//   SIGHUP            reads the configuration anew
//   SIGUSR1           opens the log file anew
//   SIGUSR2, SIGPIPE  nothing

#pragma once

#include <functional>
#include <optional>

#include "base/clock.h"

namespace gw {

// Blocks the signals that are read below and ignores the others. To be called before the process
// has other threads, or one of these would take a signal.
void BlockSignals();

// Runs `work` on a thread of its own until it is over, or SIGTERM or SIGINT has come: then that is
// returned, the work goes on, and the caller ends the process. Other signals wait for who reads
// them. REQUIRES: BlockSignals was called.
std::optional<int> RunUnlessEnded(std::function<void()> work);

class SignalReader {
 public:
  // REQUIRES: BlockSignals was called.
  SignalReader();
  ~SignalReader();
  SignalReader(const SignalReader&) = delete;
  SignalReader& operator=(const SignalReader&) = delete;

  // The next signal, or nullopt if none came for so long.
  std::optional<int> Next(Duration timeout);
  // From here on SIGTERM and SIGINT end the process at once, the others do nothing.
  static void EndAtNext();

 private:
  const int fd_;
};

}  // namespace gw
