#include "net/tcp_stream.h"

#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/check.h"

namespace gw::internal {
namespace {

constexpr uint32_t kGone = EPOLLRDHUP | EPOLLHUP | EPOLLERR;

// One system call for as many parts as the kernel takes at once, from byte `skip` of the first on.
ssize_t SendSome(int fd, std::span<const iovec> parts, size_t skip) {
  if (parts.size() == 1) {
    return send(fd, static_cast<const char*>(parts[0].iov_base) + skip, parts[0].iov_len - skip,
                MSG_NOSIGNAL);
  }
  constexpr size_t kPartsMax = 64;
  iovec copy[kPartsMax];
  const size_t count = std::min(parts.size(), kPartsMax);
  std::copy_n(parts.begin(), count, copy);
  copy[0].iov_base = static_cast<char*>(copy[0].iov_base) + skip;
  copy[0].iov_len -= skip;
  msghdr message{};
  message.msg_iov = copy;
  message.msg_iovlen = count;
  return sendmsg(fd, &message, MSG_NOSIGNAL);
}

}  // namespace

size_t BytesOf(std::span<const iovec> parts) {
  size_t bytes = 0;
  for (const iovec& part : parts) bytes += part.iov_len;
  return bytes;
}

std::unique_ptr<TcpStream> TcpStream::New(EpollLoop& loop, int fd, State state,
                                          const SocketAddress& peer) {
  std::unique_ptr<TcpStream> stream(new TcpStream(loop, fd, state, peer));
  // Registered once for everything and edge-triggered: no epoll_ctl per request.
  const int error =
      loop.Watch(fd, EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET, stream.get());
  if (error == 0) return stream;
  stream.reset();
  errno = error;
  return nullptr;
}

TcpStream::TcpStream(EpollLoop& loop, int fd, State state, const SocketAddress& peer)
    : loop_(loop), fd_(fd), state_(state), peer_(peer) {}

TcpStream::~TcpStream() {
  loop_.Forget(this);
  close(fd_);  // which ends the watch, too
}

void TcpStream::set_observer(StreamObserver* observer) {
  if (calls_.Observe(observer)) loop_.Defer(this);
}

IoResult TcpStream::Read(std::span<char> into) {
  // A read that returned less than was asked for has emptied the socket, unless it stopped in front
  // of urgent data; the event that tells of more clears drained_. This saves the recv that would
  // only return EAGAIN. Whoever reads asks until it is told that there is nothing more: under TLS a
  // short read says nothing.
  if (drained_) return {IoState::kWouldBlock, 0, 0};
  ssize_t n;
  do {
    n = recv(fd_, into.data(), into.size(), 0);
  } while (n < 0 && errno == EINTR);
  if (n > 0) {
    const auto bytes = static_cast<size_t>(n);
    // After the peer's end there is no further event, so the end itself must be read.
    drained_ = bytes < into.size() && !peer_gone_ && !urgent_;
    return {IoState::kOk, bytes, 0};
  }
  if (n < 0) {
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      drained_ = !peer_gone_;
      return {IoState::kWouldBlock, 0, 0};
    }
    return Fail(errno, 0);
  }
  if (into.empty()) return {IoState::kOk, 0, 0};
  peer_gone_ = true;
  // After a reset the kernel reports the error once and the end of the stream from then on. EPIPE
  // is no reset of what is read: a write failed because the peer had ended its side before.
  if (error_ != 0 && error_ != EPIPE) return {IoState::kError, 0, error_};
  return {IoState::kEnd, 0, 0};
}

IoResult TcpStream::Write(std::span<const iovec> parts) {
  const size_t total = BytesOf(parts);
  size_t written = 0;
  size_t skip = 0;  // bytes of parts[0] that are written
  while (written < total) {
    while (skip >= parts[0].iov_len) {
      skip -= parts[0].iov_len;
      parts = parts.subspan(1);
    }
    const ssize_t n = SendSome(fd_, parts, skip);
    if (n < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) return Fail(errno, written);
      calls_.set_write_blocked(true);
      return {IoState::kWouldBlock, written, 0};
    }
    written += static_cast<size_t>(n);
    skip += static_cast<size_t>(n);
  }
  calls_.set_write_blocked(false);
  return {IoState::kOk, written, 0};
}

