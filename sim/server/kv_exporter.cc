#include "sim/server/kv_exporter.h"

#include <utility>

#include "base/check.h"
#include "sim/server/text.h"

namespace gw::sim {
namespace {

constexpr std::string_view kText = "text/plain; charset=utf-8";
// Of decode halves that wait; a fleet of them has no more requests in flight.
constexpr size_t kConnectionsMax = 65536;
constexpr size_t kKeyBytesMax = 4096;

}  // namespace

struct KvExporter::Export {
  uint64_t owner = 0;  // 0: somebody waits for a key that nobody has announced
  bool computed = false;
  Duration transfer{};
  Connection* fetch = nullptr;
  std::unique_ptr<Timer> transfer_timer;
  std::unique_ptr<Timer> lease_timer;
};

KvExporter::KvExporter(EventLoop& loop, const SimOptions& options, KvOwner& owner, bool pushes)
    : loop_(loop), options_(options), owner_(owner), pushes_(pushes) {}

KvExporter::~KvExporter() = default;

absl::Status KvExporter::Listen(const SocketAddress& address) {
  ASSIGN_OR_RETURN(listener_, Listener::New(loop_, address, {}, [this](auto stream) {
                     if (connections_.size() >= kConnectionsMax) return;
                     const uint64_t serial = next_serial_++;
                     ConnectionOwner& self = *this;
                     connections_[serial] = std::make_unique<Connection>(loop_, self, options_,
                                                                         serial, std::move(stream));
                   }));
  return absl::OkStatus();
}

bool KvExporter::Announce(std::string_view key, uint64_t owner) {
  std::unique_ptr<Export>& e = exports_[std::string(key)];
  if (e == nullptr) e = std::make_unique<Export>();
  if (e->owner != 0) return false;
  e->owner = owner;
  return true;
}

bool KvExporter::Wanted(std::string_view key) const {
  const auto found = exports_.find(std::string(key));
  return found != exports_.end() && found->second->fetch != nullptr;
}

void KvExporter::Offer(std::string_view key, uint64_t owner, Duration transfer, Duration lease) {
  const std::string name(key);
  std::unique_ptr<Export>& e = exports_[name];
  if (e == nullptr) e = std::make_unique<Export>();
  CHECK(e->owner == 0 || e->owner == owner);
  e->owner = owner;
  e->computed = true;
  e->transfer = transfer;
  if (lease > Duration{}) {
    e->lease_timer = std::make_unique<Timer>(loop_, [this, name] { OnLeaseEnd(name); });
    e->lease_timer->Start(lease);
  }
  BeginTransfer(name, e.get());
}

void KvExporter::Withdraw(std::string_view key, uint64_t owner) {
  const auto found = exports_.find(std::string(key));
  if (found == exports_.end() || found->second->owner != owner) return;
  Connection* const fetch = found->second->fetch;
  if (fetch == nullptr) {
    exports_.erase(found);
    return;
  }
  found->second = std::make_unique<Export>();
  found->second->fetch = fetch;
}

void KvExporter::SetStuck(bool stuck) {
  stuck_ = stuck;
  if (stuck || pushes_) return;
  for (const auto& [key, e] : exports_) {
    if (e->computed && e->transfer_timer == nullptr) BeginTransfer(key, e.get());
  }
}

void KvExporter::Clear() {
  listener_.reset();
  exports_.clear();
  fetched_by_.clear();
  while (!connections_.empty()) {
    connections_.begin()->second->Close(Connection::Manner::kReset);
  }
}

void KvExporter::OnRequest(Connection* connection, const http::RequestHead& head,
                           std::string* body) {
  if (body->size() > kKeyBytesMax) return connection->Respond(404, kText, "no such key");
  if (head.target == "/kv") return Fetch(connection, *body);
  if (head.target == "/release") return Release(connection, *body);
  connection->Respond(404, kText, "wanted POST /kv or /release with a key");
}

void KvExporter::OnClosed(Connection* connection) {
  const auto fetched = fetched_by_.find(connection->serial());
  if (fetched != fetched_by_.end()) {
    const auto found = exports_.find(fetched->second);
    fetched_by_.erase(fetched);
    if (found != exports_.end() && found->second->fetch == connection) {
      found->second->fetch = nullptr;
      if (!pushes_) found->second->transfer_timer.reset();
      if (found->second->owner == 0) exports_.erase(found);
    }
  }
  const auto entry = connections_.find(connection->serial());
  loop_.FreeLater(std::move(entry->second));
  connections_.erase(entry);
}

void KvExporter::Fetch(Connection* connection, const std::string& key) {
  auto found = exports_.find(key);
  if (found == exports_.end()) {
    if (!pushes_) return connection->Respond(404, kText, "no such key");
    found = exports_.emplace(key, std::make_unique<Export>()).first;
  }
  Export* const e = found->second.get();
  if (e->fetch != nullptr) return connection->Respond(409, kText, "somebody else fetches it");
  e->fetch = connection;
  fetched_by_[connection->serial()] = key;
  if (e->computed) {
    if (!pushes_) BeginTransfer(key, e);
    return;
  }
  if (e->owner != 0) owner_.OnKvWanted(e->owner);
}

void KvExporter::Release(Connection* connection, const std::string& key) {
  const auto found = exports_.find(key);
  if (found == exports_.end() || found->second->owner == 0) {
    return connection->Respond(404, kText, "no such key");
  }
  const uint64_t owner = found->second->owner;
  if (Connection* const fetch = found->second->fetch) fetch->Close(Connection::Manner::kOrderly);
  exports_.erase(found);
  connection->Respond(200, kText, "released");
  owner_.OnKvTaken(owner);
}

void KvExporter::BeginTransfer(const std::string& key, Export* e) {
  if (!pushes_ && (e->fetch == nullptr || stuck_)) return;
  e->transfer_timer = std::make_unique<Timer>(loop_, [this, key] { OnTransferred(key); });
  e->transfer_timer->Start(e->transfer);
}

void KvExporter::OnTransferred(const std::string& key) {
  const auto found = exports_.find(key);
  // Lives on until the end of this call: the key is part of its timer.
  const std::unique_ptr<Export> e = std::move(found->second);
  if (e->fetch != nullptr && stuck_) {
    found->second = std::make_unique<Export>();
    found->second->fetch = e->fetch;
  } else {
    exports_.erase(found);
    if (e->fetch != nullptr) {
      fetched_by_.erase(e->fetch->serial());
      e->fetch->Respond(200, kText, "done");
    }
  }
  if (e->owner != 0) owner_.OnKvTaken(e->owner);
}

// A transfer that is under way goes on, as in vLLM, where it may then read somebody else's blocks.
void KvExporter::OnLeaseEnd(const std::string& key) {
  const auto found = exports_.find(std::string(key));
  const uint64_t owner = std::exchange(found->second->owner, 0);
  if (found->second->fetch == nullptr) {
    const std::unique_ptr<Export> e = std::move(found->second);
    exports_.erase(found);
    return owner_.OnKvExpired(owner);
  }
  owner_.OnKvExpired(owner);
}

}  // namespace gw::sim
