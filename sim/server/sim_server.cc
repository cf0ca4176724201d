#include "sim/server/sim_server.h"

#include <atomic>
#include <condition_variable>
#include <thread>
#include <utility>

#include "base/mutex.h"
#include "sim/server/replica.h"
#include "sim/server/text.h"

namespace gw::sim {
namespace {

class SimServerImpl final : public SimServer, private FaultControl {
 public:
  explicit SimServerImpl(const SimOptions& options) : options_(options) {}

  ~SimServerImpl() override {
    for (const auto& loop : loops_) loop->Stop();
    for (std::thread& thread : threads_) thread.join();
    // Replicas hold timers and streams of their loops.
    replicas_.clear();
    loops_.clear();
  }

  absl::Status Listen() {
    for (int i = 0; i < options_.threads; ++i) {
      ASSIGN_OR_RETURN(std::unique_ptr<EventLoop> loop, EventLoop::New());
      loops_.push_back(std::move(loop));
    }
    for (uint32_t i = 0; i < options_.replicas; ++i) {
      ASSIGN_OR_RETURN(const SocketAddress address, ReplicaAddress(options_.listen, i));
      replicas_.push_back(std::make_unique<Replica>(LoopOf(i), options_, i, address,
                                                    static_cast<FaultControl*>(this)));
      RETURN_IF_ERROR(replicas_[i]->Listen());
      addresses_.push_back(replicas_[i]->address());
    }
    return absl::OkStatus();
  }

  void Serve() {
    for (const auto& loop : loops_) threads_.emplace_back([&loop = *loop] { loop.Run(); });
  }

  const std::vector<SocketAddress>& addresses() const override { return addresses_; }

  void Stop(Duration patience) override {
    const auto deadline = RealClock().Now() + patience;
    const MutexLock lock(mutex_);
    serving_ = replicas_.size();
    for (uint32_t i = 0; i < replicas_.size(); ++i) {
      LoopOf(i).Post([this, i] {
        replicas_[i]->Stop([this] {
          const MutexLock guard(mutex_);
          if (--serving_ == 0) stopped_.notify_all();
        });
      });
    }
    while (serving_ != 0 && mutex_.WaitUntil(stopped_, deadline)) {
    }
  }

 private:
  EventLoop& LoopOf(uint32_t replica) { return *loops_[replica % loops_.size()]; }

  // What one change has yet to reach; counted down on the asker's loop.
  struct Pending {
    size_t left = 0;
    absl::Status status;
    std::function<void(absl::Status)> done;
  };

  void Apply(uint32_t asker, const Change& change,
             std::function<void(absl::Status)> done) override {
    std::vector<uint32_t> targets;
    for (uint32_t i = 0; i < replicas_.size(); ++i) {
      if (change.all || i == change.replica.value_or(asker)) targets.push_back(i);
    }
    if (targets.empty()) return done(absl::NotFoundError("there is no such replica"));
    auto pending = std::make_shared<Pending>();
    pending->left = targets.size();
    pending->done = std::move(done);
    for (const uint32_t target : targets) {
      LoopOf(target).Post([this, asker, target, change, pending] {
        absl::Status status = ApplyTo(target, change);
        LoopOf(asker).Post([pending, status = std::move(status)] {
          if (!status.ok()) pending->status = status;
          if (--pending->left == 0) pending->done(pending->status);
        });
      });
    }
  }

  absl::Status ApplyTo(uint32_t target, const Change& change) {
    if (!change.fault.has_value()) return replicas_[target]->Restore();
    replicas_[target]->SetFault(*change.fault, change.lasts);
    return absl::OkStatus();
  }

  const SimOptions options_;
  std::vector<std::unique_ptr<EventLoop>> loops_;
  std::vector<std::unique_ptr<Replica>> replicas_;
  std::vector<SocketAddress> addresses_;
  std::vector<std::thread> threads_;
  Mutex mutex_;
  std::condition_variable stopped_;
  size_t serving_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<SimServer>> SimServer::Start(const SimOptions& options) {
  for (const FaultOrder& order : options.faults) {
    if (order.replica.value_or(0) >= options.replicas) {
      return absl::InvalidArgumentError(
          Concat({"fault for replica ", Digits(*order.replica), ": there are ",
                  Digits(options.replicas), ", counted from 0"}));
    }
  }
  auto server = std::make_unique<SimServerImpl>(options);
  RETURN_IF_ERROR(server->Listen());
  server->Serve();
  return server;
}

absl::StatusOr<SocketAddress> ReplicaAddress(const std::string& listen, uint32_t index) {
  ASSIGN_OR_RETURN(const SocketAddress first, SocketAddress::Parse(listen));
  if (index == 0 || first.port() == 0) return first;
  // "127.0.0.11" + 2 = "127.0.0.13"
  const std::string ip = first.ip();
  uint32_t number = 0;
  std::string_view rest = ip;
  for (int octet = 0; octet < 4; ++octet) {
    uint32_t value = 0;
    const auto end = std::from_chars(rest.data(), rest.data() + rest.size(), value).ptr;
    rest.remove_prefix(static_cast<size_t>(end - rest.data()));
    if (value > 255 || (octet < 3 && !rest.starts_with('.'))) {
      return absl::InvalidArgumentError(
          Concat({"listen address ", listen, ": several replicas want an IPv4 address or port 0"}));
    }
    if (octet < 3) rest.remove_prefix(1);
    number = number << 8 | value;
  }
  number += index;
  return SocketAddress::FromIp(Concat({Digits(number >> 24), ".", Digits(number >> 16 & 255), ".",
                                       Digits(number >> 8 & 255), ".", Digits(number & 255)}),
                               first.port());
}

}  // namespace gw::sim
