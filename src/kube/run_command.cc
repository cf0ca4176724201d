#include "kube/run_command.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <map>
#include <memory>

#include "base/check.h"

namespace gw::kube {
namespace {

constexpr size_t kReadBytes = 16u << 10;

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { Close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  void Set(int fd) {
    Close();
    fd_ = fd;
  }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }
  int get() const { return fd_; }

 private:
  int fd_ = -1;
};

// Above the standard three, so that none is overwritten as the child gets its own (in a process
// that was started with one of them closed, a pipe may be number 1).
bool MoveUp(int fd, Descriptor* to) {
  to->Set(fcntl(fd, F_DUPFD_CLOEXEC, 3));
  close(fd);
  return to->get() >= 0;
}

struct Pipe {
  Descriptor read;
  Descriptor write;

  bool Open() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return false;
    const bool read_end = MoveUp(ends[0], &read);
    const bool write_end = MoveUp(ends[1], &write);
    return read_end && write_end && fcntl(read.get(), F_SETFL, O_NONBLOCK) == 0;
  }
};

// Our environment with the command's on top, as "NAME=value".
std::vector<std::string> EnvironmentOf(const Command& command) {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const size_t equals = text.find('=');
    if (equals != text.npos) variables[text.substr(0, equals)] = text.substr(equals + 1);
  }
  for (const auto& [name, value] : command.env) variables[name] = value;
  std::vector<std::string> out;
  for (const auto& [name, value] : variables) out.push_back(name + "=" + value);
  return out;
}

std::vector<char*> PointersTo(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

// In a process group of its own, so that what it has started is killed with it. 0 or errno.
int Spawn(const Command& command, const Pipe& output, const Pipe& errors, pid_t* pid) {
  std::vector<std::string> args = {command.program};
  args.insert(args.end(), command.args.begin(), command.args.end());
  std::vector<std::string> environment = EnvironmentOf(command);

  posix_spawn_file_actions_t actions;
  CHECK(posix_spawn_file_actions_init(&actions) == 0);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output.write.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, errors.write.get(), STDERR_FILENO);
  posix_spawn_file_actions_addclosefrom_np(&actions, 3);

  posix_spawnattr_t attributes;
  CHECK(posix_spawnattr_init(&attributes) == 0);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);

  const int fault = posix_spawnp(pid, command.program.c_str(), &actions, &attributes,
                                 PointersTo(args).data(), PointersTo(environment).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return fault;
}

// Takes what there is to be read, of which at most `bytes_max` are kept; *dropped says that there
// was more. Closes the pipe at its end.
void Drain(Descriptor* from, size_t bytes_max, std::string* to, bool* dropped) {
  char block[kReadBytes];
  while (from->get() >= 0 && !*dropped) {
    const ssize_t got = read(from->get(), block, sizeof(block));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return from->Close();
    const size_t kept = std::min(static_cast<size_t>(got), bytes_max - to->size());
    to->append(block, kept);
    *dropped = kept < static_cast<size_t>(got);
  }
}

// For at most that long, rounded up: with nothing left of it, 0.
int PollMillis(Duration left) {
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  return static_cast<int>(std::clamp<int64_t>(ms, 0, INT_MAX));
}

// Reads until the program has ended, or must be.
class Watch {
 public:
  Watch(const Command& command, const Clock& clock, CommandResult* result)
      : command_(command), clock_(clock), deadline_(clock.Now() + command.timeout), out_(*result) {}

  // False if it is to be killed, which the outcome then tells.
  bool UntilEnd(pid_t pid, Pipe* output, Pipe* errors) {
    // Readable when the program has ended; -1, which poll passes over, on a kernel without it: then
    // the ends of its output are waited for. (The pidfd_open of glibc 2.36 has C++ linkage.)
    const Descriptor ended(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    while (true) {
      pollfd polled[] = {{ended.get(), POLLIN, 0},
                         {output->read.get(), POLLIN, 0},
                         {errors->read.get(), POLLIN, 0}};
      const Duration left = deadline_ - clock_.Now();
      const int ready = poll(polled, 3, PollMillis(left));
      // What it wrote before it ended is in the pipes by now.
      const bool has_ended = ready > 0 && polled[0].revents != 0;
      if (!Read(output, errors)) return false;
      if (has_ended) return true;
      if (ended.get() < 0 && output->read.get() < 0 && errors->read.get() < 0) return true;
      if (left <= Duration(0)) {
        out_.outcome = CommandResult::Outcome::kTimedOut;
        return false;
      }
    }
  }

 private:
  bool Read(Pipe* output, Pipe* errors) {
    bool too_long = false;
    Drain(&output->read, command_.output_bytes_max, &out_.output, &too_long);
    // Read on without end, or the program would block on what nobody takes; a block at a time, or
    // one that writes faster than this is read would outlast its deadline.
    bool more = false;
    Drain(&errors->read, command_.errors_bytes_max, &out_.errors, &more);
    if (too_long) out_.outcome = CommandResult::Outcome::kTooLong;
    return !too_long;
  }

  const Command& command_;
  const Clock& clock_;
  const TimePoint deadline_;
  CommandResult& out_;
};

}  // namespace

CommandResult RunCommand(const Command& command, const Clock& clock) {
  CommandResult result;
  Pipe output;
  Pipe errors;
  if (!output.Open() || !errors.Open()) {
    result.code = errno;
    return result;
  }
  pid_t pid = 0;
  result.code = Spawn(command, output, errors, &pid);
  if (result.code != 0) {
    if (result.code == ENOENT) result.outcome = CommandResult::Outcome::kNotFound;
    return result;
  }
  output.write.Close();
  errors.write.Close();
  const bool ended = Watch(command, clock, &result).UntilEnd(pid, &output, &errors);
  // Before it is waited for: until then nobody else can have its number.
  if (!ended) kill(-pid, SIGKILL);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return result;  // somebody else has waited for it: nothing is known of it
  }
  if (!ended) return result;
  result.outcome =
      WIFEXITED(status) ? CommandResult::Outcome::kExited : CommandResult::Outcome::kSignalled;
  result.code = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status);
  return result;
}

}  // namespace gw::kube
