#include <fcntl.h>
#include <linux/filter.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "net/epoll_loop.h"
#include "net/stream.h"
#include "net/tcp_stream.h"

namespace gw {
namespace {

using internal::EpollLoop;
using internal::TcpStream;

// Connections taken before the loop turns to its other work.
constexpr int kAcceptsPerRound = 64;
// How long accepting rests when the process is out of file descriptors or memory. Trying again at
// once would spin: the connection stays in the backlog and the listener stays readable.
constexpr Duration kRest = std::chrono::milliseconds(100);
constexpr Duration kLogInterval = std::chrono::seconds(10);

bool OutOfResources(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

class TcpListener final : public Listener, private internal::IoHandler {
 public:
  TcpListener(EpollLoop& loop, int fd, const Options& options, OnAccept on_accept)
      : loop_(loop),
        fd_(fd),
        shared_(options.handed >= 0),
        backlog_(options.backlog),
        on_exhausted_(options.on_exhausted),
        on_accept_(std::move(on_accept)),
        local_(internal::LocalAddress(fd)),
        rest_(loop, [this] { UpdateWatch(); }) {}

  ~TcpListener() override {
    if (destroyed_ != nullptr) *destroyed_ = true;
    // Closing does not end it for a socket that others hold open.
    if (watched_) loop_.Suspend(fd_);
    loop_.Forget(this);
    close(fd_);
  }

  int Watch() {
    const int error = loop_.Watch(fd_, Events(), this);
    watched_ = error == 0;
    return error;
  }

  const SocketAddress& local() const override { return local_; }
  uint64_t accept_failures() const override { return accept_failures_; }

  void AcceptLast() override {
    if (!shared_) RefuseNewConnections();
    bool destroyed = false;
    destroyed_ = &destroyed;
    // Of a shared socket no more than can have waited: more come all the time.
    for (int left = backlog_; !rest_.active() && AcceptOne(); --left) {
      if (destroyed) return;
      if (shared_ && left <= 0) break;
    }
    destroyed_ = nullptr;
  }

  void Pause() override {
    paused_ = true;
    UpdateWatch();
  }

  void Resume() override {
    paused_ = false;
    UpdateWatch();
  }

 private:
  bool accepting() const { return !paused_ && !rest_.active(); }

  // Level-triggered: what is left in the backlog is told again. Of the loops that watch a shared
  // socket one is woken for a connection, not all.
  uint32_t Events() const { return shared_ ? EPOLLIN | EPOLLEXCLUSIVE : EPOLLIN; }

  void UpdateWatch() {
    if (!shared_) return loop_.Rewatch(fd_, accepting() ? Events() : 0, this);
    // The kernel does not change what is watched with EPOLLEXCLUSIVE.
    if (watched_ == accepting()) return;
    if (watched_) {
      loop_.Suspend(fd_);
      watched_ = false;
    } else {
      watched_ = loop_.Resume(fd_, Events(), this) == 0;
      if (!watched_) rest_.Start(kRest);
    }
  }

  // Drops segments with SYN and without ACK, the first ones of connections: otherwise one could be
  // established between the last accept and the close, and be reset. Its client sends the segment
  // again, when nobody listens any more.
  void RefuseNewConnections() {
    constexpr uint32_t kFlagsOffset = 13;  // in the TCP header, where the filter starts
    constexpr uint32_t kSyn = 0x02;
    constexpr uint32_t kSynAndAck = 0x12;
    sock_filter program[] = {BPF_STMT(BPF_LD | BPF_B | BPF_ABS, kFlagsOffset),
                             BPF_STMT(BPF_ALU | BPF_AND | BPF_K, kSynAndAck),
                             BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kSyn, 0, 1),
                             BPF_STMT(BPF_RET | BPF_K, 0), BPF_STMT(BPF_RET | BPF_K, 0xffffffff)};
    const sock_fprog filter{sizeof(program) / sizeof(program[0]), program};
    // Where filters are not allowed, the gap of a few microseconds stays.
    (void)setsockopt(fd_, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter));
  }

  void OnEvents(uint32_t) override {
    bool destroyed = false;
    destroyed_ = &destroyed;
    for (int i = 0; i < kAcceptsPerRound && accepting(); ++i) {
      if (!AcceptOne()) break;
      if (destroyed) return;
    }
    destroyed_ = nullptr;
  }

