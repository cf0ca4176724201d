#include "server/server.h"

#include <signal.h>

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "absl/strings/str_join.h"
#include "admin/admin_server.h"
#include "base/log.h"
#include "base/random.h"
#include "dataplane/worker.h"
#include "http/url.h"
#include "net/handed_sockets.h"
#include "net/port_holder.h"
#include "net/supervisor.h"
#include "pool/health.h"
#include "server/configurator.h"
#include "server/countdown.h"
#include "server/explain.h"
#include "server/gateway_metrics.h"
#include "server/get.h"
#include "server/pages.h"
#include "server/signals.h"
#include "server/startup.h"

namespace gw {
namespace {

constexpr Duration kListenRetry = std::chrono::seconds(1);
// How long listeners that another process takes over still accept connections whose first packet
// they have answered: the way there and back.
constexpr Duration kHandshake = std::chrono::milliseconds(500);

// False if there are pools and nobody is behind any of them: no Pod is Ready, or all refuse.
bool AnyEndpointUsable(const Snapshot& snapshot, TimePoint now) {
  for (const auto& entry : snapshot.pools) {
    for (const Endpoint& endpoint : entry->pool.endpoints) {
      if (StandingOf(*endpoint.state, 0, now) != Standing::kRefusing) return true;
    }
  }
  return snapshot.pools.empty();
}

class ServerImpl final : public Server {
 public:
  ServerImpl(const ServerOptions& options, std::unique_ptr<config::ConfigSource> source)
      : options_(WithSeed(WithinDescriptors(options))),
        source_(std::move(source)),
        index_(IndexOptions(options)),
        configurator_(snapshots_, index_, metrics_, OptionsOfTranslate(options), source_->limits()),
        model_lists_(options_.dataplane, SeedFromSystem()) {}
  ~ServerImpl() override {
    source_->Stop();
    scraper_.reset();
    admin_.reset();
    workers_.clear();
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
    return index;
  }
  static TranslateOptions OptionsOfTranslate(const ServerOptions& options) {
    TranslateOptions translate = options.translate;
    const bool all = options.bind_ip == "0.0.0.0" || options.bind_ip == "::";
    if (!all) translate.address = options.bind_ip;
    return translate;
  }
  Counter& LimitReached(const char* limit) {
    return metrics_.AddCounter("penstock_limit_reached_total",
                               "How often a limit was reached, by its name.", {{"limit", limit}});
  }
  absl::Status StartWorkers();
  absl::Status StartAdmin();
  void OnChange(const config::Change& change);
  void OpenListeners();  // REQUIRES: opening_ is held
  ListenErrors FindTakenPorts() const;
  SocketAddress ListenerAddress(uint16_t port) const {  // --bind was checked
    return SocketAddress::FromIp(options_.bind_ip, port).value_or(SocketAddress());
  }
  void TellUnusedSockets();  // REQUIRES: opening_ is held
  AdminResponse Ready() const;
  AdminResponse Get(const AdminRequest& request) const;
  AdminResponse Explain(const AdminRequest& request) const;
  static AdminResponse ChangeLogLevel(const AdminRequest& request);
  ListenErrors Explained(const ListenErrors& errors);  // REQUIRES: opening_ is held
  void Reload();
  static void ReopenLog();
  bool Drain(SignalReader& signals);

