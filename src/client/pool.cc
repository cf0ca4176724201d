#include "client/pool.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "client/h1_connection.h"

namespace gw {
namespace {

constexpr Duration kSweepInterval = std::chrono::milliseconds(500);
constexpr Duration kTroubleInterval = std::chrono::seconds(10);

}  // namespace

void LogEndpointTrouble(const ClientTrouble& trouble) {
  Log(LogLevel::kWarning,
      trouble.kind == ClientTrouble::Kind::kHandshake
          ? "No TLS handshake with an endpoint"
          : "No connection to an endpoint, for want of something of the gateway's own",
      {{"endpoint", trouble.address},
       {"error", trouble.error},
       {"times", static_cast<int64_t>(trouble.times)}});
}

ClientPool::ClientPool(EventLoop& loop, const ClientOptions& options, Hooks hooks,
                       TlsHandshakes* handshakes)
    : loop_(loop),
      options_(options),
      hooks_(std::move(hooks)),
      own_handshakes_(handshakes == nullptr ? TlsHandshakes::New(loop) : nullptr),
      handshakes_(handshakes == nullptr ? *own_handshakes_ : *handshakes),
      sweep_(loop, [this] { CloseExpired(); }) {}

ClientPool::~ClientPool() = default;

H1Connection* ClientPool::TakeIdle(const ClientTarget& target, Reuse reuse) {
  if (reuse == Reuse::kNone) return nullptr;
  auto it = idle_.find(target.address);
  if (it == idle_.end()) return nullptr;
  // Those of another ClientTls, if there are any, are of before a change, and leave with their
  // time.
  for (size_t left = it->second.size(); left > 0; --left) {
    H1Connection* connection = it->second[left - 1];
    if (connection->tls() != target.tls.get()) continue;
    const bool trusted = reuse == Reuse::kTrusted &&
                         loop_.now() - connection->idle_since() < options_.trusted_idle_time;
    if (!trusted && !connection->IsOpenAndQuiet()) {
      connection->Cancel();  // which takes it out of the list
      continue;
    }
    it->second.erase(it->second.begin() + static_cast<ptrdiff_t>(left - 1));
    --idle_count_;
    return connection;
  }
  return nullptr;
}

ClientCall* ClientPool::Send(const ClientTarget& target, const ClientRequest& request, Reuse reuse,
                             ResponseHandler* handler) {
  H1Connection* connection = TakeIdle(target, reuse);
  if (connection == nullptr) {
    auto owned = std::make_unique<H1Connection>(*this, target.address, target.tls);
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

void ClientPool::Tell(ClientTrouble::Kind kind, const std::string& address,
                      const std::string& error) {
  Untold& untold = kind == ClientTrouble::Kind::kHandshake ? untold_handshakes_ : untold_own_;
  ++untold.times;
  const TimePoint now = loop_.now();
  if (untold.told_at != TimePoint() && now - untold.told_at < kTroubleInterval) return;
  untold.told_at = now;
  hooks_.on_trouble({kind, address, error, std::exchange(untold.times, 0)});
}

void ClientPool::TellHandshake(const std::string& address, const TlsHandshake::Result& result) {
  hooks_.on_handshake(result);
  if (result.stream == nullptr) {
    Tell(ClientTrouble::Kind::kHandshake, address, result.error.message);
  }
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
