#include "client/pool.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "client/h1_connection.h"

namespace gw {
namespace {

constexpr Duration kSweepInterval = std::chrono::milliseconds(500);
constexpr Duration kOwnTroubleLogInterval = std::chrono::seconds(10);

}  // namespace

ClientPool::ClientPool(EventLoop& loop, const ClientOptions& options, Hooks hooks)
    : loop_(loop),
      options_(options),
      hooks_(std::move(hooks)),
      sweep_(loop, [this] { CloseExpired(); }) {}

ClientPool::~ClientPool() = default;

H1Connection* ClientPool::TakeIdle(const std::string& address, Reuse reuse) {
  if (reuse == Reuse::kNone) return nullptr;
  auto it = idle_.find(address);
  while (it != idle_.end() && !it->second.empty()) {
    H1Connection* connection = it->second.back();
    const bool trusted = reuse == Reuse::kTrusted &&
                         loop_.now() - connection->idle_since() < options_.trusted_idle_time;
    if (!trusted && !connection->IsOpenAndQuiet()) {
      connection->Cancel();  // which takes it out of the list
      continue;
    }
    it->second.pop_back();
    --idle_count_;
    return connection;
  }
  return nullptr;
}

ClientCall* ClientPool::Send(const std::string& address, const ClientRequest& request, Reuse reuse,
                             ResponseHandler* handler) {
  H1Connection* connection = TakeIdle(address, reuse);
  if (connection == nullptr) {
    auto owned = std::make_unique<H1Connection>(*this, address);
    connection = owned.get();
    all_.emplace(connection, std::move(owned));
  }
  connection->Send(request, handler);
  return connection;
}

void ClientPool::PutBack(H1Connection* connection) {
  connection->BecomeIdle();
  std::vector<H1Connection*>& idle = idle_[connection->address()];
  if (idle.size() >= options_.idle_connections_max) {
    Limit("idle_upstream_connections");
    H1Connection* oldest = idle.front();
    oldest->Cancel();
  }
  idle.push_back(connection);
  ++idle_count_;
  if (!sweep_.active()) sweep_.Start(kSweepInterval);
}

void ClientPool::Remove(H1Connection* connection) {
  auto idle = idle_.find(connection->address());
  if (idle != idle_.end()) {
    auto it = std::find(idle->second.begin(), idle->second.end(), connection);
    if (it != idle->second.end()) {
      idle->second.erase(it);
      --idle_count_;
    }
  }
  auto it = all_.find(connection);
  CHECK(it != all_.end());
  connection->Close();
  loop_.FreeLater(std::move(it->second));
  all_.erase(it);
}

void ClientPool::LogOwnTrouble(const std::string& address, const absl::Status& status) {
  ++own_troubles_;
  const TimePoint now = loop_.now();
  const bool logged = own_trouble_logged_ != TimePoint();
  if (logged && now - own_trouble_logged_ < kOwnTroubleLogInterval) return;
  Log(LogLevel::kWarning,
      "No connection to an endpoint, for want of something of the gateway's own",
      {{"endpoint", address},
       {"error", std::string(status.message())},
       {"times", static_cast<int64_t>(own_troubles_)}});
  own_trouble_logged_ = now;
  own_troubles_ = 0;
}

void ClientPool::CloseIdleOf(const std::string& address) {
  const auto it = idle_.find(address);
  if (it == idle_.end()) return;
  const std::vector<H1Connection*> idle = it->second;
  for (H1Connection* connection : idle) connection->Cancel();
}

size_t ClientPool::CloseLongestIdle(size_t most) {
  std::vector<H1Connection*> all;
  for (auto& [address, idle] : idle_) all.insert(all.end(), idle.begin(), idle.end());
  const size_t count = std::min(most, all.size());
  std::partial_sort(all.begin(), all.begin() + static_cast<ptrdiff_t>(count), all.end(),
                    [](const H1Connection* a, const H1Connection* b) {
                      return a->idle_since() < b->idle_since();
                    });
  for (size_t i = 0; i < count; ++i) all[i]->Cancel();
  return count;
}

void ClientPool::CloseExpired() {
  const TimePoint limit = loop_.now() - options_.keep_alive_timeout;
  std::vector<H1Connection*> expired;
  for (auto& [address, idle] : idle_) {
    for (H1Connection* connection : idle) {
      if (connection->idle_since() <= limit) expired.push_back(connection);
    }
  }
  for (H1Connection* connection : expired) {
    Limit("upstream_keep_alive_timeout");
    connection->Cancel();
  }
  absl::erase_if(idle_, [](const auto& entry) { return entry.second.empty(); });
  if (idle_count_ > 0) sweep_.Start(kSweepInterval);
}

}  // namespace gw