  const HandedSockets handed_ = HandedSockets::Take();  // before any thread
  const ServerOptions options_;
  const std::unique_ptr<config::ConfigSource> source_;
  MetricRegistry metrics_;
  PrefixIndex index_;
  HeldBytes held_{options_.dataplane.held_bytes_max};
  SnapshotStore snapshots_;
  PoolSeries pool_series_{metrics_, snapshots_};
  Configurator configurator_;
  ModelListStore model_lists_;
  std::vector<std::unique_ptr<ProxyWorker>> workers_;
  std::unique_ptr<AdminServer> admin_;
  std::unique_ptr<ScraperThread> scraper_;
  // Snapshots are published and listeners opened by the source's thread and RunUntilSignal's.
  std::mutex opening_;
  std::set<uint16_t> own_ports_;             // that a worker listens on; under opening_
  ListenErrors raw_errors_;                  // as the system said them; under opening_
  std::vector<std::string> unused_sockets_;  // that were told last; under opening_
  SocketAddress admin_address_;
  size_t files_ = 0;  // that were read at the start
  std::atomic<bool> listening_{false};
  std::atomic<bool> draining_{false};
};

absl::Status ServerImpl::Start() {
  // Signals are read by RunUntilSignal; blocked here so that no other thread takes them.
  BlockSignals();
  RETURN_IF_ERROR(CheckBindIp(options_.bind_ip));
  ASSIGN_OR_RETURN(admin_address_,
                   AdminAddressOf(options_.admin_address, options_.takeover, handed_));
  ASSIGN_OR_RETURN(const config::FirstLoad loaded, source_->Load());
  LogStart(options_, loaded, absl::StrJoin(handed_.Names(), ", "));
  files_ = loaded.files;
  RegisterGatewayMetrics(metrics_, snapshots_, index_, held_);
  configurator_.Apply(loaded.change);
  pool_series_.Reconcile();
  RETURN_IF_ERROR(StartWorkers());
  RETURN_IF_ERROR(StartAdmin());
  ASSIGN_OR_RETURN(scraper_, ScraperThread::Start(snapshots_, index_, metrics_, options_.scrape));
  {
    std::lock_guard opening(opening_);
    OpenListeners();
  }
  source_->Start([this](const config::Change& change) { OnChange(change); });
  return absl::OkStatus();
}

absl::Status ServerImpl::StartWorkers() {
  const int count = WorkersOf(options_);
  const ProxyWorker::Shared shared{snapshots_,
                                   index_,
                                   metrics_,
                                   options_.dataplane,
                                   held_,
                                   options_.bind_ip,
                                   options_.log_requests,
                                   &model_lists_,
                                   &handed_};
  for (int i = 0; i < count; ++i) {
    ASSIGN_OR_RETURN(std::unique_ptr<ProxyWorker> worker,
                     ProxyWorker::Start(shared, *options_.seed + i));
    workers_.push_back(std::move(worker));
  }
  return absl::OkStatus();
}

absl::Status ServerImpl::StartAdmin() {
  AdminServer::Handlers handlers;
  handlers["/healthz"] = [](const AdminRequest&) { return AdminResponse{.body = "ok\n"}; };
  handlers["/readyz"] = [this](const AdminRequest&) { return Ready(); };
  handlers["/metrics"] = [this](const AdminRequest&) {
    pool_series_.Reconcile();
    return AdminResponse{200, "text/plain; version=0.0.4; charset=utf-8", metrics_.Render()};
  };
  handlers["/endpoints"] = [this](const AdminRequest&) {
    return AdminResponse{200, "application/json",
                         EndpointsPage(*snapshots_.Load(), RealClock().Now())};
  };
  handlers["/config"] = [this](const AdminRequest&) {
    return AdminResponse{200, "application/json", ConfigPage(*snapshots_.Load())};
  };
  handlers["/get"] = [this](const AdminRequest& request) { return Get(request); };
  handlers["/explain"] = [this](const AdminRequest& request) { return Explain(request); };
  handlers["/log-level"] = [](const AdminRequest&) {
    return AdminResponse{.body = std::string(NameOf(log_level())) + "\n"};
  };
  handlers["PUT /log-level"] = ChangeLogLevel;
  AdminServer::Limits limits;
  limits.connections = options_.dataplane.admin_connections_max;
  limits.share_port = options_.takeover;
  limits.handed = handed_.Find(admin_address_);
  limits.linger_bytes = options_.dataplane.admin_linger_bytes_max;
  limits.on_connections_reached = [&reached = LimitReached("admin_connections")] { reached.Add(); };
  limits.on_linger_bytes_reached = [&reached = LimitReached("admin_linger_bytes")] {
    reached.Add();
  };
  ASSIGN_OR_RETURN(admin_, AdminServer::Start(admin_address_, std::move(handlers), limits));
  Log(LogLevel::kInfo, "Admin port listens", {{"address", admin_->local().ToString()}});
  return absl::OkStatus();
}

void ServerImpl::OnChange(const config::Change& change) {
  // Publishing too, or the workers would open ports of a Snapshot whose ports nobody has looked at.
  std::lock_guard opening(opening_);
  if (!configurator_.Apply(change)) {
    for (auto& worker : workers_) worker->FollowSnapshot();
    return;
  }
  pool_series_.Reconcile();
  OpenListeners();
}

// Workers share their ports, and would share them silently with another process that does so.
ListenErrors ServerImpl::FindTakenPorts() const {
  ListenErrors taken;
  const std::shared_ptr<const Snapshot> snapshot = snapshots_.Load();
  if (options_.takeover) return taken;
  for (const ListenerEntry& entry : snapshot->listeners) {
    if (own_ports_.contains(entry.port)) continue;
    const SocketAddress address = ListenerAddress(entry.port);
    if (handed_.Find(address) >= 0) continue;
    const absl::Status status = CheckNobodyListens(address);
    if (!status.ok()) taken.emplace(entry.port, status.message());
  }
  return taken;
}

void ServerImpl::OpenListeners() {
  const ListenErrors taken = FindTakenPorts();
  std::set<uint16_t> taken_ports;
  for (const auto& [port, error] : taken) taken_ports.insert(port);
  auto countdown = std::make_shared<Countdown>(workers_.size());
  auto mutex = std::make_shared<std::mutex>();
  auto all_errors = std::make_shared<ListenErrors>(taken);
  auto failures = std::make_shared<std::map<uint16_t, size_t>>();  // workers that have not the port
  for (auto& worker : workers_) {
    worker->ApplySnapshot(
        [countdown, mutex, all_errors, failures](ListenErrors errors) {
          {
            std::lock_guard lock(*mutex);
            for (const auto& [port, error] : errors) ++(*failures)[port];
            all_errors->merge(errors);
          }
          countdown->Done();
        },
        taken_ports);
  }
  countdown->Wait(std::chrono::seconds(30), [] { return false; });
  std::lock_guard lock(*mutex);
  own_ports_.clear();
  for (const ListenerEntry& entry : snapshots_.Load()->listeners) {
    const bool nowhere = (*failures)[entry.port] == workers_.size();
    if (!taken.contains(entry.port) && !nowhere) own_ports_.insert(entry.port);
  }
  configurator_.SetListenErrors(Explained(*all_errors));
  listening_ = true;
  TellUnusedSockets();
}

// Whoever connects to one of those waits until a listener takes it.
void ServerImpl::TellUnusedSockets() {
  std::set<int> used = {handed_.Find(admin_address_)};
  for (const uint16_t port : own_ports_) used.insert(handed_.Find(ListenerAddress(port)));
  std::vector<std::string> unused = handed_.Names(used);
  if (unused == unused_sockets_) return;
  unused_sockets_ = std::move(unused);
  for (const std::string& name : unused_sockets_) {
    Log(LogLevel::kWarning, "No listener has the address of a socket that was handed over",
        {{"socket", name}});
  }
}

// The errors with the listeners that wanted the ports, and with who has them. Each is logged once,
// and looked into once: it is tried again every second.
ListenErrors ServerImpl::Explained(const ListenErrors& errors) {
  const ListenErrors known = configurator_.listen_errors();
  ListenErrors explained;
  for (const auto& [port, error] : errors) {
    const auto raw = raw_errors_.find(port);
    if (raw != raw_errors_.end() && raw->second == error && known.contains(port)) {
      explained[port] = known.at(port);
      continue;
    }
    std::string& text = explained[port];
    if (const ListenerEntry* entry = snapshots_.Load()->FindListener(port)) {
      text = "listener ";
      for (const std::string& name : entry->names) text += name + " and ";
      text.resize(text.size() - 5);
      text += " of the Gateways: ";
    }
    text += WithHolder(error, port);
    Log(LogLevel::kError, "A listener could not be opened", {{"error", text}});
  }
  raw_errors_ = errors;
  return explained;
}

AdminResponse ServerImpl::Ready() const {
  AdminResponse response;
  const ListenErrors errors = configurator_.listen_errors();
  if (draining_) {
    response.status = 503;
    response.body = "draining\n";
  } else if (!listening_) {
    response.status = 503;
    response.body = "starting\n";
  } else if (snapshots_.Load()->listeners.empty()) {
    response.status = 503;
    response.body = configurator_.WhyNothingListens() + "\n";
  } else if (!errors.empty()) {
    response.status = 503;
    for (const auto& [port, error] : errors) response.body += error + "\n";
  } else {
    response.body = "ready, configuration " + std::to_string(configurator_.generation()) + "\n";
  }
  if (!AnyEndpointUsable(*snapshots_.Load(), RealClock().Now())) {
    if (!options_.ready_without_endpoints) response.status = 503;
    response.body += "no pool has a usable endpoint\n";
  }
  if (const size_t refused = configurator_.refused(); refused > 0) {
    response.body += std::to_string(refused) + " refused, see penstock get all\n";
  }
  if (const size_t stale = configurator_.stale(); stale > 0) {
    response.body += std::to_string(stale) + " served at their last good version\n";
  }
  const std::string load_error = configurator_.load_error();
  if (!load_error.empty()) {
    response.body += "files rejected, their last good objects serve: " + load_error + "\n";
  }
  return response;
}

AdminResponse ServerImpl::Get(const AdminRequest& request) const {
  const std::shared_ptr<const Snapshot> snapshot = snapshots_.Load();
  const std::shared_ptr<const api::ResourceSet> resources = configurator_.resources();
  const api::StatusSet status = configurator_.status();
  return AnswerGet({*snapshot, *resources, status, RealClock().Now()}, request.query);
}

AdminResponse ServerImpl::Explain(const AdminRequest& request) const {
  const std::optional<std::string> id = http::QueryParam(request.query, "id");
  const std::string pool = http::QueryParam(request.query, "pool").value_or("");
  std::optional<RequestRecord> found;
  for (const auto& worker : workers_) {
    auto record = id ? worker->history().Find(*id) : worker->history().FindLast(pool);
    if (record && (!found || record->ended > found->ended)) found = std::move(record);
  }
  if (!found) {
    const std::string wanted = id             ? "request \"" + *id + "\""
                               : pool.empty() ? "request"
                                              : "request to pool \"" + pool + "\"";
    return {.status = 404,
            .body = "error: no " + wanted + " among the last ones of this gateway\n"};
  }
  if (http::QueryParam(request.query, "output").value_or("") == "json") {
    return {.content_type = "application/json", .body = ToJson(*found) + "\n"};
  }
  return {.body = ExplainText(*found)};
}

AdminResponse ServerImpl::ChangeLogLevel(const AdminRequest& request) {
  const std::string name = http::QueryParam(request.query, "level").value_or("");
  const std::optional<LogLevel> level = LogLevelFromName(name);
  if (!level) {
    return {.status = 400,
            .body = "error: level: must be debug, info, warning or error, got \"" +
                    Printable(name) + "\"\n"};
  }
  const std::string before(NameOf(log_level()));
  SetLogLevel(std::min(*level, LogLevel::kInfo));  // the change itself is told
  Log(LogLevel::kInfo, "Log level changed", {{"from", before}, {"to", NameOf(*level)}});
  SetLogLevel(*level);
  return {.body = std::string(NameOf(*level)) + "\n"};
}

void ServerImpl::Reload() {
  Log(LogLevel::kInfo, "SIGHUP: the configuration is read anew", {});
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

void ServerImpl::ReopenLog() {
  const absl::Status status = ReopenLogFile();
  if (!status.ok()) {
    Log(LogLevel::kError, "SIGUSR1: the log file could not be opened, the old one goes on",
        {{"error", std::string(status.message())}});
  } else {
    Log(LogLevel::kInfo, "SIGUSR1: the log file is open", {});
  }
}

int ServerImpl::RunUntilSignal() {
  SignalReader signals;
  {
    std::lock_guard opening(opening_);
    LogListening(files_, *snapshots_.Load(), own_ports_, options_.bind_ip);
  }
  NotifySupervisor("READY=1");
  for (;;) {
    const std::optional<int> signal = signals.Next(kListenRetry);
    if (signal == SIGHUP) Reload();
    if (signal == SIGUSR1) ReopenLog();
    if (signal == SIGTERM || signal == SIGINT) break;
    // Whoever had a port may have left it.
    if (signal || configurator_.listen_errors().empty()) continue;
    std::lock_guard opening(opening_);
    OpenListeners();
  }
  const bool drained = Drain(signals);
  SignalReader::EndAtNext();
  return drained ? 0 : 1;
}

bool ServerImpl::Drain(SignalReader& signals) {
  draining_ = true;
  NotifySupervisor("STOPPING=1");
  Log(LogLevel::kInfo, "Draining: no new connections, requests in flight finish",
      {{"limit_s", ToSeconds(options_.dataplane.drain_timeout)}});
  source_->Stop();
  auto countdown = std::make_shared<Countdown>(workers_.size());
  // Another process has taken the ports over: it shall have the next connection, and the next
  // probe.
  std::set<uint16_t> ports = own_ports_;
  if (admin_address_.port() != 0) ports.insert(admin_address_.port());
  const bool taken_over = OthersListen(ports);
  if (taken_over) admin_->StopListening();
  for (auto& worker : workers_) {
    worker->Drain([countdown] { countdown->Done(); }, taken_over ? kHandshake : Duration(0));
  }
  std::atomic<bool> again{false};
  std::atomic<bool> over{false};
  std::thread second([&] {
    // A second signal ends at once.
    while (!over) {
      const std::optional<int> signal = signals.Next(std::chrono::milliseconds(50));
      if (signal == SIGUSR1) ReopenLog();
      if (signal == SIGHUP) Log(LogLevel::kInfo, "SIGHUP: nothing is read while draining", {});
      if (signal != SIGTERM && signal != SIGINT) continue;
      again = true;
      countdown->Poke();
      return;
    }
  });
  const bool drained =
      countdown->Wait(options_.dataplane.drain_timeout, [&] { return again.load(); });
  over = true;
  second.join();
  if (!drained && !again) LimitReached("drain_timeout").Add();
  Log(drained ? LogLevel::kInfo : LogLevel::kWarning,
      drained ? "Drained" : "Drain ended early, what was in flight is broken off",
      {{"second_signal", again.load()}});
  return drained;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(
    const ServerOptions& options, std::unique_ptr<config::ConfigSource> source) {
  auto server = std::make_unique<ServerImpl>(options, std::move(source));
  RETURN_IF_ERROR(server->Start());
  return server;
}

}  // namespace gw
