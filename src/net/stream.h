// Stream, Connector, Listener: the only users of socket system calls.
//
// A Stream is a connected, non-blocking byte stream: TCP, or TLS over it. What holds for both:
//  - Readiness is edge-triggered: after OnReadable, read until kWouldBlock, kEnd or kError, or call
//    ReadAgainLater() to be called once more in the next round of the loop (fairness, back-pressure
//    lifted). A read that filled less than it was given says nothing about what is left: a record
//    of TLS ends where it ends. drained() says it.
//  - A Read may have to write first, and a Write to read (a handshake, new keys). The stream
//    arranges that with the loop itself: either returns kWouldBlock, and OnReadable or OnWritable
//    says when to go on, whatever was waited for.
//  - What a Write did not take is offered again, from its first byte on; more may stand behind it.
//  - Closing in order takes time, since the peer has to take the end of our side and end its own:
//    net/orderly_close.h is that state, with its limits. The destructor waits for nothing.

#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <span>

#include "base/status.h"
#include "net/address.h"
#include "net/event_loop.h"

namespace gw {

struct TlsInfo;  // net/tls.h

enum class IoState {
  kOk,          // `bytes` were moved; there may be more
  kWouldBlock,  // nothing more can be moved before the next readiness call
  kEnd,         // read only: the peer has shut down its side in order
  kError,       // the connection is dead; error_number says why
};

struct IoResult {
  IoState state;
  size_t bytes;      // moved by this call; may be > 0 with kWouldBlock for Write
  int error_number;  // errno for kError, otherwise 0
};

// Receives the events of one Stream, on the loop's thread. A handler may destroy any Stream.
class StreamObserver {
 public:
  virtual void OnReadable() = 0;  // data, the end of the peer's side, or an error: Read tells which
  // A Write or ShutdownWrite that returned kWouldBlock may go on.
  virtual void OnWritable() = 0;

 protected:
  ~StreamObserver() = default;
};

class Stream {
 public:
  virtual ~Stream() = default;  // closes

  // nullptr is allowed: events that come meanwhile are told to the next observer.
  virtual void set_observer(StreamObserver* observer) = 0;
  virtual IoResult Read(std::span<char> into) = 0;
  // Writes as much as the kernel takes, in order. kOk means all of it.
  virtual IoResult Write(std::span<const iovec> parts) = 0;
  virtual void ReadAgainLater() = 0;
  // True if there is nothing to read before OnReadable is called by itself: ReadAgainLater would
  // cost a round for nothing.
  virtual bool drained() const = 0;
  // True once the peer's FIN or RST was seen, even if unread data stands before it.
  virtual bool peer_gone() const = 0;
  // Asks the kernel, for a stream between two messages: false if the peer has closed it or has sent
  // something, even if the loop has not told of it yet.
  virtual bool IsOpenAndQuiet() const = 0;
  // Sends the end of our side after what was written; reading goes on. For a server that answers
  // before it has read everything: closing then would reset the connection and lose the answer.
  // kOk, kError, or kWouldBlock if it is not sent yet: then again at OnWritable.
  virtual IoState ShutdownWrite() = 0;
  // Makes the close abortive: the peer sees a reset instead of an orderly end.
  virtual void ResetOnClose() = 0;

  // Asks a peer from which nothing comes for `idle` whether it is still there, and again every
  // quarter of that; without an answer to four of them the stream fails with ETIMEDOUT. A peer
  // whose machine is gone, or whose state a firewall has forgotten, says nothing itself.
  virtual void KeepAlive(Duration idle) = 0;

  virtual const SocketAddress& peer() const = 0;
  virtual const SocketAddress& local() const = 0;
  // What its handshake agreed on; nullptr: it is plain.
  virtual const TlsInfo* tls() const { return nullptr; }
};

// One attempt to connect. Destroying it abandons the attempt. `done` is called exactly once, later,
// from the loop, with the stream (no observer yet) or the reason (Unavailable with an ErrnoOf, or
// DeadlineExceeded after `timeout`); it may destroy the Connector.
class Connector {
 public:
  virtual ~Connector() = default;
  using Done = std::function<void(absl::StatusOr<std::unique_ptr<Stream>>)>;
  static std::unique_ptr<Connector> New(EventLoop& loop, const SocketAddress& address,
                                        Duration timeout, Done done);
};

// The errno that a failed attempt to connect ended with; 0 for any other status.
int ErrnoOf(const absl::Status& status);

// Accepts connections on one address until destroyed.
class Listener {
 public:
  struct Options {
    bool reuse_port = false;  // several loops listen on the same address
    // A listening socket that is used instead of one of our own, see handed_sockets.h; it stays the
    // caller's. Several loops may use it: each connection goes to one of them.
    int handed = -1;
    int backlog = 4096;
    Duration keep_alive{};  // of every stream that is accepted, see Stream::KeepAlive; 0: none
    // Accepting failed with this errno for want of descriptors or memory. True: some are free
    // again, and it is tried again at once. Must not destroy the Listener.
    std::function<bool(int error)> on_exhausted;
  };
  using OnAccept = std::function<void(std::unique_ptr<Stream>)>;

  virtual ~Listener() = default;
  // The error names the address and the reason, e.g. "listen on 127.0.0.1:8080: Address already in
  // use".
  static absl::StatusOr<std::unique_ptr<Listener>> New(EventLoop& loop,
                                                       const SocketAddress& address,
                                                       const Options& options, OnAccept on_accept);
  virtual const SocketAddress& local() const = 0;  // with the real port when 0 was asked for
  // How often accepting failed for want of file descriptors or memory. Unless on_exhausted frees
  // some, it then rests for 100 ms.
  virtual uint64_t accept_failures() const = 0;
  // Accepts what has arrived, also while paused, and refuses what has not: connections still in the
  // backlog of a listener that is destroyed are reset. First packets are dropped from here on
  // (their clients send them again); connections whose first packet was answered before are still
  // accepted. Behind it comes the destructor, at once or after another call. A socket that was
  // handed over goes on taking connections for whoever uses it next.
  virtual void AcceptLast() = 0;
  // Stops and resumes accepting (connection limit reached); the backlog fills meanwhile.
  virtual void Pause() = 0;
  virtual void Resume() = 0;
};

// OK if this machine has the address; its port is not looked at.
absl::Status CheckLocalAddress(const SocketAddress& address);
// OK if nobody listens on that address and port, also nobody who would share it: Listeners with
// reuse_port do not notice each other. The error is the one of Listener::New.
absl::Status CheckNobodyListens(const SocketAddress& address);

}  // namespace gw
