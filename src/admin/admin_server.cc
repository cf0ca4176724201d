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
    absl::StatusOr<std::unique_ptr<Listener>> listener = Listener::New(
        *loop_, address, {}, [this](std::unique_ptr<Stream> stream) { Accept(std::move(stream)); });
    if (!listener.ok()) {
      return absl::Status(listener.status().code(),
                          absl::StrCat("admin: ", listener.status().message()));
    }
    listener_ = *std::move(listener);
    thread_ = std::thread([this] { loop_->Run(); });
    return absl::OkStatus();
  }

  const SocketAddress& local() const { return listener_->local(); }
  uint64_t refused_connections() const { return refused_.load(std::memory_order_relaxed); }

 private:
  using Connection = internal::AdminConnection;

  void Accept(std::unique_ptr<Stream> stream) {
    if (connections_.size() >= limits_.connections) {
      refused_.fetch_add(1, std::memory_order_relaxed);
      return;  // closes it
    }
    auto connection = std::make_unique<Connection>(
        *loop_, std::move(stream), handlers_, limits_,
        // One of the connection's handlers is running: it goes in the next round.
        [this](Connection* ended) { loop_->Post([this, ended] { connections_.erase(ended); }); });
    connections_.emplace(connection.get(), std::move(connection));
  }

  const Handlers handlers_;
  const Limits limits_;
  // The loop outlives what is registered with it.
  const std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<Listener> listener_;
  std::unordered_map<Connection*, std::unique_ptr<Connection>> connections_;
  std::atomic<uint64_t> refused_{0};
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

const SocketAddress& AdminServer::local() const { return impl_->local(); }

uint64_t AdminServer::refused_connections() const { return impl_->refused_connections(); }

}  // namespace gw
