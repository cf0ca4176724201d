// One gateway in virtual time: what its workers share, their exchanges, and how it looks at its
// model servers. What it serves is translated from objects, as it is from files or a cluster.

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "api/resources.h"
#include "base/random.h"
#include "bench/virtual/replica.h"
#include "bench/virtual/replica_watch.h"
#include "bench/virtual/request.h"
#include "bench/virtual/timeline.h"
#include "exchange/environment.h"
#include "server/releases.h"
#include "translate/translator.h"

namespace gw::bench {

// By their addresses.
using Replicas = std::map<std::string, std::unique_ptr<VirtualReplica>, std::less<>>;

class VirtualGateway {
 public:
  static constexpr uint16_t kPort = 80;

  struct Options {
    int workers = 1;
    ScrapeOptions scrape = {};
    Duration page_time{};  // from the question to the whole page
    // A queue's answer reaches its worker that late at most, each at random.
    Duration post_time_max{};
    // At each turn of a queue. REQUIRES: one pool at most has one
    bool checks_room = false;
    bool follows_evictions = false;  // of replicas' blocks; else it guesses at them
    bool shares = false;             // what it knows, with others (bench/virtual/peers.h)
  };
  using OnEnd = std::function<void(const FleetAnswer&)>;

  VirtualGateway(Timeline& timeline, const Options& options, const Replicas& replicas,
                 Random& random, OnEnd on_end);
  ~VirtualGateway();

  // Publishes what these objects say. Releases among them go on from here. REQUIRES: none of them
  // is refused
  void Load(api::ResourceSet resources);
  // On that worker. May end it before it returns.
  void Send(size_t worker, uint64_t id, FleetRequest request);
  // Null: it has ended, or never came here.
  VirtualRequest* Find(uint64_t id) const;
  // All that are not ended, in the order of their ids.
  std::vector<uint64_t> live(size_t worker) const;

  const std::shared_ptr<const Snapshot>& snapshot() const { return snapshot_; }
  EndpointTable& table() { return table_; }
  PrefixIndex& index() { return index_; }
  // One for each worker if it shares what it knows.
  std::span<const std::unique_ptr<PrefixNews>> news() const { return news_; }
  const Releases& releases() const { return releases_; }
  const RequestQueues& queues() const { return translator_.queues(); }
  uint64_t pages() const;
  // What is still held of endpoints, queues and workers: a line for each thing. Nothing must be
  // where no request is live.
  std::vector<std::string> Held() const;
  // Turns that were handed out without room (Options::checks_room).
  const std::vector<std::string>& faults() const { return faults_; }

  // Of its requests.
  VirtualReplica& ReplicaAt(std::string_view address) const;
  void LookSoon(const EndpointState& state);
  // Blocks of a replica there are gone.
  void OnEvicted(std::string_view address, std::span<const uint64_t> names);
  // Of a request that is sent: what its replica calls the blocks that its prompt's hashes are of.
  void NameBlocks(std::span<const uint64_t> hashes, std::span<const uint64_t> names);
  // Whether a turn may be had at once; true if that is not checked or there is no queue.
  bool HasRoom(const PoolEntry* pool);
  // Of a queue's answer that arrives just now: it was given where there was no room.
  bool runs_turn_without_room() const { return runs_without_room_; }
  void OnRoomPassed(uint64_t id);
  void OnEnded(VirtualRequest* request, FleetAnswer answer);

 private:
  struct Worker;
  struct Live {
    VirtualRequest* request;
    size_t worker;
  };

  void Post(Worker& worker, std::function<void()> task);
  bool IsRoomPassed() const;
  void ForgetReleasedSlots();
  void Publish(Translator::Update update);
  void Watch();
  void TickReleases();

  Timeline& timeline_;
  const Options options_;
  const Replicas& replicas_;
  Random& random_;
  const OnEnd on_end_;
  EndpointTable table_;
  PrefixIndex index_;
  std::vector<std::unique_ptr<PrefixNews>> news_;
  MetricRegistry metrics_;
  Translator translator_;
  api::ResourceSet resources_;
  uint64_t generation_ = 0;
  std::shared_ptr<const Snapshot> snapshot_;
  SnapshotStore store_;  // has the same, for the releases
  Releases releases_;
  std::shared_ptr<const ReleaseInputs> release_inputs_;  // that are served
  bool releases_tick_ = false;
  std::unordered_map<const EndpointState*, std::shared_ptr<ReplicaWatch>> watches_;
  std::vector<std::weak_ptr<EndpointState>> states_;  // that were ever known
  uint64_t pages_of_gone_ = 0;                        // read by watches that are no more
  std::vector<std::unique_ptr<Worker>> workers_;
  std::map<uint64_t, Live> live_;
  bool runs_without_room_ = false;
  std::vector<std::string> faults_;
};

}  // namespace gw::bench
