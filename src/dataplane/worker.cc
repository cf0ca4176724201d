#include "dataplane/worker.h"

#include <cstring>

#include "base/check.h"
#include "base/log.h"
#include "base/thread_name.h"

namespace gw {

ProxyWorker::ProxyWorker(const Shared& shared, uint64_t seed, PrefixNews* news,
                         std::unique_ptr<EventLoop> loop)
    : shared_(shared),
      loop_(std::move(loop)),
      waiting_room_([loop = loop_.get()](auto task) { loop->Post(std::move(task)); }),
      environment_(loop_->clock(), seed, shared.index, shared.metrics, shared.options.exchange),
      reader_(shared.snapshots),
      handshakes_(TlsHandshakes::New(*loop_)),
      endpoint_handshakes_(shared.metrics),
      client_options_(shared.options.client()),
      upstreams_(
          *loop_, client_options_,
          {[this](std::string_view limit) { CountLimit(limit); }, [this] { FreeDescriptors(); },
           [this](const auto& result) { endpoint_handshakes_.Count(result); }},
          handshakes_.get()),
      mirrors_(upstreams_, environment_, shared.options),
      decode_queue_(*loop_, shared.options),
      spare_bodies_(shared.options.spare_body_bytes_max,
                    [this] { CountLimit("spare_body_bytes"); }),
      own_model_lists_(shared.model_lists == nullptr
                           ? std::make_unique<ModelListStore>(shared.options, seed)
                           : nullptr),
      model_lists_(upstreams_, shared.options,
                   own_model_lists_ ? *own_model_lists_ : *shared.model_lists,
                   [this](std::string_view limit) { CountLimit(limit); }),
      spare_requests_(shared.options.exchange.spare_requests_max,
                      [this] { CountLimit("spare_requests"); }),
      arrivals_(*handshakes_, shared.metrics, shared.options,
                {[this](const ListenerKey& key, auto stream) { Serve(key, std::move(stream)); },
                 [this](const ListenerKey& key) { OnArrivalFailed(key); },
                 [this](std::string_view limit) { CountLimit(limit); }}),
      closing_timer_(*loop_, [this] { CloseLast(); }),
      connection_gauge_(shared.metrics.AddGauge("penstock_downstream_connections",
                                                "Client connections that are open.")),
      accepted_(shared.metrics.AddCounter("penstock_downstream_connections_total",
                                          "Client connections accepted.")) {
  environment_.log_request = LogRequest;
  environment_.log_share = shared.log_share;
  environment_.log_prompt_blocks = shared.log_prompt_blocks;
  environment_.homes = shared.homes;
  environment_.gate = shared.gate;
  environment_.selection_field = shared.selection_field;
  environment_.tracing = shared.tracing;
  environment_.room = &waiting_room_;
  environment_.prefix_key = shared.prefix_key;
  environment_.heard = shared.heard;
  environment_.prefix_news = news;
  // At 0 from the beginning: an alert on a series that is missing never fires.
  for (const std::string_view limit : kCountedLimits) environment_.metrics.LimitOf(limit);
  for (const int error : {EMFILE, ENFILE, ENOBUFS, ENOMEM}) AcceptFailures(error);
  for (size_t i = 0; i < kHeadErrors; ++i) {
    const auto error = static_cast<http::HeadError>(i == 0 ? 1 : i);  // kNone is not counted
    refused_heads_[i] = &shared.metrics.AddCounter("penstock_refused_heads_total",
                                                   "Request heads that were refused, by reason.",
                                                   {{"reason", std::string(http::NameOf(error))}});
  }
}

absl::StatusOr<std::unique_ptr<ProxyWorker>> ProxyWorker::Start(const Shared& shared, uint64_t seed,
                                                                PrefixNews* news) {
  ASSIGN_OR_RETURN(std::unique_ptr<EventLoop> loop, EventLoop::New());
  std::unique_ptr<ProxyWorker> worker(new ProxyWorker(shared, seed, news, std::move(loop)));
  worker->thread_ = std::thread([raw = worker.get()] {
    NameThread("worker");
    raw->loop_->Run();
  });
  return worker;
}

ProxyWorker::~ProxyWorker() {
  if (!thread_.joinable()) return;
  loop_->Post([this] {
    stopping_ = true;
    listeners_.clear();
    closing_.clear();
    arrivals_.Clear();
    std::vector<DownstreamConnection*> open;
    for (auto& [connection, owned] : connections_) open.push_back(connection);
    for (DownstreamConnection* connection : open) connection->Abort();
    loop_->Stop();
  });
  thread_.join();
}

void ProxyWorker::ApplySnapshot(std::function<void(ListenErrors)> done,
                                std::set<ListenerKey> taken) {
  loop_->Post([this, done = std::move(done), taken = std::move(taken)] {
    ListenErrors errors;
    if (!draining_ && !stopping_) ReconcileListeners(taken, &errors);
    done(std::move(errors));
  });
}

void ProxyWorker::FollowSnapshot() {
  loop_->Post([this] {
    const std::shared_ptr<const Snapshot>& newest = reader_.Get();
    if (applied_ == nullptr) return;
    // One with other listeners may have come meanwhile.
    for (const ListenerEntry& entry : applied_->listeners) {
      if (newest->FindListener(entry.key) == nullptr) return;
    }
    applied_ = newest;
  });
}

void ProxyWorker::ReconcileListeners(const std::set<ListenerKey>& taken, ListenErrors* errors) {
  const std::shared_ptr<const Snapshot>& snapshot = reader_.Get();
  std::vector<ListenerKey> gone;
  for (const auto& [key, listener] : listeners_) {
    if (!snapshot || snapshot->FindListener(key) == nullptr) gone.push_back(key);
  }
  for (const ListenerKey& key : gone) {
    retired_[key] = applied_;
    CloseListener(key);
    DrainConnections(
        [&](const DownstreamConnection& connection) { return connection.listener() == key; });
    ForgetRetired(key);
  }
  applied_ = snapshot;
  if (!snapshot) return;
  for (const ListenerEntry& entry : snapshot->listeners) {
    retired_.erase(entry.key);
    if (listeners_.contains(entry.key) || taken.contains(entry.key)) continue;
    const absl::Status status = OpenListener(entry.key);
    if (!status.ok()) errors->emplace(entry.key, status.message());
  }
}

// Whoever was connected before the end is served.
void ProxyWorker::CloseListener(const ListenerKey& key) {
  listeners_.at(key)->AcceptLast();
  listeners_.erase(key);
}

void ProxyWorker::DrainConnections(const std::function<bool(const DownstreamConnection&)>& which) {
  std::vector<DownstreamConnection*> drained;
  for (auto& [connection, owned] : connections_) {
    if (which(*connection)) drained.push_back(connection);
  }
  // One that is closed meanwhile lives on until the end of the round.
  for (DownstreamConnection* connection : drained) connection->Drain();
}

const std::shared_ptr<const Snapshot>& ProxyWorker::SnapshotFor(const ListenerKey& listener) {
  const std::shared_ptr<const Snapshot>& newest = reader_.Get();
  if (newest && newest->FindListener(listener) != nullptr) return newest;
  // Not told to us yet: the listener is still open.
  if (applied_ && applied_->FindListener(listener) != nullptr) return applied_;
  const auto retired = retired_.find(listener);
  return retired != retired_.end() ? retired->second : newest;
}

absl::Status ProxyWorker::OpenListener(const ListenerKey& key) {
  ASSIGN_OR_RETURN(const SocketAddress address, SocketAddress::FromIp(key.ip, key.port));
  Listener::Options options;
  options.reuse_port = true;
  if (shared_.handed != nullptr) options.handed = shared_.handed->Find(address);
  options.keep_alive = shared_.options.tcp_keep_alive;
  options.on_exhausted = [this](int error) { return OnAcceptFailure(error); };
  ASSIGN_OR_RETURN(
      std::unique_ptr<Listener> listener,
      Listener::New(*loop_, address, options, [this, key](std::unique_ptr<Stream> stream) {
        OnAccept(key, std::move(stream));
      }));
  if (paused_) listener->Pause();
  listeners_.emplace(key, std::move(listener));
  return absl::OkStatus();
}

void ProxyWorker::OnAccept(const ListenerKey& key, std::unique_ptr<Stream> stream) {
  accepted_.Add();
  connection_gauge_.Add(1);
  const std::shared_ptr<const Snapshot>& snapshot = SnapshotFor(key);
  const ListenerEntry* const entry = snapshot ? snapshot->FindListener(key) : nullptr;
  if (entry != nullptr && entry->tls != nullptr) {
    arrivals_.Begin(key, std::move(stream), entry->tls);
  } else {
    Serve(key, std::move(stream));
  }
}

void ProxyWorker::Serve(const ListenerKey& key, std::unique_ptr<Stream> stream) {
  std::unique_ptr<DownstreamConnection> owned = NewH1Downstream(*this, key, std::move(stream));
  DownstreamConnection* connection = owned.get();
  connections_.emplace(connection, std::move(owned));
  MakeRoomFor(connection);
  connection->Start();
  // Its listener may have gone during the handshake.
  if (draining_ || !listeners_.contains(key)) connection->Drain();
}

void ProxyWorker::OnArrivalFailed(const ListenerKey& key) {
  connection_gauge_.Add(-1);
  if (retired_.contains(key)) ForgetRetired(key);
  EndIfDrained();
}

DownstreamConnection* ProxyWorker::LongestIdle() {
  return idle_.empty() ? nullptr : static_cast<DownstreamConnection*>(idle_.next);
}

void ProxyWorker::EnterIdle(DownstreamConnection* connection) {
  idle_.PushBack(connection);
  UpdateAccepting();
}

void ProxyWorker::LeaveIdle(DownstreamConnection* connection) {
  connection->Unlink();
  UpdateAccepting();
}

void ProxyWorker::EnterBodies(RequestDriver* driver) { bodies_.PushBack(driver); }

bool ProxyWorker::RefuseNewerBodyThan(const RequestDriver* driver) {
  for (internal::ListNode* node = bodies_.prev; node != &bodies_; node = node->prev) {
    auto* const newest = static_cast<RequestDriver*>(node);
    if (newest == driver) break;
    if (!newest->holds_much()) continue;
    newest->RefuseBody();
    return true;
  }
  return false;
}

// Over the limit the longest idle client goes. Those that turn out to have sent a request stay:
// then there is one client more than the limit says.
void ProxyWorker::MakeRoomFor(const DownstreamConnection* newest) {
  while (connections_.size() > shared_.options.downstream_connections_max) {
    DownstreamConnection* const longest = LongestIdle();
    if (longest == nullptr || longest == newest) break;
    CountLimit("downstream_connections");
    longest->CloseIfIdle();
  }
  UpdateAccepting();
}

// Accepting goes on while there is room, or somebody idle who can be closed to make it.
void ProxyWorker::UpdateAccepting() {
  const size_t limit = shared_.options.downstream_connections_max;
  const size_t open = connections_.size();
  const bool pause = open > limit || (open == limit && idle_.empty());
  if (paused_ == pause) return;
  paused_ = pause;
  if (pause) CountLimit("downstream_connections");
  for (auto& [key, listener] : listeners_) {
    if (pause) {
      listener->Pause();
    } else {
      listener->Resume();
    }
  }
}

// Idle connections to endpoints cost no client anything; idle clients have to connect again.
bool ProxyWorker::FreeDescriptors() {
  constexpr size_t kAtOnce = 16;
  if (upstreams_.CloseLongestIdle(kAtOnce) > 0) return true;
  const size_t open = connections_.size();
  for (size_t i = 0; i < kAtOnce; ++i) {
    DownstreamConnection* const longest = LongestIdle();
    if (longest == nullptr) break;
    longest->CloseIfIdle();
  }
  return connections_.size() < open;
}

Counter& ProxyWorker::AcceptFailures(int error) {
  const char* const name = strerrorname_np(error);
  return shared_.metrics.AddCounter("penstock_accept_failures_total",
                                    "Connections of clients that could not be accepted at once.",
                                    {{"reason", name != nullptr ? name : "other"}});
}

bool ProxyWorker::OnAcceptFailure(int error) {
  AcceptFailures(error).Add();
  CountLimit("open_files");
  return FreeDescriptors();
}

void ProxyWorker::Remove(DownstreamConnection* connection) {
  auto it = connections_.find(connection);
  if (it == connections_.end()) return;  // already in its destructor
  connection_gauge_.Add(-1);
  const ListenerKey key = connection->listener();
  loop_->FreeLater(std::move(it->second));
  connections_.erase(it);
  if (retired_.contains(key)) ForgetRetired(key);
  UpdateAccepting();
  EndIfDrained();
}

void ProxyWorker::EndIfDrained() {
  if (!drained_ || !connections_.empty() || !arrivals_.empty() || !closing_.empty()) return;
  auto done = std::move(drained_);
  drained_ = nullptr;
  done();
}

// A retired Snapshot holds endpoints that may be gone: it goes with its last client.
void ProxyWorker::ForgetRetired(const ListenerKey& key) {
  for (const auto& [connection, owned] : connections_) {
    if (connection->listener() == key) return;
  }
  if (arrivals_.HasOf(key)) return;
  retired_.erase(key);
}

void ProxyWorker::Drain(std::function<void()> done, Duration closing) {
  loop_->Post([this, done = std::move(done), closing] {
    draining_ = true;
    drained_ = done;
    for (auto& [key, listener] : listeners_) {
      listener->AcceptLast();
      if (closing > Duration(0)) closing_.push_back(std::move(listener));
    }
    listeners_.clear();
    DrainConnections([](const DownstreamConnection&) { return true; });
    if (!closing_.empty()) closing_timer_.Start(closing);
    EndIfDrained();
  });
}

void ProxyWorker::CloseLast() {
  for (auto& listener : closing_) listener->AcceptLast();
  closing_.clear();
  EndIfDrained();
}

void ProxyWorker::CountLimit(std::string_view limit) { environment_.metrics.CountLimit(limit); }

void ProxyWorker::CountRefusedHead(http::HeadError error) {
  refused_heads_[static_cast<size_t>(error)]->Add();
}

}  // namespace gw
