#include "server/data_plane.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/mutex.h"
#include "base/random.h"
#include "dataplane/worker.h"
#include "net/stream.h"
#include "server/countdown.h"
#include "server/startup.h"
#include "tls/shared_identity.h"

namespace gw {
namespace {

SocketAddress AddressOf(const ListenerKey& key) {  // both parts were checked
  return SocketAddress::FromIp(key.ip, key.port).value_or(SocketAddress());
}

bool IsWildcard(const std::string& ip) { return ip == "0.0.0.0" || ip == "::"; }

class DataPlane final : public FrontEnd {
 public:
  DataPlane(const ServerOptions& options, const SnapshotStore& snapshots, PrefixIndex& index,
            MetricRegistry& metrics, HeldBytes& held, const HandedSockets& handed,
            const Tracing* tracing, const PeerSharing& sharing)
      : options_(options),
        news_(sharing.news),
        snapshots_(snapshots),
        handed_(handed),
        model_lists_(options.dataplane, SeedFromSystem()),
        shared_{.snapshots = snapshots,
                .index = index,
                .metrics = metrics,
                .options = options.dataplane,
                .held = held,
                .log_share = options.log_share,
                .log_prompt_blocks = options.log_prompt_blocks,
                .model_lists = &model_lists_,
                .handed = &handed,
                .homes = &homes_,
                .selection_field = options.endpoint_selection_header,
                .served_field = options.served_endpoint_header,
                .tracing = tracing,
                .prefix_key = sharing.key,
                .heard = sharing.heard} {}

  absl::Status Start() override {
    const int count = WorkersOf(options_);
    for (int i = 0; i < count; ++i) {
      ASSIGN_OR_RETURN(std::unique_ptr<ProxyWorker> worker,
                       ProxyWorker::Start(shared_, *options_.seed + i,
                                          news_.empty() ? nullptr : news_[i].get()));
      workers_.push_back(std::move(worker));
    }
    return absl::OkStatus();
  }

  void Apply(bool listeners_changed) override {
    if (listeners_changed) return Open();
    for (auto& worker : workers_) worker->FollowSnapshot();
  }
  void Retry() override {
    if (!errors_.empty()) Open();
  }
  const std::set<ListenerKey>& open() const override { return open_; }
  const ListenErrors& errors() const override { return errors_; }

  void Drain(Duration closing, std::function<void()> done) override {
    auto left = std::make_shared<std::atomic<size_t>>(workers_.size());
    for (auto& worker : workers_) {
      worker->Drain(
          [left, done] {
            if (left->fetch_sub(1) == 1) done();
          },
          closing);
    }
  }

  std::optional<RequestRecord> FindRequest(const std::optional<std::string>& id,
                                           const std::string& pool) const override {
    std::optional<RequestRecord> found;
    for (const auto& worker : workers_) {
      auto record = id ? worker->history().Find(*id) : worker->history().FindLast(pool);
      if (record && (!found || record->ended > found->ended)) found = std::move(record);
    }
    return found;
  }

  uint64_t TakeRequests(std::vector<uint64_t>* positions, size_t max,
                        std::vector<RequestRecord>* out) const override {
    positions->resize(workers_.size());
    std::vector<RequestRecord> all;
    uint64_t left_out = 0;
    for (size_t i = 0; i < workers_.size(); ++i) {
      left_out += workers_[i]->history().TakeSince(&(*positions)[i], max, &all);
    }
    std::ranges::stable_sort(all, {}, &RequestRecord::ended);
    const size_t more = all.size() - std::min(all.size(), max);
    std::move(all.begin() + static_cast<ptrdiff_t>(more), all.end(), std::back_inserter(*out));
    return left_out + more;
  }

 private:
  void Open();
  ListenErrors FindUnusable(const Snapshot& snapshot) const;
  bool MeetsOwn(const ListenerKey& key) const;
  void Explain(const Snapshot& snapshot, ListenErrors errors);

