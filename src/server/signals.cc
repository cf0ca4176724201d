#include "server/signals.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <thread>
#include <utility>

#include "base/check.h"

namespace gw {
namespace {

sigset_t SetOf(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (int number : signals) sigaddset(&set, number);
  return set;
}

sigset_t Read() { return SetOf({SIGTERM, SIGINT, SIGHUP, SIGUSR1}); }

int OpenReader(const sigset_t& signals) {
  const int fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  CHECK(fd >= 0);
  return fd;
}

// nullopt: there is none to be read.
std::optional<int> Take(int reader) {
  signalfd_siginfo info;
  if (read(reader, &info, sizeof(info)) != static_cast<ssize_t>(sizeof(info))) return std::nullopt;
  return static_cast<int>(info.ssi_signo);
}

}  // namespace

void BlockSignals() {
  const sigset_t signals = Read();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGUSR2, SIG_IGN);
}

std::optional<int> RunUnlessEnded(std::function<void()> work) {
  const int ends = OpenReader(SetOf({SIGTERM, SIGINT}));
  const int over = eventfd(0, EFD_CLOEXEC);
  CHECK(over >= 0);
  std::thread thread([work = std::move(work), over] {
    work();
    eventfd_write(over, 1);
  });
  pollfd wanted[] = {{over, POLLIN, 0}, {ends, POLLIN, 0}};
  std::optional<int> signal;
  while (wanted[0].revents == 0 && !signal) {
    if (poll(wanted, 2, -1) <= 0) continue;
    if (wanted[1].revents != 0) signal = Take(ends);
  }
  close(ends);
  if (signal) {
    thread.detach();  // and `over` stays open: it may be written to yet
    return signal;
  }
  thread.join();
  close(over);
  return std::nullopt;
}

SignalReader::SignalReader() : fd_(OpenReader(Read())) {}

SignalReader::~SignalReader() { close(fd_); }

std::optional<int> SignalReader::Next(Duration timeout) {
  // Not select(): its sets end at descriptor 1023.
  pollfd wanted{fd_, POLLIN, 0};
  const auto millis = std::chrono::ceil<std::chrono::milliseconds>(timeout).count();
  if (poll(&wanted, 1, static_cast<int>(millis)) <= 0) return std::nullopt;
  return Take(fd_);
}

void SignalReader::EndAtNext() {
  signal(SIGHUP, SIG_IGN);
  signal(SIGUSR1, SIG_IGN);
  signal(SIGTERM, [](int) { _exit(1); });
  signal(SIGINT, [](int) { _exit(1); });
  const sigset_t signals = Read();
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

}  // namespace gw
