// The halves of disaggregated requests in a replica: prefill, whose KV blocks another replica
// fetches, and decode, which fetches them.
//
// vLLM (NIXL): prefill answers with where its blocks are and holds them under a lease; decode pulls
// them. SGLang: both halves come at the same time and meet in a room; prefill computes once decode
// has knocked, and pushes.

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "sim/server/generation.h"
#include "sim/server/replica.h"
#include "sim/server/text.h"

namespace gw::sim {
namespace {

// How long a peer that cannot be reached is tried. vLLM 0.32 gave an engine that it had never seen
// up after 17 s. SGLang does after two heartbeats of 5 s.
constexpr Duration kVllmHandshakeTime = std::chrono::seconds(17);
constexpr Duration kSglangHeartbeatTime = std::chrono::seconds(10);
// Beyond them, the lease on the other side gives the blocks back.
constexpr size_t kReleasesMax = 1024;
constexpr size_t kKnownEnginesMax = 4096;

std::string Hex(uint64_t value, int digits) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (int i = digits - 1; i >= 0; --i) out.push_back(kDigits[(value >> (4 * i)) & 15]);
  return out;
}

uint64_t Mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

std::string Quoted(std::string_view text) {
  std::string out = "\"";
  AppendJsonEscaped(&out, text);
  out += '"';
  return out;
}

// vLLM takes parameters that lack a part for none.
bool IsComplete(const NixlParams& p) {
  return !p.engine_id.empty() && !p.request_id.empty() && !p.host.empty() && p.port != 0;
}

}  // namespace

SocketAddress Replica::kv_address() const {
  return exporter_ != nullptr && exporter_->listening() ? exporter_->address() : SocketAddress();
}

// A prefill server listens from the start. Another one of vLLM does when it is first asked to hold
// blocks, and then takes any port if its own is not free: the port is in its answer.
absl::Status Replica::ListenForKv() {
  const bool vllm = options_.runtime == Runtime::kVllm;
  if (exporter_ == nullptr) {
    KvOwner& owner = *this;
    exporter_ = std::make_unique<KvExporter>(loop_, options_, owner, !vllm);
    exporter_->SetStuck(faults_.no_transfer);
  }
  if (exporter_->listening()) return absl::OkStatus();
  ASSIGN_OR_RETURN(
      const SocketAddress address,
      SocketAddress::FromIp(address_.ip(), vllm ? options_.kv_port : options_.bootstrap_port));
  const absl::Status status = exporter_->Listen(address);
  if (status.ok() || options_.role == Role::kPrefill) return status;
  ASSIGN_OR_RETURN(const SocketAddress any, SocketAddress::FromIp(address_.ip(), 0));
  return exporter_->Listen(any);
}

bool Replica::CheckTransfer(const Connection* connection, Refusal* refusal) const {
  if (options_.runtime == Runtime::kVllm || options_.role == Role::kBoth) return true;
  const BootstrapFields& b = request_.bootstrap;
  const size_t rooms = b.rooms.size();
  if (rooms == 0) {
    *refusal = {400, "BadRequestError", "",
                Concat({"Invalid request: Disaggregated request received without bootstrap room "
                        "id. req.rid='",
                        connection->request_id(), "'"})};
  } else if (rooms != request_.sequences() || b.hosts.size() != rooms ||
             (!b.ports.empty() && b.ports.size() != rooms)) {
    *refusal = {400, "BadRequestError", "",
                Concat({"bootstrap_host, bootstrap_port and bootstrap_room: wanted as many entries "
                        "as the request has sequences, ",
                        Digits(request_.sequences()), "; got ", Digits(b.hosts.size()), ", ",
                        Digits(b.ports.size()), " and ", Digits(rooms)})};
  } else {
    return true;
  }
  return false;
}

// From the body that was just read.
void Replica::ReadHalf(Generation* g) {
  if (options_.runtime == Runtime::kSglang) {
    if (options_.role != Role::kBoth) ReadBootstrap(g);
    return;
  }
  const NixlParams& nixl = request_.nixl;
  if (nixl.do_remote_prefill && IsComplete(nixl)) {
    g->half = Half::kDecode;
    g->engine_id = nixl.engine_id;
    g->keys = {Concat({nixl.engine_id, "/", nixl.request_id})};
    // What an engine has told once is kept: its agent is found without a handshake.
    const auto known = known_engines_.find(nixl.engine_id);
    const absl::StatusOr<SocketAddress> address =
        known != known_engines_.end() ? known->second : SocketAddress::FromIp(nixl.host, nixl.port);
    if (address.ok()) g->peers = {*address};
  } else if (nixl.do_remote_decode && ListenForKv().ok()) {
    g->half = Half::kPrefill;
  }
}