  const ServerOptions& options_;
  const std::span<const std::unique_ptr<PrefixNews>> news_;
  const SnapshotStore& snapshots_;
  const HandedSockets& handed_;
  ModelListStore model_lists_;
  ResponseHomes homes_;
  const ProxyWorker::Shared shared_;
  std::vector<std::unique_ptr<ProxyWorker>> workers_;
  std::set<ListenerKey> open_;  // that a worker listens on
  ListenErrors raw_errors_;     // as the system said them
  ListenErrors errors_;         // the same, explained
};

// Whether a listener of ours takes what comes for this one, too: one socket is for all addresses,
// the other for one of them.
bool DataPlane::MeetsOwn(const ListenerKey& key) const {
  return std::any_of(open_.begin(), open_.end(), [&](const ListenerKey& own) {
    return own.port == key.port && (IsWildcard(own.ip) || IsWildcard(key.ip));
  });
}

// What is not to be opened. Workers share their ports, and would share them silently with another
// process that does so.
ListenErrors DataPlane::FindUnusable(const Snapshot& snapshot) const {
  ListenErrors errors;
  for (const ListenerEntry& entry : snapshot.listeners) {
    const ListenerKey& key = entry.key;
    const SocketAddress address = AddressOf(key);
    if (open_.contains(key) || handed_.Find(address) >= 0) continue;
    if (const absl::Status local = CheckLocalAddress(address); !local.ok()) {
      errors[key] = {"must be an address of this machine, got " + std::string(local.message()),
                     /*address=*/true};
      continue;
    }
    if (options_.takeover || MeetsOwn(key)) continue;
    const absl::Status free = CheckNobodyListens(address);
    if (!free.ok()) errors[key].message = std::string(free.message());
  }
  return errors;
}

void DataPlane::Open() {
  const std::shared_ptr<const Snapshot> snapshot = snapshots_.Load();
  const ListenErrors unusable = FindUnusable(*snapshot);
  std::set<ListenerKey> unusable_keys;
  for (const auto& [key, error] : unusable) unusable_keys.insert(key);
  struct Answers {
    Mutex mutex;
    ListenErrors errors;
    std::map<ListenerKey, size_t> failures;  // workers that do not listen there
  };
  auto answers = std::make_shared<Answers>();
  auto countdown = std::make_shared<Countdown>(workers_.size());
  for (auto& worker : workers_) {
    worker->ApplySnapshot(
        [countdown, answers](const ProxyWorker::ListenErrors& errors) {
          {
            const MutexLock lock(answers->mutex);
            for (const auto& [key, error] : errors) {
              ++answers->failures[key];
              answers->errors.try_emplace(key, ListenError{error});
            }
          }
          countdown->Done();
        },
        unusable_keys);
  }
  countdown->Wait(std::chrono::seconds(30), [] { return false; });
  const MutexLock lock(answers->mutex);
  open_.clear();
  for (const ListenerEntry& entry : snapshot->listeners) {
    const bool nowhere = answers->failures[entry.key] == workers_.size();
    if (!unusable.contains(entry.key) && !nowhere) open_.insert(entry.key);
  }
  ListenErrors all = unusable;
  all.merge(answers->errors);
  Explain(*snapshot, std::move(all));
}

// The errors with the listeners that wanted the ports, and with who has them. Each is logged once,
// and looked into once: it is tried again every second.
void DataPlane::Explain(const Snapshot& snapshot, ListenErrors errors) {
  ListenErrors explained;
  for (const auto& [key, error] : errors) {
    const auto raw = raw_errors_.find(key);
    const auto known = errors_.find(key);
    if (raw != raw_errors_.end() && raw->second.message == error.message &&
        known != errors_.end()) {
      explained[key] = known->second;
      continue;
    }
    std::string text;
    if (const ListenerEntry* entry = snapshot.FindListener(key)) {
      text = "listener ";
      for (const std::string& name : entry->names) text += name + " and ";
      text.resize(text.size() - 5);
      text += " of the Gateways: ";
    }
    text += error.address ? error.message : WithHolder(error.message, key.port);
    Log(LogLevel::kError, "A listener could not be opened", {{"error", text}});
    explained[key] = {std::move(text), error.address};
  }
  raw_errors_ = std::move(errors);
  errors_ = std::move(explained);
}

}  // namespace

// Names of prompts are the same in all gateways that share them, and in a log whoever wrote it.
PeerSharing SharingOf(const ServerOptions& options,
                      std::span<const std::unique_ptr<PrefixNews>> news,
                      const HeardGateways& heard) {
  PeerSharing sharing{.news = news};
  if (options.peers.on()) {
    sharing.heard = &heard;
    sharing.key = NumberFromSecret(options.peers.secret, "names of prompts' blocks");
  } else if (!options.log_prompt_blocks) {
    sharing.key = Random(*options.seed).Next();
  }
  return sharing;
}

std::unique_ptr<FrontEnd> NewDataPlane(const ServerOptions& options, const SnapshotStore& snapshots,
                                       PrefixIndex& index, MetricRegistry& metrics, HeldBytes& held,
                                       const HandedSockets& handed, const Tracing* tracing,
                                       const PeerSharing& sharing) {
  return std::make_unique<DataPlane>(options, snapshots, index, metrics, held, handed, tracing,
                                     sharing);
}

}  // namespace gw
