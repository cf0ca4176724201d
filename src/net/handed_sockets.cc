#include "net/handed_sockets.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/escape.h"
#include "net/tcp_stream.h"

namespace gw {
namespace {

constexpr int kFirstDescriptor = 3;  // SD_LISTEN_FDS_START
constexpr int kDescriptorsMax = 1024;

// An option of a socket whose value is a number; -1 if it has none.
int OptionOf(int fd, int level, int option) {
  int value = 0;
  socklen_t length = sizeof(value);
  return getsockopt(fd, level, option, &value, &length) == 0 ? value : -1;
}

std::string Variable(const char* name) {
  const char* const value = std::getenv(name);
  std::string text = value == nullptr ? "" : value;
  unsetenv(name);
  return text;
}

}  // namespace

HandedSockets::HandedSockets(int first, int count, std::string_view names) {
  for (int fd = first; fd < first + count; ++fd) {
    const size_t end = names.find(':');
    const std::string_view name = names.substr(0, end);
    names = end == std::string_view::npos ? "" : names.substr(end + 1);
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) continue;  // no such descriptor
    Socket socket{fd, name.empty() ? absl::StrCat("descriptor ", fd) : Printable(name),
                  internal::LocalAddress(fd)};
    socket.listens = OptionOf(fd, SOL_SOCKET, SO_ACCEPTCONN) == 1 &&
                     OptionOf(fd, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_TCP;
    socket.takes_ipv4 = socket.address.ip() == "::" && OptionOf(fd, IPPROTO_IPV6, IPV6_V6ONLY) == 0;
    if (socket.listens) fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    sockets_.push_back(std::move(socket));
  }
}

HandedSockets::HandedSockets(HandedSockets&& other) noexcept
    : sockets_(std::exchange(other.sockets_, {})) {}

HandedSockets::~HandedSockets() {
  for (const Socket& socket : sockets_) close(socket.fd);
}

HandedSockets HandedSockets::Take() {
  const std::string count_text = Variable("LISTEN_FDS");
  const std::string process_text = Variable("LISTEN_PID");
  const std::string names = Variable("LISTEN_FDNAMES");
  int count = 0;
  int process = 0;
  // Another process' are of those that started us, and are inherited by mistake.
  if (!absl::SimpleAtoi(process_text, &process) || process != getpid()) return {};
  if (!absl::SimpleAtoi(count_text, &count) || count <= 0 || count > kDescriptorsMax) return {};
  return {kFirstDescriptor, count, names};
}

int HandedSockets::Find(const SocketAddress& address) const {
  for (const Socket& socket : sockets_) {
    if (!socket.listens || socket.address.port() != address.port()) continue;
    if (socket.address == address || (socket.takes_ipv4 && address.ip() == "0.0.0.0")) {
      return socket.fd;
    }
  }
  return -1;
}

std::vector<std::string> HandedSockets::Names(const std::set<int>& used) const {
  std::vector<std::string> names;
  for (const Socket& socket : sockets_) {
    if (used.contains(socket.fd)) continue;
    names.push_back(absl::StrCat(
        socket.name, " (",
        socket.listens ? socket.address.ToString() : "not a listening TCP socket", ")"));
  }
  return names;
}

}  // namespace gw
