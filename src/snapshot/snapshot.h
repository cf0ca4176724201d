// Snapshot: everything the request path knows of the configuration, as one immutable value.
// A request pins one Snapshot at its headers and uses no other; a Snapshot is replaced, never
// changed.

#pragma once

#include <atomic>
#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "flowcontrol/admission.h"
#include "flowcontrol/breaker.h"
#include "flowcontrol/request_queue.h"
#include "pool/pool.h"
#include "prefix/block_hash.h"
#include "routing/model_table.h"
#include "routing/route_table.h"
#include "scheduling/pool_memory.h"
#include "scheduling/profile.h"
#include "snapshot/disaggregation.h"
#include "tls/server_tls.h"

namespace gw {

struct PoolEntry {
  Pool pool;
  ModelTable models;
  ModelRewrites rewrites;
  std::map<std::string, int, std::less<>> priorities;  // of the pool's InferenceObjectives, by name
  std::shared_ptr<const Profile> profile;              // for requests whose body is understood
  std::shared_ptr<const Profile> load_profile;         // for all others
  bool uses_prefix = false;                            // some profile reads prefix_hit_blocks
  std::shared_ptr<PoolMemory> memory;                  // what its rules learn; nullptr: it has none
  PrefixOptions prefix;
  std::shared_ptr<const Disaggregation> disaggregation;  // nullptr: requests are not split
  SaturationLimits saturation;
  // Set together: requests wait while it is saturated. Off: it is as the criticality says.
  std::optional<QueueOptions> queueing;
  std::shared_ptr<RequestQueue> queue;
  std::shared_ptr<Breaker> breaker;  // nullptr: as many requests at once as come
  // Model servers are asked for the usage of streams whose client does not ask for it.
  bool asks_stream_usage = false;
  std::optional<Duration> stream_keepalive;  // of event streams that have no byte yet
  // Indexes Snapshot::pools: what serves in its place when none of its endpoints can be asked, or
  // all are saturated.
  std::optional<uint32_t> fallback;
  // Set if the pool cannot be served: requests get 500 with this text.
  std::string unservable;
};

// Where it is listened: names a listener. In the order of the ports.
struct ListenerKey {
  uint16_t port = 0;
  std::string ip = "0.0.0.0";  // as net::SocketAddress writes it

  auto operator<=>(const ListenerKey&) const = default;
  std::string ToString() const;  // "0.0.0.0:80", "[::1]:80"
};

// One address and port to listen on. Several Gateways' listeners there share it.
struct ListenerEntry {
  ListenerKey key;
  std::vector<std::string> names;  // "default/inference-gateway/http-llm", for logs
  std::shared_ptr<const RouteTable> routes;
  std::shared_ptr<const ServerTls> tls = nullptr;  // nullptr: plain HTTP
};

struct Snapshot {
  uint64_t generation = 0;
  std::vector<ListenerEntry> listeners;                 // in the order of their keys
  std::vector<std::shared_ptr<const PoolEntry>> pools;  // RouteRule destinations index this

  const ListenerEntry* FindListener(const ListenerKey& key) const;
};

// Where the newest Snapshot is published. One writer at a time; readers keep a SnapshotReader per
// thread, whose check costs one relaxed load while nothing has changed.
class SnapshotStore {
 public:
  void Publish(std::shared_ptr<const Snapshot> snapshot);
  std::shared_ptr<const Snapshot> Load() const;
  uint64_t version() const { return version_.load(std::memory_order_acquire); }

 private:
  mutable Mutex mutex_;
  std::shared_ptr<const Snapshot> current_ ABSL_GUARDED_BY(mutex_);
  std::atomic<uint64_t> version_{0};
};

class SnapshotReader {
 public:
  explicit SnapshotReader(const SnapshotStore& store) : store_(store) {}
  // The newest snapshot; nullptr before the first Publish.
  const std::shared_ptr<const Snapshot>& Get() {
    const uint64_t version = store_.version();
    if (version != seen_) {
      current_ = store_.Load();
      seen_ = version;
    }
    return current_;
  }

 private:
  const SnapshotStore& store_;
  uint64_t seen_ = 0;
  std::shared_ptr<const Snapshot> current_;
};

}  // namespace gw