void Replica::ReadBootstrap(Generation* g) {
  g->half = options_.role == Role::kPrefill ? Half::kPrefill : Half::kDecode;
  const BootstrapFields& b = request_.bootstrap;
  for (size_t i = 0; i < b.rooms.size(); ++i) {
    g->keys.emplace_back(Digits(b.rooms[i]));
    if (g->half == Half::kPrefill) continue;
    const std::optional<uint16_t> port = b.ports.empty() ? std::nullopt : b.ports[i];
    const absl::StatusOr<SocketAddress> address =
        SocketAddress::FromIp(b.hosts[i], port.value_or(options_.bootstrap_port));
    if (address.ok()) g->peers.push_back(*address);
  }
}

// SGLang's bootstrap queue.
void Replica::AwaitDecode(Generation* g) {
  for (size_t i = 0; i < g->keys.size(); ++i) {
    if (exporter_->Announce(g->keys[i], g->id)) continue;
    const std::string why = Concat({"bootstrap room ", g->keys[i], " is in use"});
    g->keys.resize(i);
    return Fail(g, {400, "BadRequestError", "", why}, Ending::kRefused);
  }
  if (AllWanted(*g)) return Submit(g);
  g->bootstrap_timer =
      std::make_unique<Timer>(loop_, [this, id = g->id] { OnBootstrapTimeout(id); });
  g->bootstrap_timer->Start(options_.bootstrap_timeout);
}

bool Replica::AllWanted(const Generation& g) const {
  return std::all_of(g.keys.begin(), g.keys.end(),
                     [&](const std::string& key) { return exporter_->Wanted(key); });
}

void Replica::OnKvWanted(uint64_t id) {
  Generation* const g = Find(id);
  if (g == nullptr || g->submitted || !AllWanted(*g)) return;
  g->bootstrap_timer.reset();
  Submit(g);
}

// vLLM: the prompt is computed, and its blocks stay where they are.
void Replica::HoldForDecode(Generation* g) {
  std::string blocks;
  for (const BlockId block : engine_->HeldBlocks(g->id)) {
    Append(&blocks, {blocks.empty() ? "" : ",", Digits(block)});
  }
  const std::string engine = EngineId();
  const std::string request =
      Concat({"chatcmpl-", g->answer.id, "-", Hex(Mix(g->id + options_.seed), 8)});
  const SocketAddress address = exporter_->address();
  g->answer.kv_transfer_params =
      Concat({R"({"do_remote_prefill":true,"do_remote_decode":false,"remote_block_ids":[[)", blocks,
              R"(]],"remote_engine_id":")", engine, R"(","remote_request_id":)", Quoted(request),
              R"(,"remote_host":")", address.ip(), R"(","remote_port":)", Digits(address.port()),
              R"(,"tp_size":1,"dcp_size":1,"pp_size":1,"remote_num_tokens":)",
              Digits(g->answer.prompt_tokens),
              R"(,"remote_blocks_expiry_time":null,"transfer_mode":"pull",)"
              R"("remote_prefill_cached_tokens":)",
              Digits(g->answer.cached_tokens), "}"});
  exporter_->Offer(Concat({engine, "/", request}), g->id, TransferTime(*g), options_.kv_lease);
}

// SGLang: the answer waits for the transfer.
void Replica::PushToDecode(Generation* g) {
  g->transfers_left = g->keys.size();
  const Duration transfer = TransferTime(*g);
  for (const std::string& key : g->keys) exporter_->Offer(key, g->id, transfer, {});
}

void Replica::OnKvTaken(uint64_t id) {
  page_stale_ = true;
  Generation* const g = Find(id);
  if (g == nullptr) {
    engine_->ReleaseHeld(id);
    return KickEngine();
  }
  if (--g->transfers_left > 0) return;
  Connection* const connection = g->connection;
  if (!g->stream) {
    SendAnswer(g, g->reason);
    return End(g, Ending::kLength);
  }
  WriteToken(g);
  End(g, Ending::kLength);
  connection->Flush();
}

void Replica::OnKvExpired(uint64_t id) {
  page_stale_ = true;
  ++stats_.kv_expired;
  engine_->ReleaseHeld(id);
  KickEngine();
}

// Decode has its blocks.
void Replica::FetchKv(Generation* g) {
  if (options_.runtime == Runtime::kSglang) {
    g->bootstrap_timer =
        std::make_unique<Timer>(loop_, [this, id = g->id] { OnBootstrapTimeout(id); });
    g->bootstrap_timer->Start(options_.bootstrap_timeout);
  }
  if (faults_.no_transfer) return;
  g->transfers_left = g->keys.size();
  if (g->peers.size() != g->keys.size()) return OnFetched(g->id, KvFetch::Outcome::kRefused);
  const Duration patience = options_.runtime == Runtime::kSglang    ? kSglangHeartbeatTime
                            : known_engines_.contains(g->engine_id) ? Duration{}
                                                                    : kVllmHandshakeTime;
  for (size_t i = 0; i < g->keys.size(); ++i) {
    g->fetches.push_back(std::make_unique<KvFetch>(
        client_, g->peers[i], "/kv", g->keys[i], patience,
        [this, id = g->id](KvFetch::Outcome outcome) { OnFetched(id, outcome); }));
  }
}

