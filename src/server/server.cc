#include "server/server.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_join.h"
#include "admin/admin_server.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/random.h"
#include "net/handed_sockets.h"
#include "net/port_holder.h"
#include "net/supervisor.h"
#include "peers/peer_thread.h"
#include "peers/tenant_topics.h"
#include "server/admin_pages.h"
#include "server/configurator.h"
#include "server/data_plane.h"
#include "server/drain.h"
#include "server/feed/gateway_feed.h"
#include "server/front_end.h"
#include "server/gateway_metrics.h"
#include "server/peer_addresses.h"
#include "server/process_metrics.h"
#include "server/release_topic.h"
#include "server/releases.h"
#include "server/signals.h"
#include "server/startup.h"
#include "telemetry/trace_thread.h"
#include "tls/ticket_keys.h"
#include "translate/shared_service.h"

namespace gw {
namespace {

constexpr Duration kListenRetry = std::chrono::seconds(1);
// The start waits for the names that are served by, but not for a DNS that does not answer.
constexpr Duration kFirstNames = std::chrono::seconds(2);

class ServerImpl final : public Server {
 public:
  ServerImpl(const ServerOptions& options, std::unique_ptr<config::ConfigSource> source)
      : options_(WithSeed(WithinDescriptors(options))),
        source_(std::move(source)),
        index_(IndexOptions(options)),
        configurator_(snapshots_, index_, metrics_, OptionsOfTranslate(options, *tickets_),
                      source_->limits()) {}
  ~ServerImpl() override {
    source_->Stop();
    resolver_.reset();
    scraper_.reset();
    admin_.reset();
    peers_.reset();
    front_ends_.clear();
    traces_.reset();  // behind the last request
  }

  absl::Status Start();
  const SocketAddress& admin_address() const override { return admin_->local(); }
  int RunUntilSignal() override;

 private:
  static ServerOptions WithSeed(ServerOptions options) {
    if (!options.seed) options.seed = SeedFromSystem();
    options.scrape.seed = *options.seed;
    return options;
  }
  static PrefixIndex::Options IndexOptions(const ServerOptions& options) {
    PrefixIndex::Options index;
    index.bytes_max = options.prefix_index_bytes_max;
    if (options.peers.on()) {
      // A name for one block in kMarkStride takes less than a block itself.
      index.names_bytes_max = index.bytes_max / 16;
      index.marks = true;
    }
    return index;
  }
  static TranslateOptions OptionsOfTranslate(const ServerOptions& options, TicketKeys& tickets) {
    TranslateOptions translate = options.translate;
    translate.tickets = &tickets;
    const auto bind = SocketAddress::FromIp(options.bind_ip, 0);
    if (bind.ok()) translate.bind_ip = bind->ip();  // what is wrong with it Start says
    if (translate.managed_from) {
      const auto admin = SocketAddress::Resolve(options.admin_address);
      if (admin.ok()) translate.managed_admin_port = admin->port();
    }
    return translate;
  }
  absl::StatusOr<config::FirstLoad> Load();
  absl::Status StartTraces();
  absl::Status StartFrontEnds();
  absl::Status StartAdmin();
  absl::Status StartPeers();
  absl::Status StartResolver();
  void OnNames();
  void ReadAdminFiles();
  void OnChange(const config::Change& change);
  void CountGateways();
  void TellPeerAddresses();
  std::set<std::string> WantedNames() const;
  void Apply(bool listeners_changed) ABSL_EXCLUSIVE_LOCKS_REQUIRED(opening_);
  void Retry();
  void TickReleases();
  void TakeErrors() ABSL_EXCLUSIVE_LOCKS_REQUIRED(opening_);
  void TellOutcome() ABSL_EXCLUSIVE_LOCKS_REQUIRED(opening_);
  std::set<ListenerKey> Open() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(opening_);
  void TellUnusedSockets() ABSL_EXCLUSIVE_LOCKS_REQUIRED(opening_);
  void Reload();
  bool ServeUntil(SignalReader& signals, TimePoint end);
  std::set<uint16_t> Ports();
  bool Drain(SignalReader& signals);
  bool EndsInDelay(SignalReader& signals);
  DrainEnd DrainNow(SignalReader& signals);

