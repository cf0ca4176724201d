#include "server/server.h"

#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "absl/strings/str_join.h"
#include "admin/admin_server.h"
#include "base/log.h"
#include "base/random.h"
#include "base/version.h"
#include "config/file/file_source.h"
#include "dataplane/worker.h"
#include "http/url.h"
#include "server/configurator.h"
#include "server/explain.h"
#include "server/gateway_metrics.h"
#include "server/get.h"
#include "server/pages.h"

namespace gw {
namespace {

constexpr int kListenRetryMs = 1000;

// From here to the end of the process, which destroys and writes what is left, a signal has nobody
// who reads it and ends the process at once.
void EndAtNextSignal(const sigset_t& signals) {
  signal(SIGTERM, [](int) { _exit(1); });
  signal(SIGINT, [](int) { _exit(1); });
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

// Counts answers of the workers; Wait returns when all have come or the time is over.
class Countdown {
 public:
  explicit Countdown(size_t count) : left_(count) {}
  void Done() {
    std::lock_guard lock(mutex_);
    --left_;
    changed_.notify_all();
  }
  template <typename Stop>
  bool Wait(Duration timeout, Stop stop) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, timeout, [&] { return left_ == 0 || stop(); }) && left_ == 0;
  }
  // Has Wait look at `stop` again. Under the lock: Wait must not be between its look and its sleep.
  void Poke() {
    std::lock_guard lock(mutex_);
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t left_;
};

// Every client and every endpoint is a file descriptor: use all that the system allows.
void RaiseDescriptorLimit() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int64_t UnixNow() { return RealClock().UnixNanos() / 1'000'000'000; }

int WorkersOf(const ServerOptions& options) {
  const unsigned cores = std::max(1u, std::thread::hardware_concurrency());
  return options.workers > 0 ? options.workers : static_cast<int>(cores);
}

// A client that is accepted needs a second descriptor, towards its endpoint: without it the request
// would fail at an endpoint that is well.
ServerOptions WithinDescriptors(ServerOptions options) {
  constexpr rlim_t kOthers = 32;  // listeners, loops, scraped endpoints of a small pool, files
  RaiseDescriptorLimit();
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return options;
  const rlim_t left = limit.rlim_cur > kOthers ? limit.rlim_cur - kOthers : 0;
  const auto clients = static_cast<size_t>(left / 2 / static_cast<rlim_t>(WorkersOf(options)));
  size_t& most = options.dataplane.downstream_connections_max;
  if (clients < most) {
    Log(LogLevel::kWarning, "Few open files are allowed: fewer clients are taken",
        {{"open_files", static_cast<int64_t>(limit.rlim_cur)},
         {"downstream_connections_per_worker", static_cast<int64_t>(clients)}});
    most = std::max<size_t>(clients, 1);
  }
  return options;
}

// A wrong address would fail at every port, and be tried again for ever as if a port were taken.
absl::Status CheckBindIp(const std::string& ip) {
  const absl::StatusOr<SocketAddress> address = SocketAddress::FromIp(ip, 0);
  if (!address.ok()) {
    return absl::InvalidArgumentError("--bind: must be an IPv4 or IPv6 address, got " + ip);
  }
  const absl::Status local = CheckLocalAddress(*address);
  if (local.ok()) return local;
  return absl::InvalidArgumentError("--bind: must be an address of this machine, got " +
                                    std::string(local.message()));
}

class ServerImpl final : public Server {
 public:
  explicit ServerImpl(const ServerOptions& options)
      : options_(WithSeed(WithinDescriptors(options))),
        index_(IndexOptions(options)),
        configurator_(snapshots_, index_, metrics_, OptionsOfTranslate(options)),
        model_lists_(options_.dataplane, SeedFromSystem()) {}
  ~ServerImpl() override {
    watcher_.reset();
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
  void LogStart(const config::LoadResult& loaded) const;
  absl::Status StartWorkers();
  absl::Status StartAdmin();
  void OnLoaded(const config::LoadResult& result);
  void OpenListeners();  // REQUIRES: opening_ is held
  ListenErrors FindTakenPorts() const;
  AdminResponse Ready() const;
  AdminResponse Get(const AdminRequest& request) const;
  AdminResponse Explain(const AdminRequest& request) const;
  bool Drain(int signal_fd);

  const ServerOptions options_;
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
  std::unique_ptr<config::FileWatcher> watcher_;
  // Snapshots are published and listeners opened by the watcher's thread and RunUntilSignal's.
  std::mutex opening_;
  std::set<uint16_t> own_ports_;  // that a worker listens on; under opening_
  std::atomic<bool> listening_{false};
  std::atomic<bool> draining_{false};
};

absl::Status ServerImpl::Start() {
  // Signals are read by RunUntilSignal; blocked here so that no other thread takes them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);

  RETURN_IF_ERROR(CheckBindIp(options_.bind_ip));
  for (const std::string& path : options_.paths) {
    if (path == "-") return absl::InvalidArgumentError("-f -: only penstock check reads that");
  }
  config::LoadResult loaded = config::LoadFiles(options_.paths, options_.file_limits);
  if (!loaded.ok()) return absl::InvalidArgumentError(loaded.error());
  LogStart(loaded);
  RegisterGatewayMetrics(metrics_, snapshots_, index_, held_);
  configurator_.Apply(loaded, UnixNow());
  pool_series_.Reconcile();
  RETURN_IF_ERROR(StartWorkers());
  RETURN_IF_ERROR(StartAdmin());
  ASSIGN_OR_RETURN(scraper_, ScraperThread::Start(snapshots_, index_, metrics_, options_.scrape));
  {
    std::lock_guard opening(opening_);
    OpenListeners();
  }
  config::WatchOptions watch;
  watch.limits = options_.file_limits;
  watcher_ = config::FileWatcher::Start(
      options_.paths, loaded, [this](const config::LoadResult& result) { OnLoaded(result); },
      watch);
  return absl::OkStatus();
}

void ServerImpl::LogStart(const config::LoadResult& loaded) const {
  Log(LogLevel::kInfo, "Starting",
      {{"version", Version().version},
       {"commit", Version().commit},
       {"seed", *options_.seed},
       {"files", loaded.files.size()},
       {"objects", loaded.parsed.objects.size()},
       {"paths", absl::StrJoin(options_.paths, ", ")},
       {"workers", WorkersOf(options_)}});
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
                                   &model_lists_};
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
  ASSIGN_OR_RETURN(const SocketAddress address, SocketAddress::Parse(options_.admin_address));
  ASSIGN_OR_RETURN(admin_, AdminServer::Start(address, std::move(handlers)));
  Log(LogLevel::kInfo, "Admin port listens", {{"address", admin_->local().ToString()}});
  return absl::OkStatus();
}

void ServerImpl::OnLoaded(const config::LoadResult& result) {
  // Publishing too, or the workers would open ports of a Snapshot whose ports nobody has looked at.
  std::lock_guard opening(opening_);
  configurator_.Apply(result, UnixNow());
  pool_series_.Reconcile();
  OpenListeners();
}

// Workers share their ports, and would share them silently with another process that does so.
ListenErrors ServerImpl::FindTakenPorts() const {
  ListenErrors taken;
  const std::shared_ptr<const Snapshot> snapshot = snapshots_.Load();
  for (const ListenerEntry& entry : snapshot->listeners) {
    if (own_ports_.contains(entry.port)) continue;
    const absl::StatusOr<SocketAddress> address =
        SocketAddress::FromIp(options_.bind_ip, entry.port);
    const absl::Status status = address.ok() ? CheckNobodyListens(*address) : address.status();
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
  const ListenErrors known = configurator_.listen_errors();
  for (const auto& [port, error] : *all_errors) {
    if (known.contains(port) && known.at(port) == error) continue;
    Log(LogLevel::kError, "A listener could not be opened", {{"error", error}});
  }
  configurator_.SetListenErrors(*all_errors);
  listening_ = true;
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

int ServerImpl::RunUntilSignal() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  const int fd = signalfd(-1, &signals, SFD_CLOEXEC);
  if (fd < 0) return 1;
  signalfd_siginfo info;
  pollfd wanted{fd, POLLIN, 0};
  while (poll(&wanted, 1, kListenRetryMs) <= 0 ||
         read(fd, &info, sizeof(info)) != static_cast<ssize_t>(sizeof(info))) {
    // Whoever had a port may have left it.
    if (configurator_.listen_errors().empty()) continue;
    std::lock_guard opening(opening_);
    OpenListeners();
  }
  const bool drained = Drain(fd);
  close(fd);
  EndAtNextSignal(signals);
  return drained ? 0 : 1;
}

bool ServerImpl::Drain(int signal_fd) {
  draining_ = true;
  Log(LogLevel::kInfo, "Draining: no new connections, requests in flight finish",
      {{"limit_s", ToSeconds(options_.dataplane.drain_timeout)}});
  watcher_.reset();
  auto countdown = std::make_shared<Countdown>(workers_.size());
  for (auto& worker : workers_) worker->Drain([countdown] { countdown->Done(); });
  std::atomic<bool> again{false};
  std::atomic<bool> over{false};
  std::thread second([&] {
    // A second signal ends at once.
    while (!over) {
      fd_set set;
      FD_ZERO(&set);
      FD_SET(signal_fd, &set);
      timeval wait{0, 50'000};
      if (select(signal_fd + 1, &set, nullptr, nullptr, &wait) > 0) {
        signalfd_siginfo info;  // taken, or it would count as a third one later
        again = read(signal_fd, &info, sizeof(info)) > 0;
        countdown->Poke();
        return;
      }
    }
  });
  const bool drained =
      countdown->Wait(options_.dataplane.drain_timeout, [&] { return again.load(); });
  over = true;
  second.join();
  if (!drained && !again) {
    metrics_
        .AddCounter("penstock_limit_reached_total", "How often a limit was reached, by its name.",
                    {{"limit", "drain_timeout"}})
        .Add();
  }
  Log(drained ? LogLevel::kInfo : LogLevel::kWarning,
      drained ? "Drained" : "Drain ended early, what was in flight is broken off",
      {{"second_signal", again.load()}});
  return drained;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerOptions& options) {
  auto server = std::make_unique<ServerImpl>(options);
  RETURN_IF_ERROR(server->Start());
  return server;
}

}  // namespace gw
