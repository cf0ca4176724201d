#include "server/signals.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

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

int OpenReader() {
  const sigset_t signals = Read();
  return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

}  // namespace

void BlockSignals() {
  const sigset_t signals = Read();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGUSR2, SIG_IGN);
}

SignalReader::SignalReader() : fd_(OpenReader()) { CHECK(fd_ >= 0); }

SignalReader::~SignalReader() { close(fd_); }

std::optional<int> SignalReader::Next(Duration timeout) {
  // Not select(): its sets end at descriptor 1023.
  pollfd wanted{fd_, POLLIN, 0};
  const auto millis = std::chrono::ceil<std::chrono::milliseconds>(timeout).count();
  if (poll(&wanted, 1, static_cast<int>(millis)) <= 0) return std::nullopt;
  signalfd_siginfo info;
  if (read(fd_, &info, sizeof(info)) != static_cast<ssize_t>(sizeof(info))) return std::nullopt;
  return static_cast<int>(info.ssi_signo);
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
