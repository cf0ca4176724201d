// Stream over a TCP socket, for the other files of net.

#pragma once

#include <memory>

#include "net/epoll_loop.h"
#include "net/observer_calls.h"
#include "net/stream.h"

namespace gw::internal {

class TcpStream final : public Stream, private IoHandler, private Deferred {
 public:
  enum class State { kConnecting, kConnected };

  // Takes over `fd`, a non-blocking socket, and starts watching it. Returns nullptr and sets errno
  // if the kernel refuses to watch it; `fd` is closed then. kConnecting: OnWritable tells that the
  // attempt to connect has ended, well or not.
  static std::unique_ptr<TcpStream> New(EpollLoop& loop, int fd, State state,
                                        const SocketAddress& peer);
  ~TcpStream() override;

  void set_observer(StreamObserver* observer) override;
  IoResult Read(std::span<char> into) override;
  IoResult Write(std::span<const iovec> parts) override;
  void ReadAgainLater() override;
  bool peer_gone() const override { return peer_gone_; }
  bool IsOpenAndQuiet() const override;
  bool drained() const override { return drained_; }
  IoState ShutdownWrite() override;
  void ResetOnClose() override;
  void KeepAlive(Duration idle) override;
  const SocketAddress& peer() const override { return peer_; }
  const SocketAddress& local() const override;

  // Ends the state kConnecting and takes the observer away. Returns 0 if the connection stands,
  // otherwise the errno the attempt failed with.
  int FinishConnect();

 private:
  TcpStream(EpollLoop& loop, int fd, State state, const SocketAddress& peer);

  void OnEvents(uint32_t events) override;
  void OnDeferred() override;
  IoResult Fail(int error, size_t bytes);

  EpollLoop& loop_;
  const int fd_;
  State state_;
  ObserverCalls calls_;
  int error_ = 0;         // the kernel reports an error once; we keep it
  bool drained_ = false;  // the last read took all there was; the next event ends that
  bool urgent_ = false;   // urgent data has come once: a short read may have stopped there
  bool peer_gone_ = false;
  SocketAddress peer_;
  mutable SocketAddress local_;  // asked for on first use: a system call few streams need
};

// What users of net get for a TcpStream: itself, or in tests something that behaves like TLS over
// it (awkward_stream.h).
std::unique_ptr<Stream> ForUser(EpollLoop& loop, std::unique_ptr<TcpStream> stream);
using StreamWrapper = std::unique_ptr<Stream> (*)(EventLoop& loop, std::unique_ptr<Stream> stream);
extern StreamWrapper wrapper_for_test;

// Of all parts together.
size_t BytesOf(std::span<const iovec> parts);

// Makes a non-blocking TCP socket without Nagle's delay. Returns -1 and sets errno on failure.
int NewTcpSocket(int family);

// No waiting for more to send. What is accepted from a listening socket inherits it.
void SetNoDelay(int fd);

// See Stream::KeepAlive. What is accepted from a listening socket inherits it.
void SetKeepAlive(int fd, Duration idle);

// The local address of a socket.
SocketAddress LocalAddress(int fd);

}  // namespace gw::internal
