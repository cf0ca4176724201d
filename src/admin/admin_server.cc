#include "admin/admin_server.h"

#include <atomic>
#include <thread>
#include <unordered_map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "admin/admin_connection.h"
#include "net/event_loop.h"
#include "net/stream.h"

namespace gw {

class AdminServer::Impl {
 public:
  Impl(std::unique_ptr<EventLoop> loop, Handlers handlers, const Limits& limits)
      : handlers_(std::move(handlers)), limits_(limits), loop_(std::move(loop)) {}

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
    thread_ = std::thread([this] { loop_->Run(); });
    return absl::OkStatus();
  }

  void StopListening() {
    loop_->Post([this] {
      if (listener_ == nullptr) return;
      listener_->AcceptLast();
      listener_.reset();
    });
  }

  const SocketAddress& local() const { return local_; }
  uint64_t closed_at_limit() const { return closed_at_limit_.load(std::memory_order_relaxed); }

 private:
  using Connection = internal::AdminConnection;

  void Accept(std::unique_ptr<Stream> stream) {
    if (connections_.size() >= limits_.connections) {
      closed_at_limit_.fetch_add(1, std::memory_order_relaxed);
      limits_.on_connections_reached();
      Connection* const idle = LongestIdle();
      if (idle == nullptr) return;  // closes the new one
      idle->Close();
    }
    auto connection = std::make_unique<Connection>(*loop_, std::move(stream), handlers_, limits_,
                                                   [this](Connection* ended) {
                                                     const auto it = connections_.find(ended);
                                                     loop_->FreeLater(std::move(it->second));
                                                     connections_.erase(it);
                                                   });
    connections_.emplace(connection.get(), std::move(connection));
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
  // The loop outlives what is registered with it.
  const std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<Listener> listener_;
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
                                                                const Limits& limits) {
  ASSIGN_OR_RETURN(std::unique_ptr<EventLoop> loop, EventLoop::New());
  auto impl = std::make_unique<Impl>(std::move(loop), std::move(handlers), limits);
  RETURN_IF_ERROR(impl->Start(address));
  return std::unique_ptr<AdminServer>(new AdminServer(std::move(impl)));
}

AdminServer::AdminServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

AdminServer::~AdminServer() = default;

void AdminServer::StopListening() { impl_->StopListening(); }

const SocketAddress& AdminServer::local() const { return impl_->local(); }

uint64_t AdminServer::closed_at_limit() const { return impl_->closed_at_limit(); }

}  // namespace gw
