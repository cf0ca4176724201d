#include "peers/mesh.h"

#include <fmt/format.h>

#include <algorithm>
#include <list>
#include <map>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/random.h"
#include "peers/connection.h"
#include "peers/dialler.h"
#include "peers/index_teller.h"
#include "peers/peer_view.h"
#include "peers/private_streams.h"

namespace gw::peers {
namespace {

// Without anybody to tell, news of the index are thrown away so often.
constexpr Duration kAloneInterval = std::chrono::milliseconds(50);
// A connection over which nothing comes for so long leads nowhere.
constexpr Duration kDeadAfter = std::chrono::seconds(5);
// Of a peer that is gone a row is kept so long.
constexpr Duration kForgetAfter = std::chrono::seconds(60);
// At 5 ms 12 MB a second.
constexpr size_t kIndexBytesPerTick = size_t{64} << 10;
constexpr size_t kPrefixBytesPerTick = size_t{256} << 10;

class MeshImpl final : public Mesh {
 public:
  MeshImpl(EventLoop& loop, const Sources& sources, PeerMetrics& metrics,
           const PeerOptions& options, uint64_t seed)
      : loop_(loop),
        sources_(sources),
        metrics_(metrics),
        options_(options),
        random_(seed),
        greeting_{.id = random_.Next(), .name = options.name},
        tick_(loop, [this] { Tick(); }) {}
  ~MeshImpl() override {
    for (auto& [id, peer] : peers_) {
      if (peer.connection != nullptr) peer.connection->Close("it shuts down");
    }
  }

  absl::Status Start() {
    auto on_stream = [this](std::unique_ptr<Stream> stream) { Add(std::move(stream), nullptr); };
    ASSIGN_OR_RETURN(streams_, PrivateStreams::New(loop_, options_, metrics_, on_stream));
    tick_.Start(options_.gather);
    return absl::OkStatus();
  }

  void SetAddresses(const std::vector<SocketAddress>& addresses) override {
    std::map<std::string, std::unique_ptr<Dialler>> before = std::exchange(dialled_, {});
    for (const SocketAddress& address : addresses) {
      const std::string name = address.ToString();
      std::unique_ptr<Dialler>& dialler = dialled_[name];
      if (dialler != nullptr) continue;
      if (const auto known = before.find(name); known != before.end()) {
        dialler = std::move(known->second);
        continue;
      }
      dialler = std::make_unique<Dialler>(loop_, *streams_, address, random_.Next());
      Dialler* const raw = dialler.get();
      dialler->Start([this, raw] { return IsLinked(raw->peer_id()); },
                     [this, raw](std::unique_ptr<Stream> stream) { Add(std::move(stream), raw); });
    }
    for (const auto& connection : connections_) {
      if (connection->dialler() != nullptr && !IsDialled(connection->dialler())) {
        connection->ForgetDialler();
      }
    }
  }

  void SetEndpoints(std::vector<Outbox::Shared> endpoints) override {
    outbox_.SetEndpoints(std::move(endpoints));
    // What came or went is told at once.
    whole_at_ = loop_.now();
  }

  std::vector<PeerRow> Rows() const override;
  const SocketAddress& local() const override { return streams_->local(); }

 private:
  struct Peer {
    Peer(std::string n, const Sources& sources)
        : name(std::move(n)), view(sources.table, sources.index) {}

    std::string name;
    PeerView view;
    Connection* connection = nullptr;
    std::string address;
    std::string error;  // why the last one ended
    bool needs_whole = true;
    double prefix_bytes = 0;  // that may be sent now
    TimePoint prefix_bytes_at{};
    TimePoint told_at{};
    TimePoint gone_at{};      // without a connection since then
    uint64_t prefixes = 0;    // of the view's, that are counted
    uint64_t sent_bytes = 0;  // over connections before
    uint64_t received_bytes = 0;
    std::unique_ptr<IndexTeller> index_teller;  // it wants our index, and has not all of it
  };