IoResult TcpStream::Fail(int error, size_t bytes) {
  if (error_ == 0) error_ = error;
  peer_gone_ = true;
  drained_ = false;
  return {IoState::kError, bytes, error};
}

void TcpStream::ReadAgainLater() { loop_.Defer(this); }

bool TcpStream::IsOpenAndQuiet() const {
  char byte;
  return !peer_gone_ && recv(fd_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
         (errno == EAGAIN || errno == EWOULDBLOCK);
}

IoState TcpStream::ShutdownWrite() {
  return shutdown(fd_, SHUT_WR) == 0 ? IoState::kOk : IoState::kError;
}

void TcpStream::ResetOnClose() {
  const linger abort_now{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &abort_now, sizeof(abort_now));
}

void TcpStream::KeepAlive(Duration idle) { SetKeepAlive(fd_, idle); }

const SocketAddress& TcpStream::local() const {
  if (local_.family() == AF_UNSPEC) local_ = LocalAddress(fd_);
  return local_;
}

int TcpStream::FinishConnect() {
  state_ = State::kConnected;
  calls_.Observe(nullptr);
  calls_.set_write_blocked(false);
  int error = 0;
  socklen_t length = sizeof(error);
  if (getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return errno;
  // A socket that picks the very port it connects to on its own host is connected to itself (a
  // simultaneous open): whoever probes a dead local port often enough meets it.
  if (error == 0 && local() == peer_) return ECONNREFUSED;
  return error;
}

void TcpStream::OnEvents(uint32_t events) {
  if ((events & kGone) != 0) peer_gone_ = true;
  const bool readable = (events & (EPOLLIN | EPOLLPRI | kGone)) != 0;
  if (readable) drained_ = false;
  if ((events & EPOLLPRI) != 0) urgent_ = true;
  if (state_ == State::kConnecting) {
    if (readable) calls_.MissReadable();
    calls_.set_write_blocked(true);
    calls_.Deliver(false, true);
    return;
  }
  const bool writable = calls_.write_blocked() && (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0;
  if (readable || writable) calls_.Deliver(readable, writable);
}

void TcpStream::OnDeferred() {
  const bool writable = calls_.TakeMissed();
  calls_.Deliver(true, writable);
}

StreamWrapper wrapper_for_test = nullptr;

std::unique_ptr<Stream> ForUser(EpollLoop& loop, std::unique_ptr<TcpStream> stream) {
  if (wrapper_for_test != nullptr) return wrapper_for_test(loop, std::move(stream));
  return stream;
}

int NewTcpSocket(int family) {
  const int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  if (fd >= 0) SetNoDelay(fd);
  return fd;
}

void SetNoDelay(int fd) {
  const int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

void SetKeepAlive(int fd, Duration idle) {
  constexpr int kProbes = 4;
  const auto seconds = [](Duration time) {
    constexpr int64_t kMost = 32767;  // what the kernel takes
    const int64_t whole = std::chrono::ceil<std::chrono::seconds>(time).count();
    return static_cast<int>(std::clamp<int64_t>(whole, 1, kMost));
  };
  const auto set = [fd](int level, int option, int value) {
    setsockopt(fd, level, option, &value, sizeof(value));
  };
  set(IPPROTO_TCP, TCP_KEEPIDLE, seconds(idle));
  set(IPPROTO_TCP, TCP_KEEPINTVL, seconds(idle / kProbes));
  set(IPPROTO_TCP, TCP_KEEPCNT, kProbes);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
}

SocketAddress LocalAddress(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof(storage);
  auto* const address = reinterpret_cast<sockaddr*>(&storage);
  if (getsockname(fd, address, &length) != 0) return {};
  return SocketAddress::FromSockaddr(address, length);
}

}  // namespace gw::internal
