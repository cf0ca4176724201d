// PrivateStreams: connections between gateways that know the same secret: those that arrive, and
// those that are dialled, once their handshakes are through. Whoever does not know it gets no
// further than that.
//
// One loop's thread.

#pragma once

#include <functional>
#include <list>
#include <memory>

#include "base/status.h"
#include "net/stream.h"
#include "net/tls.h"
#include "peers/metrics.h"
#include "peers/options.h"

namespace gw::peers {

// Whoever scans ports does so again and again: one line in a while says so. All are counted.
class RefusalLog {
 public:
  static constexpr Duration kPause = std::chrono::seconds(10);

  bool MayTell(TimePoint now) {
    if (told_at_ != TimePoint{} && now - told_at_ < kPause) return false;
    told_at_ = now;
    return true;
  }

 private:
  TimePoint told_at_{};
};

class PrivateStreams {
 public:
  static constexpr Duration kConnectTimeout = std::chrono::seconds(1);
  static constexpr Duration kHandshakeTimeout = std::chrono::seconds(2);
  static constexpr size_t kArrivingMax = 64;  // handshakes of others at a time

  using OnStream = std::function<void(std::unique_ptr<Stream>)>;
  // Listens; `on_arrival` gets what has arrived.
  static absl::StatusOr<std::unique_ptr<PrivateStreams>> New(EventLoop& loop,
                                                             const PeerOptions& options,
                                                             PeerMetrics& metrics,
                                                             OnStream on_arrival);
  ~PrivateStreams();

  // One attempt; destroying it abandons it. `done` is called once, later, and may destroy it.
  class Attempt {
   public:
    virtual ~Attempt() = default;
  };
  using Done = std::function<void(absl::StatusOr<std::unique_ptr<Stream>>)>;
  std::unique_ptr<Attempt> Dial(const SocketAddress& address, Done done);

  const SocketAddress& local() const { return listener_->local(); }

 private:
  class Dialled;
  struct Arriving {
    std::unique_ptr<TlsHandshake> handshake;
  };

  PrivateStreams(EventLoop& loop, PeerMetrics& metrics, OnStream on_arrival);
  absl::Status Start(const PeerOptions& options);
  void OnAccept(std::unique_ptr<Stream> stream);

  EventLoop& loop_;
  PeerMetrics& metrics_;
  const OnStream on_arrival_;
  std::unique_ptr<TicketKeys> tickets_;
  std::unique_ptr<TlsHandshakes> handshakes_;
  std::shared_ptr<const ServerTls> server_;
  std::shared_ptr<const ClientTls> client_;
  std::list<Arriving> arriving_;
  RefusalLog refusals_;
  std::unique_ptr<Listener> listener_;
};

}  // namespace gw::peers