  const HandedSockets handed_ = HandedSockets::Take();  // before any thread
  const ServerOptions options_;
  const std::unique_ptr<config::ConfigSource> source_;
  MetricRegistry metrics_;
  PrefixIndex index_;
  std::vector<std::unique_ptr<PrefixNews>> news_;  // of each worker, for peers
  peers::PeerMetrics peer_metrics_{metrics_};
  HeardGateways heard_;
  HeldBytes held_{options_.dataplane.held_bytes_max};
  const std::unique_ptr<TicketKeys> tickets_ = TicketKeys::New(RealClock());
  SnapshotStore snapshots_;
  PoolSeries pool_series_{metrics_, snapshots_};
  Releases releases_{snapshots_, metrics_, RealClock(), options_.release_state_file};
  Configurator configurator_;
  std::atomic<Phase> phase_{Phase::kStarting};
  TraceMetrics trace_metrics_{metrics_};
  std::unique_ptr<TraceThread> traces_;  // nullptr: requests are not traced
  std::optional<peers::TenantTopics> tenant_topics_;
  ReleaseTopic release_topic_{releases_};
  std::unique_ptr<peers::PeerThread> peers_;  // nullptr: there are none
  FrontEnds front_ends_;
  const AdminSources pages_{options_, snapshots_, configurator_, releases_, front_ends_,
                            phase_,   metrics_,   pool_series_,  held_,     peers_};
  GatewayFeed feed_{pages_, RealClock()};
  std::unique_ptr<AdminServer> admin_;
  std::unique_ptr<ScraperThread> scraper_;
  std::unique_ptr<Resolver> resolver_;
  // Snapshots are published and listeners opened by the source's thread and RunUntilSignal's.
  Mutex opening_;
  std::vector<std::string> unused_sockets_ ABSL_GUARDED_BY(opening_);  // that were told last
  SocketAddress admin_address_;
  size_t files_ = 0;  // that were read at the start
};

absl::Status ServerImpl::Start() {
  // Signals are read by RunUntilSignal; blocked here so that no other thread takes them.
  BlockSignals();
  RETURN_IF_ERROR(CheckBindIp(options_.bind_ip));
  ASSIGN_OR_RETURN(admin_address_,
                   AdminAddressOf(options_.admin_address, options_.takeover, handed_));
  ASSIGN_OR_RETURN(const config::FirstLoad loaded, Load());
  LogStart(options_, loaded, absl::StrJoin(handed_.Names(), ", "));
  files_ = loaded.files;
  RegisterGatewayMetrics(metrics_, snapshots_, index_, held_);
  RegisterProcessMetrics(metrics_);
  RegisterOtherNames(metrics_, options_.other_names);
  source_->AddMetrics(metrics_);
  releases_.Load();
  if (options_.peers.on()) releases_.CountForLeader();
  configurator_.UseReleases(releases_);
  configurator_.Apply(loaded.change);
  pool_series_.Reconcile();
  RETURN_IF_ERROR(StartResolver());
  RETURN_IF_ERROR(StartTraces());
  RETURN_IF_ERROR(StartPeers());
  RETURN_IF_ERROR(StartFrontEnds());
  RETURN_IF_ERROR(StartAdmin());
  ASSIGN_OR_RETURN(scraper_, ScraperThread::Start(snapshots_, index_, metrics_, options_.scrape));
  {
    const MutexLock opening(opening_);
    if (!configurator_.hosts().empty()) configurator_.ApplyNames(resolver_->table());
    Apply(/*listeners_changed=*/true);
    phase_ = Phase::kServing;
  }
  CountGateways();
  TellPeerAddresses();
  source_->Start([this](const config::Change& change) { OnChange(change); });
  return absl::OkStatus();
}

// An API server may take a minute, and longer where its name has no address: whoever ends the
// process does not wait for that. Nothing is held yet that would have to be given back.
absl::StatusOr<config::FirstLoad> ServerImpl::Load() {
  absl::StatusOr<config::FirstLoad> loaded = absl::UnknownError("not loaded");
  const std::optional<int> signal = RunUnlessEnded([&] { loaded = source_->Load(); });
  if (!signal) return loaded;
  Log(LogLevel::kInfo, "Ended by a signal before the configuration was read",
      {{"signal", *signal == SIGINT ? "SIGINT" : "SIGTERM"}});
  ShutdownLog();
  _exit(0);
}

absl::Status ServerImpl::StartTraces() {
  if (!options_.traces.on()) return absl::OkStatus();
  TraceOptions traces = options_.traces;
  traces.queue_max = options_.dataplane.trace_queue_max;
  traces.queue_bytes_max = options_.dataplane.trace_queue_bytes_max;
  traces.prompt_bytes_max = options_.dataplane.trace_prompt_bytes_max;
  traces.export_timeout = options_.dataplane.trace_export_timeout;
  traces.retry_timeout = options_.dataplane.trace_retry_timeout;
  traces.flush_timeout = options_.dataplane.trace_flush_timeout;
  // The workers' seeds are those before it.
  const uint64_t seed = *options_.seed + static_cast<uint64_t>(WorkersOf(options_));
  ASSIGN_OR_RETURN(traces_, TraceThread::Start(trace_metrics_, traces, seed));
  Log(LogLevel::kInfo, "Requests are traced",
      {{"collector", traces.authority},
       {"ratio", traces.ratio},
       {"service", traces.service_name},
       {"prompts", traces.prompts}});
  return absl::OkStatus();
}

absl::Status ServerImpl::StartPeers() {
  if (!options_.peers.on()) return absl::OkStatus();
  for (int i = 0; i < WorkersOf(options_); ++i) news_.push_back(std::make_unique<PrefixNews>());
  tenant_topics_.emplace(configurator_.rate_meters(), configurator_.queues(), peer_metrics_,
                         options_.peers);
  std::vector<peers::CountedTopic> topics = tenant_topics_->all();
  topics.push_back({release_topic_, peer_metrics_.sent_releases, peer_metrics_.dropped_releases});
  const peers::Mesh::Sources sources{configurator_.endpoints(), index_, news_, topics, &heard_};
  // Not the workers' seeds, which other gateways may have, too: by their ids they are told apart.
  ASSIGN_OR_RETURN(peers_, peers::PeerThread::Start(snapshots_, sources, peer_metrics_,
                                                    options_.peers, SeedFromSystem()));
  Log(LogLevel::kInfo, "Other gateways may connect",
      {{"address", peers_->local().ToString()}, {"name", options_.peers.name}});
  return absl::OkStatus();
}

absl::Status ServerImpl::StartFrontEnds() {
  const Tracing* const tracing = traces_ == nullptr ? nullptr : &traces_->tracing();
  front_ends_.push_back(NewDataPlane(options_, snapshots_, index_, metrics_, held_, handed_,
                                     tracing, SharingOf(options_, news_, heard_)));
  for (const auto& front_end : front_ends_) RETURN_IF_ERROR(front_end->Start());
  return absl::OkStatus();
}

absl::Status ServerImpl::StartAdmin() {
  AdminServer::Limits limits = AdminLimits(pages_);
  limits.handed = handed_.Find(admin_address_);
  ASSIGN_OR_RETURN(AdminGuard guard, ReadAdminGuard(options_.admin_access, *tickets_));
  const std::string missing = MissingGuard(admin_address_, guard);
  const bool over_tls = guard.tls != nullptr;
  ASSIGN_OR_RETURN(admin_, AdminServer::Start(admin_address_, AdminPages(pages_, feed_), limits,
                                              std::move(guard)));
  Log(LogLevel::kInfo, "Admin port listens",
      {{"address", admin_->local().ToString()}, {"tls", over_tls}});
  if (missing.empty()) return absl::OkStatus();
  Log(LogLevel::kWarning,
      "The admin port can be reached from other machines: whoever reaches it may read the "
      "configuration and change the log level",
      {{"address", admin_->local().ToString()}, {"missing", missing}});
  return absl::OkStatus();
}

absl::Status ServerImpl::StartResolver() {
  ASSIGN_OR_RETURN(resolver_, Resolver::Start(options_.resolver, metrics_, [this] { OnNames(); }));
  resolver_->SetWanted(WantedNames());
  resolver_->WaitForAll(kFirstNames);
  return absl::OkStatus();
}

// On the resolver's thread. What comes during the start is taken at its end.
void ServerImpl::OnNames() {
  const MutexLock opening(opening_);
  if (phase_ == Phase::kStarting) return;
  TellPeerAddresses();
  const bool listeners_changed = configurator_.ApplyNames(resolver_->table());
  if (listeners_changed) pool_series_.Reconcile();
  Apply(listeners_changed);
}

void ServerImpl::OnChange(const config::Change& change) {
  // Publishing too, or the workers would open ports of a Snapshot whose ports nobody has looked at.
  const MutexLock opening(opening_);
  const bool listeners_changed = configurator_.Apply(change);
  if (listeners_changed) pool_series_.Reconcile();
  Apply(listeners_changed);
  resolver_->SetWanted(WantedNames());
  CountGateways();
  TellPeerAddresses();
}

std::set<std::string> ServerImpl::WantedNames() const {
  std::set<std::string> names = configurator_.hosts();
  names.merge(PeerNames(options_.peers));
  return names;
}

// Those that were given, and on a cluster the Pods behind the Service that all of them share.
void ServerImpl::TellPeerAddresses() {
  if (peers_ == nullptr) return;
  std::vector<std::string> beside;
  const std::optional<api::ObjectKey>& service = options_.translate.shared_service;
  if (service) {
    const std::shared_ptr<const api::ResourceSet> resources = configurator_.resources();
    beside = options_.translate.only_gateway ? ManagedGatewayIps(*resources, service->ns)
                                             : GatewayIpsBehind(*resources, *service);
  }
  peers_->SetAddresses(PeerAddresses(options_.peers, *resolver_->table(), beside));
}

// Those that are in front of the same replicas read their metrics, too.
void ServerImpl::CountGateways() {
  const std::optional<api::ObjectKey>& service = options_.translate.shared_service;
  if (!service) return;
  const std::shared_ptr<const api::ResourceSet> resources = configurator_.resources();
  const int counted = options_.translate.only_gateway ? ManagedGatewaysIn(*resources, service->ns)
                                                      : GatewaysBehind(*resources, *service);
  scraper_->SetGateways(std::max(counted, options_.scrape.gateways));
}

void ServerImpl::Apply(bool listeners_changed) {
  for (const auto& front_end : front_ends_) front_end->Apply(listeners_changed);
  if (listeners_changed) TakeErrors();
  TellOutcome();
}

void ServerImpl::TellOutcome() {
  std::optional<config::Outcome> outcome = configurator_.TakeOutcome();
  if (outcome) source_->SetOutcome(*std::move(outcome));
}

// Whoever had a port may have left it, and an address may have come.
void ServerImpl::Retry() {
  if (configurator_.listen_errors().empty()) return;
  const MutexLock opening(opening_);
  for (const auto& front_end : front_ends_) front_end->Retry();
  TakeErrors();
  TellOutcome();
}

void ServerImpl::TickReleases() {
  releases_.Tick(source_->leads());
  const MutexLock opening(opening_);
  configurator_.SetReleaseStatuses(releases_.Statuses());
  for (const ReleaseEvent& event : releases_.TakeEvents()) {
    const size_t slash = event.release.find('/');
    source_->Tell({.object = {api::kPenstockGroup, "v1alpha1", "ModelRelease",
                              event.release.substr(0, slash), event.release.substr(slash + 1)},
                   .warning = event.warning,
                   .reason = std::string(Name(event.transition.to)),
                   .message = event.transition.reason});
  }
  if (configurator_.ApplyReleases()) return Apply(/*listeners_changed=*/false);
  TellOutcome();
}

void ServerImpl::TakeErrors() {
  ListenErrors all;
  for (const auto& front_end : front_ends_) {
    all.insert(front_end->errors().begin(), front_end->errors().end());
  }
  configurator_.SetListenErrors(std::move(all));
  TellUnusedSockets();
}

std::set<ListenerKey> ServerImpl::Open() const {
  std::set<ListenerKey> open;
  for (const auto& front_end : front_ends_) {
    open.insert(front_end->open().begin(), front_end->open().end());
  }
  return open;
}

// Whoever connects to one of those waits until a listener takes it.
void ServerImpl::TellUnusedSockets() {
  std::set<int> used = {handed_.Find(admin_address_)};
  for (const ListenerKey& key : Open()) {
    const auto address = SocketAddress::FromIp(key.ip, key.port);
    if (address.ok()) used.insert(handed_.Find(*address));
  }
  std::vector<std::string> unused = handed_.Names(used);
  if (unused == unused_sockets_) return;
  unused_sockets_ = std::move(unused);
  for (const std::string& name : unused_sockets_) {
    Log(LogLevel::kWarning, "No listener has the address of a socket that was handed over",
        {{"socket", name}});
  }
}

void ServerImpl::ReadAdminFiles() {
  if (!options_.admin_access.any()) return;
  absl::StatusOr<AdminGuard> guard = ReadAdminGuard(options_.admin_access, *tickets_);
  if (guard.ok()) return admin_->SetGuard(*std::move(guard));
  Log(LogLevel::kWarning, "The admin port goes on with the certificate and token it had",
      {{"error", std::string(guard.status().message())}});
}

void ServerImpl::Reload() {
  Log(LogLevel::kInfo, "SIGHUP: the configuration is read anew", {});
  ReadAdminFiles();
  // For a supervisor that waits for the end of it: the clock is the one it compares with.
  const auto micros =
      std::chrono::duration_cast<std::chrono::microseconds>(RealClock().Now().time_since_epoch());
  NotifySupervisor("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(micros.count()));
  source_->LookNow([this](bool changed) {
    const std::string error = configurator_.load_error();
    Log(error.empty() ? LogLevel::kInfo : LogLevel::kWarning, "SIGHUP: the configuration was read",
        {{"changed", changed},
         {"generation", configurator_.generation()},
         {"refused", configurator_.refused()},
         {"error", error}});
    NotifySupervisor("READY=1");
  });
}

int ServerImpl::RunUntilSignal() {
  SignalReader signals;
  {
    const MutexLock opening(opening_);
    LogListening(files_, *snapshots_.Load(), Open());
  }
  NotifySupervisor("READY=1");
  ServeUntil(signals, TimePoint::max());
  const bool drained = Drain(signals);
  SignalReader::EndAtNext();
  return drained ? 0 : 1;
}

// True at SIGTERM or SIGINT, false at `end`.
bool ServerImpl::ServeUntil(SignalReader& signals, TimePoint end) {
  for (;;) {
    const Duration left = end - RealClock().Now();
    if (left <= Duration(0)) return false;
    const std::optional<int> signal = signals.Next(std::min(kListenRetry, left));
    if (signal == SIGHUP) Reload();
    if (signal == SIGUSR1) ReopenLog();
    if (signal == SIGTERM || signal == SIGINT) return true;
    if (signal) continue;
    Retry();
    configurator_.LogReadErrors();
    TickReleases();
    if (configurator_.IsDue()) OnChange({});
  }
}

bool ServerImpl::Drain(SignalReader& signals) {
  phase_ = Phase::kDraining;
  const DrainEnd end = EndsInDelay(signals) ? DrainEnd::kSecondSignal : DrainNow(signals);
  const bool drained = end == DrainEnd::kDrained;
  if (end == DrainEnd::kTimeout) LimitReached(metrics_, "drain_timeout").Add();
  Log(drained ? LogLevel::kInfo : LogLevel::kWarning,
      drained ? "Drained" : "Drain ended early, what was in flight is broken off",
      {{"second_signal", end == DrainEnd::kSecondSignal}});
  return drained;
}

// Serves on for the delay, in which endpoints still come and go. True if a second signal ends it
// all. Where another process listens here new connections have somebody already.
bool ServerImpl::EndsInDelay(SignalReader& signals) {
  const Duration delay = options_.dataplane.shutdown_delay;
  if (delay == Duration(0) || OthersListen(Ports())) return false;
  Log(LogLevel::kInfo, "Shutting down: not ready any more, requests are served until the drain",
      {{"delay_s", ToSeconds(delay)}});
  return ServeUntil(signals, RealClock().Now() + delay);
}

DrainEnd ServerImpl::DrainNow(SignalReader& signals) {
  NotifySupervisor("STOPPING=1");
  releases_.Resign();
  const Duration limit = options_.dataplane.drain_timeout;
  Log(LogLevel::kInfo, "Draining: no new connections, requests in flight finish",
      {{"limit_s", ToSeconds(limit)}});
  // Whatever changes from here on must not open a listener again.
  source_->Stop();
  resolver_.reset();
  return DrainAll(front_ends_, *admin_, Ports(), signals, limit);
}

// Those that are listened on.
std::set<uint16_t> ServerImpl::Ports() {
  const MutexLock opening(opening_);
  std::set<uint16_t> ports;
  for (const ListenerKey& key : Open()) ports.insert(key.port);
  if (admin_address_.port() != 0) ports.insert(admin_address_.port());
  return ports;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(
    const ServerOptions& options, std::unique_ptr<config::ConfigSource> source) {
  auto server = std::make_unique<ServerImpl>(options, std::move(source));
  RETURN_IF_ERROR(server->Start());
  return server;
}

}  // namespace gw
