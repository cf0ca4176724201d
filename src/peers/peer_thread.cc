#include "peers/peer_thread.h"

#include <set>
#include <string_view>
#include <thread>
#include <utility>

#include "base/mutex.h"
#include "base/thread_name.h"
#include "net/event_loop.h"

namespace gw::peers {
namespace {

// So often the newest Snapshot is looked for, and what is shown of peers is renewed.
constexpr Duration kLookInterval = std::chrono::milliseconds(100);

// Pools may share endpoints.
std::vector<Outbox::Shared> EndpointsOf(const Snapshot& snapshot) {
  std::vector<Outbox::Shared> endpoints;
  std::set<std::string_view> known;
  for (const auto& entry : snapshot.pools) {
    for (const Endpoint& each : entry->pool.endpoints) {
      if (known.insert(each.address).second) endpoints.push_back({each.address, each.state});
    }
  }
  return endpoints;
}

class PeerThreadImpl final : public PeerThread {
 public:
  PeerThreadImpl(std::unique_ptr<EventLoop> loop, const SnapshotStore& snapshots)
      : snapshots_(snapshots), loop_(std::move(loop)), look_(*loop_, [this] { Look(); }) {}
  ~PeerThreadImpl() override {
    loop_->Stop();
    if (thread_.joinable()) thread_.join();
  }

  absl::Status Start(const Mesh::Sources& sources, PeerMetrics& metrics, const PeerOptions& options,
                     uint64_t seed) {
    ASSIGN_OR_RETURN(mesh_, Mesh::New(*loop_, sources, metrics, options, seed));
    Look();
    thread_ = std::thread([this] {
      NameThread("peers");
      loop_->Run();
    });
    return absl::OkStatus();
  }

  void SetAddresses(std::vector<SocketAddress> addresses) override {
    loop_->Post([this, all = std::move(addresses)] { mesh_->SetAddresses(all); });
  }
  std::vector<PeerRow> Rows() const override {
    const MutexLock lock(mutex_);
    return rows_;
  }
  const SocketAddress& local() const override { return mesh_->local(); }

 private:
  void Look() {
    look_.Start(kLookInterval);
    std::shared_ptr<const Snapshot> newest = snapshots_.Load();
    if (newest != nullptr && newest != served_) {
      mesh_->SetEndpoints(EndpointsOf(*newest));
      served_ = std::move(newest);
    }
    std::vector<PeerRow> rows = mesh_->Rows();
    const MutexLock lock(mutex_);
    rows_ = std::move(rows);
  }

  const SnapshotStore& snapshots_;
  const std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<Mesh> mesh_;
  std::shared_ptr<const Snapshot> served_;
  Timer look_;
  mutable Mutex mutex_;
  std::vector<PeerRow> rows_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<PeerThread>> PeerThread::Start(const SnapshotStore& snapshots,
                                                              const Mesh::Sources& sources,
                                                              PeerMetrics& metrics,
                                                              const PeerOptions& options,
                                                              uint64_t seed) {
  ASSIGN_OR_RETURN(std::unique_ptr<EventLoop> loop, EventLoop::New());
  auto made = std::make_unique<PeerThreadImpl>(std::move(loop), snapshots);
  if (const absl::Status status = made->Start(sources, metrics, options, seed); !status.ok()) {
    return status;
  }
  return made;
}

}  // namespace gw::peers
