#include "admin/admin_server.h"

#include <atomic>
#include <list>
#include <thread>
#include <unordered_map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "admin/admin_connection.h"
#include "base/thread_name.h"
#include "net/event_loop.h"
#include "net/stream.h"
#include "net/tls.h"

namespace gw {

class AdminServer::Impl {
 public:
  Impl(std::unique_ptr<EventLoop> loop, Handlers handlers, const Limits& limits, AdminGuard guard)
      : handlers_(std::move(handlers)),
        limits_(limits),
        guard_(std::move(guard)),
        loop_(std::move(loop)),
        handshakes_(TlsHandshakes::New(*loop_)),
        closing_timer_(*loop_, [this] {
          listener_->AcceptLast();
          listener_.reset();
        }) {}

  ~Impl() {
    if (!thread_.joinable()) return;
    loop_->Stop();
    thread_.join();
  }

  absl::Status Start(const SocketAddress& address) {
    if (!limits_.share_port && limits_.handed < 0) {
      const absl::Status status = CheckNobodyListens(address);
      if (!status.ok())
        return absl::Status(status.code(), "admin: " + std::string(status.message()));
    }
    // Always, so that a later process can share the port if it asks to.
    Listener::Options options;
    options.reuse_port = true;
    options.handed = limits_.handed;
    absl::StatusOr<std::unique_ptr<Listener>> listener =
        Listener::New(*loop_, address, options,
                      [this](std::unique_ptr<Stream> stream) { Accept(std::move(stream)); });
    if (!listener.ok()) {
      return absl::Status(listener.status().code(),
                          absl::StrCat("admin: ", listener.status().message()));
    }
    listener_ = *std::move(listener);
    local_ = listener_->local();
    thread_ = std::thread([this] {
      NameThread("admin");
      loop_->Run();
    });
    return absl::OkStatus();
  }

  void StopListening(Duration closing) {
    loop_->Post([this, closing] {
      if (listener_ == nullptr) return;
      listener_->AcceptLast();
      closing_timer_.Start(closing);
    });
  }

  void SetGuard(AdminGuard guard) {
    loop_->Post([this, guard = std::move(guard)]() mutable { guard_ = std::move(guard); });
  }

  const SocketAddress& local() const { return local_; }
  uint64_t closed_at_limit() const { return closed_at_limit_.load(std::memory_order_relaxed); }

 private:
  using Connection = internal::AdminConnection;

  // Those of which the handshake is under way, the oldest first.
  using Arrivals = std::list<std::unique_ptr<TlsHandshake>>;

  void Accept(std::unique_ptr<Stream> stream) {
    if (connections_.size() + arrivals_.size() >= limits_.connections) {
      closed_at_limit_.fetch_add(1, std::memory_order_relaxed);
      limits_.on_connections_reached();
      if (!MakeRoom()) return;  // closes the new one
    }
    if (guard_.tls == nullptr) return Serve(std::move(stream));
    const auto place = arrivals_.insert(arrivals_.end(), nullptr);
    *place = handshakes_->Accept(
        std::move(stream), guard_.tls, limits_.handshake,
        [this, place](TlsHandshake::Result result) { EndHandshake(place, std::move(result)); });
  }

  void EndHandshake(Arrivals::iterator place, TlsHandshake::Result result) {
    arrivals_.erase(place);
    if (result.stream != nullptr) return Serve(std::move(result.stream));
    if (result.error.failure == TlsFailure::kTimeout) limits_.on_handshake_timeout();
  }

  void Serve(std::unique_ptr<Stream> stream) {
    const Connection::Shared shared{*loop_, handlers_, limits_, guard_, feeds_};
    auto connection =
        std::make_unique<Connection>(shared, std::move(stream), [this](Connection* ended) {
          const auto it = connections_.find(ended);
          loop_->FreeLater(std::move(it->second));
          connections_.erase(it);
        });
    connections_.emplace(connection.get(), std::move(connection));
  }

  // Who has not even begun goes first.
  bool MakeRoom() {
    if (!arrivals_.empty()) {
      arrivals_.pop_front();
      return true;
    }
    Connection* const idle = LongestIdle();
    if (idle != nullptr) idle->Close();
    return idle != nullptr;
  }

  // Somebody who holds a connection that he does not use (a monitor, or many) must not keep out
  // whoever asks whether the gateway is well.
  Connection* LongestIdle() const {
    Connection* longest = nullptr;
    for (const auto& [connection, owned] : connections_) {
      if (!connection->idle()) continue;
      if (longest == nullptr || connection->idle_since() < longest->idle_since()) {
        longest = connection;
      }
    }
    return longest;
  }

  const Handlers handlers_;
  const Limits limits_;
  AdminGuard guard_;  // of the loop
  // The loop outlives what is registered with it.
  const std::unique_ptr<EventLoop> loop_;
  const std::unique_ptr<TlsHandshakes> handshakes_;
  internal::Feeds feeds_{*loop_};
  Arrivals arrivals_;
  std::unique_ptr<Listener> listener_;
  Timer closing_timer_;
  SocketAddress local_;
  std::unordered_map<Connection*, std::unique_ptr<Connection>> connections_;
  std::atomic<uint64_t> closed_at_limit_{0};
  std::thread thread_;
};

absl::StatusOr<std::unique_ptr<AdminServer>> AdminServer::Start(const SocketAddress& address,
                                                                Handlers handlers) {
  return Start(address, std::move(handlers), Limits());
}

absl::StatusOr<std::unique_ptr<AdminServer>> AdminServer::Start(const SocketAddress& address,
                                                                Handlers handlers,
                                                                const Limits& limits,
                                                                AdminGuard guard) {
  ASSIGN_OR_RETURN(std::unique_ptr<EventLoop> loop, EventLoop::New());
  auto impl =
      std::make_unique<Impl>(std::move(loop), std::move(handlers), limits, std::move(guard));
  RETURN_IF_ERROR(impl->Start(address));
  return std::unique_ptr<AdminServer>(new AdminServer(std::move(impl)));
}

AdminServer::AdminServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

AdminServer::~AdminServer() = default;

void AdminServer::SetGuard(AdminGuard guard) { impl_->SetGuard(std::move(guard)); }

void AdminServer::StopListening(Duration closing) { impl_->StopListening(closing); }

const SocketAddress& AdminServer::local() const { return impl_->local(); }

uint64_t AdminServer::closed_at_limit() const { return impl_->closed_at_limit(); }

}  // namespace gw
