// RunCommand: a program's output, and nothing else of it: no shell, no standard input, none of our
// descriptors, none of our blocked signals, an end by a deadline.
//
// Any thread; blocks until the program has ended. A program that leaves children behind does not
// keep it waiting, even if those hold on to its output.

#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace gw::kube {

struct Command {
  std::string program;  // with a slash in it: a path; otherwise looked for along PATH
  std::vector<std::string> args;
  std::vector<std::pair<std::string, std::string>> env;  // beside our own; the last of a name wins
  Duration timeout = std::chrono::seconds(30);
  size_t output_bytes_max = 1u << 20;
  size_t errors_bytes_max = 4096;  // what is beyond is read and dropped
};

struct CommandResult {
  enum class Outcome {
    kExited,      // code: the exit status
    kSignalled,   // code: the signal, which was not ours
    kNotFound,    // there is no such program
    kNotStarted,  // code: errno
    kTimedOut,    // killed, with all of its process group
    kTooLong,     // the same: it wrote more than output_bytes_max
  };
  Outcome outcome = Outcome::kNotStarted;
  int code = 0;
  std::string output;  // standard output
  std::string errors;  // standard error, the beginning of it

  bool ok() const { return outcome == Outcome::kExited && code == 0; }
};

// `clock` measures the time-out; programs run in real time, so it is the machine's.
CommandResult RunCommand(const Command& command, const Clock& clock);

}  // namespace gw::kube