void Replica::OnFetched(uint64_t id, KvFetch::Outcome outcome) {
  Generation* const g = Find(id);
  if (outcome == KvFetch::Outcome::kLost) {
    return FailTransfer(g, Concat({"Lost connection with prefill instance (bootstrap_addr: ",
                                   g->peers[0].ToString(), ")"}));
  }
  if (outcome == KvFetch::Outcome::kRefused) {
    return FailTransfer(g, "Failed to get kvcache from prefill instance, it might be dead");
  }
  if (--g->transfers_left > 0) return;
  if (options_.runtime == Runtime::kVllm && known_engines_.size() < kKnownEnginesMax) {
    known_engines_[g->engine_id] = g->peers[0];
  }
  g->bootstrap_timer.reset();
  g->kv_arrived = true;
  engine_->KvArrived(id);
  page_stale_ = true;
  KickEngine();
}

void Replica::OnBootstrapTimeout(uint64_t id) {
  Generation* const g = Find(id);
  const auto tenths =
      std::chrono::duration_cast<std::chrono::milliseconds>(options_.bootstrap_timeout).count() /
      100;
  FailTransfer(g, Concat({"Request ", g->keys[0], " timed out after ", Digits(tenths / 10), ".",
                          Digits(tenths % 10), "s in KVPoll.",
                          g->half == Half::kPrefill ? "Bootstrapping" : "WaitingForInput"}));
}

// In the words of the runtime: vLLM keeps the reason to itself.
void Replica::FailTransfer(Generation* g, std::string_view why) {
  ++stats_.kv_failed;
  Refusal refusal = {500, "InternalServerError", "", "Internal server error"};
  if (options_.runtime == Runtime::kSglang) {
    const std::string_view of = g->half == Half::kPrefill ? "" : "decode_req.";
    refusal.message =
        Concat({g->half == Half::kPrefill ? "Prefill bootstrap" : "Decode transfer",
                " failed for request rank=0 ", of, "req.rid='", g->answer.id, "' ", of,
                "req.bootstrap_room=", g->keys[0],
                " with exception KVTransferError(bootstrap_room=", g->keys[0], "): ", why});
  }
  g->peers.clear();  // nothing is left to be released there
  if (g->stream && !g->connection->stream_begun()) g->connection->BeginStream();
  Fail(g, refusal, Ending::kError);
}

// Whatever ended it, nothing of it stays here. vLLM tells the other side that blocks which are not
// fetched yet are not wanted; SGLang's prefill half is left to itself.
void Replica::EndTransfer(Generation* g) {
  g->bootstrap_timer.reset();
  const bool unfetched =
      g->half == Half::kDecode && g->submitted && !g->kv_arrived && !g->peers.empty();
  if (unfetched && options_.runtime == Runtime::kVllm && releases_.size() < kReleasesMax) {
    releases_[g->id] =
        std::make_unique<KvFetch>(client_, g->peers[0], "/release", g->keys[0], Duration{},
                                  [this, id = g->id](KvFetch::Outcome) { releases_.erase(id); });
  }
  g->fetches.clear();
  if (g->half != Half::kPrefill || g->keys.empty()) return;
  for (const std::string& key : g->keys) exporter_->Withdraw(key, g->id);
  if (engine_->ReleaseHeld(g->id)) KickEngine();
}

// The process is gone, and with it what others were to fetch here.
void Replica::ForgetTransfers() {
  if (exporter_ != nullptr) exporter_->Clear();
  releases_.clear();
  known_engines_.clear();
  ++incarnation_;
}

Duration Replica::TransferTime(const Generation& g) const {
  const Duration time =
      KvTransferTime(options_.spec, g.answer.prompt_tokens, options_.kv_bytes_per_second);
  return Duration(static_cast<int64_t>(static_cast<double>(time.count()) / options_.speed));
}

// A UUID of version 4, another one each time the replica is started again.
std::string Replica::EngineId() const {
  uint64_t hash = options_.seed + incarnation_;
  for (const char c : address_.ToString()) hash = Mix(hash * 131 + static_cast<unsigned char>(c));
  const uint64_t low = Mix(hash + 1);
  return Concat({Hex(hash >> 32, 8), "-", Hex(hash >> 16, 4), "-4", Hex(hash, 3), "-a",
                 Hex(low >> 48, 3), "-", Hex(low, 12)});
}

uint64_t Replica::Bootstrapping() const {
  return static_cast<uint64_t>(std::count_if(slots_.begin(), slots_.end(), [](const auto& g) {
    return g->connection != nullptr && g->half == Half::kPrefill && !g->keys.empty() &&
           !g->submitted;
  }));
}

}  // namespace gw::sim