  // False if there is nothing more to accept in this round.
  bool AcceptOne() {
    sockaddr_storage storage;
    socklen_t length = sizeof(storage);
    auto* const address = reinterpret_cast<sockaddr*>(&storage);
    const int fd = accept4(fd_, address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return OnAcceptError(errno);
    // TCP_NODELAY is inherited from the listening socket (Linux), which saves a call here.
    std::unique_ptr<TcpStream> stream = TcpStream::New(
        loop_, fd, TcpStream::State::kConnected, SocketAddress::FromSockaddr(address, length));
    if (stream == nullptr) return OnAcceptError(errno);
    on_accept_(internal::ForUser(loop_, std::move(stream)));
    return true;
  }

  bool OnAcceptError(int error) {
    if (error == EAGAIN || error == EWOULDBLOCK) return false;
    // A connection that ended in the backlog, or an error of the network under it (accept(2)).
    if (!OutOfResources(error)) return true;
    // The kernel looks for a free descriptor before it looks whether anybody waits.
    pollfd waiting{fd_, POLLIN, 0};
    if (poll(&waiting, 1, 0) == 0) return false;
    ++accept_failures_;
    if (on_exhausted_ && on_exhausted_(error)) return true;
    rest_.Start(kRest);
    UpdateWatch();
    if (accept_failures_ == 1 || loop_.now() - logged_ >= kLogInterval) {
      logged_ = loop_.now();
      Log(LogLevel::kWarning, "Accepting connections fails",
          {{"address", local_.ToString()},
           {"error", std::strerror(error)},
           {"failures", static_cast<unsigned long>(accept_failures_)}});
    }
    return false;
  }

  EpollLoop& loop_;
  const int fd_;
  const bool shared_;  // the socket is not ours alone, and stays when this listener goes
  const int backlog_;
  const std::function<bool(int)> on_exhausted_;
  OnAccept on_accept_;
  const SocketAddress local_;
  Timer rest_;
  TimePoint logged_{};
  uint64_t accept_failures_ = 0;
  bool paused_ = false;
  bool watched_ = false;
  bool* destroyed_ = nullptr;  // set while OnEvents runs: tells it that `this` is gone
};

absl::Status ListenError(const SocketAddress& address, int error) {
  const std::string message =
      absl::StrCat("listen on ", address.ToString(), ": ", std::strerror(error));
  if (error == EADDRINUSE) return absl::AlreadyExistsError(message);
  if (error == EACCES) return absl::PermissionDeniedError(message);
  return absl::UnavailableError(message);
}

absl::StatusOr<int> BindSocket(const SocketAddress& address, bool reuse_port) {
  const int fd = internal::NewTcpSocket(address.family());
  if (fd < 0) return ListenError(address, errno);
  const int one = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  if (reuse_port) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
  // Otherwise [::] would take the port of 0.0.0.0 too.
  if (address.family() == AF_INET6) {
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
  }
  if (bind(fd, address.sockaddr_ptr(), address.length()) == 0) return fd;
  const int error = errno;
  close(fd);
  return ListenError(address, error);
}

// A descriptor of our own for the same socket. What is accepted inherits its options.
absl::StatusOr<int> Duplicate(const SocketAddress& address, int handed) {
  const int fd = fcntl(handed, F_DUPFD_CLOEXEC, 0);
  if (fd < 0) return ListenError(address, errno);
  internal::SetNoDelay(fd);
  return fd;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Listener>> Listener::New(EventLoop& loop,
                                                        const SocketAddress& address,
                                                        const Options& options,
                                                        OnAccept on_accept) {
  ASSIGN_OR_RETURN(const int fd, options.handed >= 0 ? Duplicate(address, options.handed)
                                                     : BindSocket(address, options.reuse_port));
  if (options.keep_alive > Duration::zero()) internal::SetKeepAlive(fd, options.keep_alive);
  if (options.handed < 0 && listen(fd, options.backlog) != 0) {
    const int error = errno;
    close(fd);
    return ListenError(address, error);
  }
  auto listener =
      std::make_unique<TcpListener>(internal::ImplOf(loop), fd, options, std::move(on_accept));
  if (const int error = listener->Watch(); error != 0) return ListenError(address, error);
  return listener;
}

absl::Status CheckNobodyListens(const SocketAddress& address) {
  ASSIGN_OR_RETURN(const int fd, BindSocket(address, /*reuse_port=*/false));
  close(fd);
  return absl::OkStatus();
}

absl::Status CheckLocalAddress(const SocketAddress& address) {
  ASSIGN_OR_RETURN(const SocketAddress any_port, SocketAddress::FromIp(address.ip(), 0));
  const int fd = internal::NewTcpSocket(any_port.family());
  if (fd < 0) return ListenError(address, errno);
  const int error = bind(fd, any_port.sockaddr_ptr(), any_port.length()) == 0 ? 0 : errno;
  close(fd);
  if (error == 0) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat(address.ip(), ": ", std::strerror(error)));
}

}  // namespace gw