  bool IsLinked(uint64_t id) const {
    const auto peer = peers_.find(id);
    return peer != peers_.end() && peer->second.connection != nullptr;
  }
  bool IsDialled(const Dialler* dialler) const {
    return std::ranges::any_of(dialled_, [&](const auto& e) { return e.second.get() == dialler; });
  }
  void Add(std::unique_ptr<Stream> stream, Dialler* dialler);
  absl::Status OnGreeting(Connection& connection, const Greeting& greeting);
  absl::Status OnMessage(Connection& connection, const Message& message);
  void OnEnd(Connection& connection, const absl::Status& why);
  void Remove(Connection& connection);
  void Attach(Connection& connection, Peer& peer);
  void Tick();
  void TellAll(TimePoint now);
  void Tell(Peer& peer, bool whole, TimePoint now);
  void WriteTopics(TimePoint now, bool whole);
  void TellTopics(Peer& peer);
  void ForgetTopics(uint64_t id, TimePoint now);
  void TellPrefixes(Peer& peer, TimePoint now);
  void TellIndex(Peer& peer);
  void AskForIndex();
  void Expire(TimePoint now);
  std::string AddressOf(uint64_t id, const Peer& peer) const;
  void CountReceived(Connection& connection);

  EventLoop& loop_;
  const Sources sources_;
  PeerMetrics& metrics_;
  const PeerOptions options_;
  Random random_;
  const Greeting greeting_;
  std::unique_ptr<PrivateStreams> streams_;
  std::map<std::string, std::unique_ptr<Dialler>> dialled_;  // by address
  std::list<std::unique_ptr<Connection>> connections_;
  std::map<uint64_t, Peer> peers_;  // by their ids
  Outbox outbox_;
  TimePoint whole_at_{};
  RefusalLog refusals_;
  bool has_index_ = false;
  uint64_t asked_for_index_ = 0;  // the peer
  uint64_t asked_over_ = 0;       // the connection
  uint64_t connections_made_ = 0;
  Timer tick_;
  // Of one tick.
  std::string whole_;
  std::string sums_;
  std::vector<std::string> topics_;  // as Sources has them
  bool has_topics_ = false;
  std::string prefixes_;
};

void MeshImpl::Add(std::unique_ptr<Stream> stream, Dialler* dialler) {
  connections_.push_back(std::make_unique<Connection>(
      loop_, ++connections_made_, std::move(stream), dialler, greeting_,
      Connection::Events{
          [this](Connection& from, const Greeting& greeting) { return OnGreeting(from, greeting); },
          [this](Connection& from, const Message& message) { return OnMessage(from, message); },
          [this](Connection& from, const absl::Status& why) { OnEnd(from, why); }}));
}

// An error ends the connection.
absl::Status MeshImpl::OnGreeting(Connection& connection, const Greeting& greeting) {
  Dialler* const dialler = connection.dialler();
  if (dialler != nullptr) dialler->set_peer_id(greeting.id);
  if (greeting.id == greeting_.id) {
    if (dialler != nullptr) dialler->StopAtSelf();
    return absl::AlreadyExistsError("it is the gateway itself");
  }
  auto known = peers_.find(greeting.id);
  if (known == peers_.end()) {
    if (peers_.size() >= options_.peers_max) {
      metrics_.peers_limit.Add();
      return absl::ResourceExhaustedError(fmt::format("more than {} peers", options_.peers_max));
    }
    known = peers_.try_emplace(greeting.id, greeting.name, sources_).first;
  }
  Peer& peer = known->second;
  if (peer.connection != nullptr) {
    const auto dialler_id = [&](const Connection& of) {
      return of.is_dialled() ? greeting_.id : greeting.id;
    };
    // Of two by the same one the later: the other is known to be over there.
    if (dialler_id(connection) > dialler_id(*peer.connection)) {
      return absl::AlreadyExistsError("there is another connection");
    }
    Connection& other = *std::exchange(peer.connection, nullptr);
    other.Close("there is another connection");
    Remove(other);
  }
  Attach(connection, peer);
  return absl::OkStatus();
}

void MeshImpl::Attach(Connection& connection, Peer& peer) {
  connection.set_peer_id(connection.greeting().id);
  peer.connection = &connection;
  peer.name = connection.greeting().name;
  peer.address = connection.link().peer();
  peer.needs_whole = true;
  peer.view.Greet(loop_.now());
  peer.error.clear();
  Log(LogLevel::kInfo, "Peer linked", {{"peer", peer.name}, {"address", peer.address}});
  metrics_.linked.Add(1);
  tick_.Start(Duration(0));
}

absl::Status MeshImpl::OnMessage(Connection& connection, const Message& message) {
  Peer& peer = peers_.at(connection.peer_id());
  if (message.kind == Kind::kBye) {
    return absl::UnavailableError(fmt::format("the peer said: {}", message.payload));
  }
  if (message.kind == Kind::kWantIndex) {
    peer.index_teller = std::make_unique<IndexTeller>(sources_.index);
    return absl::OkStatus();
  }
  if (static_cast<uint8_t>(message.kind) >= kOptionalKinds) {
    peer.view.Greet(loop_.now());
    for (const CountedTopic& each : sources_.topics) {
      if (each.topic.kind() != message.kind) continue;
      return each.topic.Take(connection.peer_id(), message.payload, loop_.now());
    }
    return absl::OkStatus();
  }
  const absl::Status status = peer.view.Take(message, loop_.now());
  metrics_.prefixes.Add(peer.view.prefixes() - peer.prefixes);
  peer.prefixes = peer.view.prefixes();
  return status;
}

void MeshImpl::OnEnd(Connection& connection, const absl::Status& why) {
  if (absl::IsInvalidArgument(why)) metrics_.refused_message.Add();
  if (absl::IsFailedPrecondition(why)) metrics_.refused_version.Add();
  const bool is_own_business = absl::IsAlreadyExists(why);
  const auto peer = peers_.find(connection.peer_id());
  if (peer != peers_.end() && peer->second.connection == &connection) {
    peer->second.connection = nullptr;
    peer->second.error = std::string(why.message());
    // It is gone, or says all anew over the next connection.
    peer->second.view.Withdraw(loop_.now());
    ForgetTopics(peer->first, loop_.now());
    Log(LogLevel::kWarning, "Peer lost",
        {{"peer", peer->second.name},
         {"address", peer->second.address},
         {"error", std::string(why.message())}});
  } else if (!is_own_business && refusals_.MayTell(loop_.now())) {
    Log(LogLevel::kWarning, "Peer refused",
        {{"address", connection.link().peer()}, {"error", std::string(why.message())}});
  }
  if (Dialler* const dialler = connection.dialler(); dialler != nullptr) {
    dialler->OnEnded(is_own_business ? "" : std::string(why.message()));
  }
  Remove(connection);
}

void MeshImpl::Remove(Connection& connection) {
  if (const auto found = peers_.find(connection.peer_id()); found != peers_.end()) {
    Peer& peer = found->second;
    metrics_.linked.Add(-1);
    peer.sent_bytes += connection.link().sent_bytes();
    peer.received_bytes += connection.link().received_bytes();
    peer.gone_at = loop_.now();
    // Over a connection that has taken its place it asks anew.
    if (peer.connection == nullptr) peer.index_teller = nullptr;
  }
  CountReceived(connection);
  const auto place =
      std::ranges::find(connections_, &connection, [](const auto& each) { return each.get(); });
  CHECK(place != connections_.end());
  loop_.FreeLater(std::move(*place));
  connections_.erase(place);
}

void MeshImpl::CountReceived(Connection& connection) {
  metrics_.received.Add(connection.TakeReceivedBytes());
}

void MeshImpl::Tick() {
  const TimePoint now = loop_.now();
  const bool alone = std::ranges::none_of(
      peers_, [](const auto& each) { return each.second.connection != nullptr; });
  tick_.Start(alone ? kAloneInterval : options_.gather);
  prefixes_.clear();
  Outbox::TakePrefixes(sources_.news, kPrefixBytesPerTick, &prefixes_);
  if (!alone) TellAll(now);
  if (!alone && !has_index_) AskForIndex();
  Expire(now);
}

void MeshImpl::TellAll(TimePoint now) {
  sums_.clear();
  whole_.clear();
  const bool whole = now >= whole_at_;
  if (whole) whole_at_ = now + kWholeInterval;
  outbox_.TakeSums(now, &sums_);
  const bool is_new = std::ranges::any_of(peers_, [](const auto& each) {
    return each.second.connection != nullptr && each.second.needs_whole;
  });
  WriteTopics(now, whole || is_new);
  for (auto& [id, peer] : peers_) {
    if (peer.connection != nullptr) Tell(peer, whole, now);
  }
}

void MeshImpl::Tell(Peer& peer, bool whole, TimePoint now) {
  if (whole || peer.needs_whole) {
    if (whole_.empty()) outbox_.Whole(&whole_);
    peer.needs_whole = true;
  }
  const std::string& sums = peer.needs_whole ? whole_ : sums_;
  std::string alive;
  if (sums.empty() && prefixes_.empty() && !has_topics_ && peer.index_teller == nullptr) {
    if (now - peer.told_at < kAliveInterval) return;
    MessageWriter(&alive).Alive();
  }
  const std::string& first = alive.empty() ? sums : alive;
  peer.told_at = now;
  if (peer.connection->link().Send(first)) {
    peer.needs_whole = false;
    metrics_.sent_sums.Add(first.size());
  } else {
    peer.needs_whole = true;
    metrics_.dropped_sums.Add();
    metrics_.waiting_limit.Add();
  }
  if (has_topics_) TellTopics(peer);
  if (!prefixes_.empty()) TellPrefixes(peer, now);
  if (peer.index_teller != nullptr) TellIndex(peer);
}

void MeshImpl::WriteTopics(TimePoint now, bool whole) {
  topics_.resize(sources_.topics.size());
  has_topics_ = false;
  for (size_t i = 0; i < topics_.size(); ++i) {
    topics_[i].clear();
    MessageWriter writer(&topics_[i]);
    sources_.topics[i].topic.Tell(now, whole, &writer);
    writer.End();
    has_topics_ = has_topics_ || !topics_[i].empty();
  }
}

void MeshImpl::TellTopics(Peer& peer) {
  for (size_t i = 0; i < topics_.size(); ++i) {
    if (topics_[i].empty()) continue;
    const CountedTopic& topic = sources_.topics[i];
    if (peer.connection->link().Send(topics_[i], Link::kTopicsWaitingMax)) {
      topic.sent.Add(topics_[i].size());
      continue;
    }
    topic.dropped.Add();
    metrics_.waiting_limit.Add();
    peer.needs_whole = true;
  }
}

void MeshImpl::ForgetTopics(uint64_t id, TimePoint now) {
  for (const CountedTopic& each : sources_.topics) each.topic.Forget(id, now);
}

// As fast as the peer takes it: it stands in line behind what is new.
void MeshImpl::TellIndex(Peer& peer) {
  Link& link = peer.connection->link();
  if (link.waiting_bytes() > 0) return;
  std::string part;
  if (peer.index_teller->Next(kIndexBytesPerTick, &part)) peer.index_teller = nullptr;
  metrics_.sent_index.Add(part.size());
  link.Send(part);
}

// One that is new begins with what the first peer that it meets has; if that goes away meanwhile,
// with what the next one has.
void MeshImpl::AskForIndex() {
  const auto asked = peers_.find(asked_for_index_);
  if (asked != peers_.end() && asked->second.view.has_told_index()) {
    has_index_ = true;
    return;
  }
  // Another connection to it knows nothing of the question.
  const bool answers = asked != peers_.end() && asked->second.connection != nullptr &&
                       asked->second.connection->number() == asked_over_;
  if (answers) return;
  for (auto& [id, peer] : peers_) {
    if (peer.connection == nullptr || peer.view.endpoints() == 0) continue;
    std::string bytes;
    MessageWriter(&bytes).WantIndex();
    if (!peer.connection->link().Send(bytes)) continue;
    asked_for_index_ = id;
    asked_over_ = peer.connection->number();
    return;
  }
}

void MeshImpl::TellPrefixes(Peer& peer, TimePoint now) {
  const auto per_second = static_cast<double>(options_.prefix_bytes_per_second_max);
  peer.prefix_bytes =
      std::min(per_second, peer.prefix_bytes + per_second * ToSeconds(now - peer.prefix_bytes_at));
  peer.prefix_bytes_at = now;
  const auto size = static_cast<double>(prefixes_.size());
  if (size > peer.prefix_bytes) {
    metrics_.prefixes_limit.Add();
    metrics_.dropped_prefixes.Add();
    return;
  }
  if (!peer.connection->link().Send(prefixes_, Link::kPrefixesWaitingMax)) {
    metrics_.waiting_limit.Add();
    metrics_.dropped_prefixes.Add();
    return;
  }
  peer.prefix_bytes -= size;
  metrics_.sent_prefixes.Add(prefixes_.size());
}

void MeshImpl::Expire(TimePoint now) {
  double silent = 0;
  int heard = 0;
  TimePoint oldest_word = now;
  for (auto it = peers_.begin(); it != peers_.end();) {
    Peer& peer = it->second;
    if (peer.view.Expire(now)) {
      metrics_.expired.Add();
      ForgetTopics(it->first, now);
      Log(LogLevel::kWarning, "Peer silent: its requests are no longer counted",
          {{"peer", peer.name}, {"address", peer.address}});
    }
    if (peer.view.silent()) {
      ++silent;
    } else if (peer.connection != nullptr) {
      ++heard;
      oldest_word = std::min(oldest_word, peer.view.heard());
    }
    if (peer.connection != nullptr) CountReceived(*peer.connection);
    if (peer.connection != nullptr && now - peer.view.heard() > kDeadAfter &&
        now - peer.connection->began() > kDeadAfter) {
      Connection& dead = *peer.connection;
      dead.Close("nothing has come for a while");
      OnEnd(dead, absl::DeadlineExceededError("nothing has come for a while"));
    }
    const bool forget = peer.connection == nullptr && now - peer.gone_at > kForgetAfter;
    it = forget ? peers_.erase(it) : std::next(it);
  }
  metrics_.silent.Set(silent);
  if (sources_.heard != nullptr) sources_.heard->Store(heard, oldest_word);
}

// A connection that the peer has made is from a port that means nothing.
std::string MeshImpl::AddressOf(uint64_t id, const Peer& peer) const {
  const auto found = std::ranges::find_if(
      dialled_, [id](const auto& each) { return each.second->peer_id() == id; });
  return found == dialled_.end() ? peer.address : found->first;
}

std::vector<PeerRow> MeshImpl::Rows() const {
  std::vector<PeerRow> rows;
  for (const auto& [id, peer] : peers_) {
    PeerRow& row = rows.emplace_back();
    row.name = peer.name;
    row.address = AddressOf(id, peer);
    row.state = peer.connection == nullptr ? "unreachable"
                : peer.view.silent()       ? "silent"
                                           : "linked";
    row.error = peer.error;
    row.heard_ago = loop_.now() - peer.view.heard();
    row.sums = peer.view.Total();
    row.endpoints = peer.view.endpoints();
    row.prefixes = peer.view.prefixes();
    row.sent_bytes = peer.sent_bytes;
    row.received_bytes = peer.received_bytes;
    if (peer.connection == nullptr) continue;
    row.sent_bytes += peer.connection->link().sent_bytes();
    row.received_bytes += peer.connection->link().received_bytes();
  }
  for (const auto& [address, dialler] : dialled_) {
    if (dialler->at_self() || peers_.contains(dialler->peer_id())) continue;
    PeerRow& row = rows.emplace_back();
    row.address = address;
    row.state = "unreachable";
    row.error = dialler->error();
  }
  return rows;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Mesh>> Mesh::New(EventLoop& loop, const Sources& sources,
                                                PeerMetrics& metrics, const PeerOptions& options,
                                                uint64_t seed) {
  auto mesh = std::make_unique<MeshImpl>(loop, sources, metrics, options, seed);
  if (const absl::Status status = mesh->Start(); !status.ok()) return status;
  return mesh;
}

}  // namespace gw::peers
