// ProxyWorker: one thread's share of the data plane: its loop, its listeners, its clients, its
// connections to endpoints. Workers share nothing here; the kernel spreads connections over them.

#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "client/handshake_counts.h"
#include "client/pool.h"
#include "dataplane/decode_queue.h"
#include "dataplane/downstream.h"
#include "dataplane/forwarding.h"
#include "dataplane/h1_request.h"
#include "dataplane/held_bytes.h"
#include "dataplane/mirrors.h"
#include "dataplane/model_list.h"
#include "dataplane/options.h"
#include "dataplane/request_driver.h"
#include "dataplane/spare_bodies.h"
#include "dataplane/tls_arrivals.h"
#include "exchange/exchange.h"
#include "net/event_loop.h"
#include "net/handed_sockets.h"
#include "prefix/news.h"
#include "snapshot/snapshot.h"
#include "stats/metrics.h"

namespace gw {

class ProxyWorker {
 public:
  // Everything referred to outlives the worker. `seed` makes the worker's choices repeatable.
  struct Shared {
    const SnapshotStore& snapshots;
    PrefixIndex& index;
    MetricRegistry& metrics;
    const DataplaneOptions& options;
    HeldBytes& held;
    LogShare log_share = {};         // ExchangeEnvironment::log_share
    bool log_prompt_blocks = false;  // ExchangeEnvironment::log_prompt_blocks
    // Of all workers; nullptr: this worker has one of its own.
    ModelListStore* model_lists = nullptr;
    const HandedSockets* handed = nullptr;  // used for listeners on their addresses
    ResponseHomes* homes = nullptr;         // of all workers; nullptr: none
    Gate* gate = nullptr;                   // which requests wait for; nullptr: none
    std::string_view selection_field = {};  // ExchangeEnvironment::selection_field
    std::string_view served_field = {};     // of responses: which endpoint each is from
    const Tracing* tracing = nullptr;       // ExchangeEnvironment::tracing
    uint64_t prefix_key = 0;                // ExchangeEnvironment::prefix_key
    const HeardGateways* heard = nullptr;   // ExchangeEnvironment::heard
  };
  // `news`: ExchangeEnvironment::prefix_news, of this worker alone.
  static absl::StatusOr<std::unique_ptr<ProxyWorker>> Start(const Shared& shared, uint64_t seed,
                                                            PrefixNews* news = nullptr);
  // Stops the thread; what is still in flight is broken off.
  ~ProxyWorker();

  // Why the listeners that could not be opened could not.
  using ListenErrors = std::map<ListenerKey, std::string>;
  // Any thread. Opens and closes listeners as the newest Snapshot wants them, but opens none of
  // `taken`, then calls `done` on the worker's thread with what could not be opened otherwise.
  void ApplySnapshot(std::function<void(ListenErrors errors)> done,
                     std::set<ListenerKey> taken = {});
  // Any thread. The same for a Snapshot whose listeners are the ones before's: what went with that
  // is not held on to.
  void FollowSnapshot();
  // Any thread. No new connections; those in flight finish; `done` is called on the worker's thread
  // when none is left, or at once if none was. `closing`: listeners still accept for so long whose
  // first packet they have answered already; others who listen on the same port get the new ones.
  void Drain(std::function<void()> done, Duration closing = Duration(0));

  // Any thread: the last requests of this worker.
  const RequestHistory& history() const { return environment_.history; }

  // For connections, on the worker's thread.
  EventLoop& loop() { return *loop_; }
  const DataplaneOptions& options() const { return shared_.options; }
  std::string_view served_field() const { return shared_.served_field; }
  ExchangeEnvironment& environment() { return environment_; }
  ClientPool& upstreams() { return upstreams_; }
  ModelLists& model_lists() { return model_lists_; }
  Mirrors& mirrors() { return mirrors_; }
  DecodeQueue& decode_queue() { return decode_queue_; }
  SpareBodies& spare_bodies() { return spare_bodies_; }
  SpareH1Requests& spare_requests() { return spare_requests_; }
  // The newest Snapshot; for the clients of a listener that it no longer has, the last that had it.
  const std::shared_ptr<const Snapshot>& SnapshotFor(const ListenerKey& listener);
  const std::shared_ptr<const Snapshot>& newest_snapshot() { return reader_.Get(); }
  // Room for what one request needs for a moment.
  std::vector<iovec>& parts() { return parts_; }
  RequestForwarder& forwarder() { return forwarder_; }
  std::string& origin_form() { return origin_form_; }
  void CountLimit(std::string_view limit);
  void CountRefusedHead(http::HeadError error);
  void Remove(DownstreamConnection* connection);
  HeldBytes& held() { return shared_.held; }
  // Clients between requests, who may be closed to make room.
  void EnterIdle(DownstreamConnection* connection);
  void LeaveIdle(DownstreamConnection* connection);
  // Requests whose body is coming. They leave by being unlinked.
  void EnterBodies(RequestDriver* driver);
  // Refuses the newest of them that takes room. False if none of those is newer.
  bool RefuseNewerBodyThan(const RequestDriver* driver);

 private:
  ProxyWorker(const Shared& shared, uint64_t seed, PrefixNews* news,
              std::unique_ptr<EventLoop> loop);
  absl::Status OpenListener(const ListenerKey& key);
  void OnAccept(const ListenerKey& key, std::unique_ptr<Stream> stream);
  void Serve(const ListenerKey& key, std::unique_ptr<Stream> stream);
  void OnArrivalFailed(const ListenerKey& key);
  void ReconcileListeners(const std::set<ListenerKey>& taken, ListenErrors* errors);
  void CloseListener(const ListenerKey& key);
  void CloseLast();
  void EndIfDrained();
  void ForgetRetired(const ListenerKey& key);
  void DrainConnections(const std::function<bool(const DownstreamConnection&)>& which);
  void MakeRoomFor(const DownstreamConnection* newest);
  void UpdateAccepting();
  DownstreamConnection* LongestIdle();
  bool FreeDescriptors();
  Counter& AcceptFailures(int error);
  bool OnAcceptFailure(int error);

  const Shared shared_;
  std::unique_ptr<EventLoop> loop_;
  WaitingRoom waiting_room_;
  ExchangeEnvironment environment_;
  SnapshotReader reader_;
  const std::unique_ptr<TlsHandshakes> handshakes_;  // with clients and endpoints
  HandshakeCounts endpoint_handshakes_;
  const ClientOptions client_options_;
  ClientPool upstreams_;
  Mirrors mirrors_;
  DecodeQueue decode_queue_;
  SpareBodies spare_bodies_;
  const std::unique_ptr<ModelListStore> own_model_lists_;
  ModelLists model_lists_;
  std::vector<iovec> parts_;
  RequestForwarder forwarder_;
  std::string origin_form_;
  TlsArrivals arrivals_;
  std::map<ListenerKey, std::unique_ptr<Listener>> listeners_;
  std::shared_ptr<const Snapshot> applied_;  // the one that `listeners_` are of
  // Of closed listeners whose clients may still send requests, the last Snapshot that had them.
  std::map<ListenerKey, std::shared_ptr<const Snapshot>> retired_;
  SpareH1Requests spare_requests_;
  internal::ListHead idle_;    // of connections_, the longest idle first
  internal::ListHead bodies_;  // requests, the newest last
  absl::flat_hash_map<DownstreamConnection*, std::unique_ptr<DownstreamConnection>> connections_;
  std::vector<std::unique_ptr<Listener>> closing_;  // while draining
  Timer closing_timer_;
  std::function<void()> drained_;
  bool draining_ = false;
  bool paused_ = false;
  bool stopping_ = false;
  Gauge& connection_gauge_;
  Counter& accepted_;
  static constexpr size_t kHeadErrors =
      static_cast<size_t>(http::HeadError::kExpectationFailed) + 1;
  std::array<Counter*, kHeadErrors> refused_heads_;
  std::thread thread_;
};

}  // namespace gw
