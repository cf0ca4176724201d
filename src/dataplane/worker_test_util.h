// What the tests of the worker share: a worker with short timeouts and small limits, between
// clients and endpoints that stop half-way.

#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/worker.h"
#include "exchange/test_snapshot.h"
#include "net/tls_test_util.h"

namespace gw {

using std::chrono::milliseconds;

inline constexpr char kGet[] = "GET /v1/thing HTTP/1.1\r\nHost: a\r\n\r\n";
inline constexpr char kHi[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi";
inline constexpr char kChat[] =
    "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n{\"model\":7}";

class FirstPicker final : public Picker {
 public:
  std::string_view name() const override { return "first"; }
  size_t Pick(std::span<const float>, Random&) const override { return 0; }
};

// One end of a connection, on the test's loop.
struct Peer {
  std::unique_ptr<Stream> stream;
  Recorder recorder;

  explicit Peer(std::unique_ptr<Stream> s) : stream(std::move(s)) {}
  void Read() { recorder.Attach(stream.get()); }
  void Write(std::string_view text) { WriteText(*stream, text); }
  bool ended() const {
    return recorder.state == IoState::kEnd || recorder.state == IoState::kError;
  }
  bool saw(std::string_view text) const { return recorder.text.find(text) != std::string::npos; }
};

class WorkerTest : public LoopTest {
 protected:
  void SetUp() override {
    endpoint_listener_ =
        Listen([this](std::unique_ptr<Stream> stream) { AcceptAsEndpoint(std::move(stream)); });
    if (std::getenv("PENSTOCK_TLS_ENDPOINTS") != nullptr) ServeEndpointOverTls();
  }

  // All tests run once more over TLS (unit/dataplane_tls).
  void ServeEndpointOverTls() {
    endpoint_tls_ = ServerTlsForTest();
    access_.tls = ClientTlsForTest();
  }
  void AcceptAsEndpoint(std::unique_ptr<Stream> stream) {
    if (endpoint_tls_ == nullptr) return ServeAsEndpoint(std::move(stream));
    const auto place = shaking_.insert(shaking_.end(), nullptr);
    *place =
        endpoint_handshakes_->Accept(std::move(stream), endpoint_tls_, std::chrono::seconds(20),
                                     [this, place](TlsHandshake::Result result) {
                                       shaking_.erase(place);
                                       if (result.stream != nullptr)
                                         ServeAsEndpoint(std::move(result.stream));
                                     });
  }
  void ServeAsEndpoint(std::unique_ptr<Stream> stream) {
    served_.push_back(std::make_unique<Peer>(std::move(stream)));
    served_.back()->Read();
  }

  // A route "/v1" to one endpoint, on a port that was free a moment ago at an address of our own.
  void Start() {
    const int id = getpid();
    ip_ = "127.100." + std::to_string(id / 250 % 250) + "." + std::to_string(1 + id % 250);
    port_ =
        (*Listener::New(*loop_, *SocketAddress::FromIp(ip_, 0), {}, [](auto) {}))->local().port();
    auto entry = std::make_shared<PoolEntry>();
    entry->pool.id = "default/pool";
    Endpoint endpoint;
    endpoint.name = "pod";
    endpoint.address = endpoint_listener_->local().ToString();
    endpoint.state = endpoints_.Get(endpoint.address);
    entry->pool.endpoints.push_back(endpoint);
    if (access_ != EndpointAccess()) {
      entry->pool.access = std::make_shared<const EndpointAccess>(access_);
    }
    entry->profile = entry->load_profile = std::make_shared<const Profile>(
        "first", std::vector<std::unique_ptr<Filter>>{}, std::vector<WeightedScorer>{},
        std::make_unique<FirstPicker>());
    const std::shared_ptr<RouteRule> rule = RuleToThePool();
    rule->request_timeout = request_timeout_;
    rule->stream_keepalive = stream_keepalive_;
    state_ = endpoint.state;
    snapshot_ = SnapshotOf(entry, {port_, ip_}, rule);
    Publish();
    auto worker = ProxyWorker::Start({.snapshots = snapshots_,
                                      .index = index_,
                                      .metrics = metrics_,
                                      .options = options_,
                                      .held = held_.emplace(options_.held_bytes_max),
                                      .log_share = kLogNone,
                                      .gate = gate_},
                                     1);
    ASSERT_TRUE(worker.ok()) << worker.status();
    worker_ = *std::move(worker);
    std::atomic<bool> listening{false};
    worker_->ApplySnapshot([&](const ProxyWorker::ListenErrors& errors) {
      EXPECT_TRUE(errors.empty()) << errors.begin()->second;
      listening = true;
    });
    RunUntil([&] { return listening.load(); });
  }

  // The Snapshot, with the listener's TLS as it is now.
  void Publish() {
    auto snapshot = std::make_shared<Snapshot>(*snapshot_);
    snapshot->listeners[0].tls = tls_;
    snapshots_.Publish(std::move(snapshot));
  }

  std::unique_ptr<Peer> Connect(std::string_view text = "") {
    std::unique_ptr<Stream> stream;
    auto connector = Connector::New(*loop_, *SocketAddress::FromIp(ip_, port_),
                                    std::chrono::seconds(20), [&](auto connected) {
                                      ASSERT_TRUE(connected.ok()) << connected.status();
                                      stream = *std::move(connected);
                                    });
    RunUntil([&] { return stream != nullptr; });
    auto peer = std::make_unique<Peer>(std::move(stream));
    peer->Read();
    peer->Write(text);
    return peer;
  }

  // The endpoint's side of the i-th connection, once a whole head has come over it.
  Peer& Served(size_t i) {
    RunUntil([&] { return served_.size() > i && served_[i]->saw("\r\n\r\n"); });
    return *served_[i];
  }

  bool Counted(std::string_view sample) const {
    return metrics_.Render().find(sample) != std::string::npos;
  }
  bool ReachedLimit(const std::string& name) const {
    return Counted("penstock_limit_reached_total{limit=\"" + name + "\"} 1\n");
  }

  DataplaneOptions options_;
  std::optional<HeldBytes> held_;
  std::optional<Duration> request_timeout_;
  std::optional<Duration> stream_keepalive_;
  Gate* gate_ = nullptr;
  EndpointAccess access_;
  std::shared_ptr<const ServerTls> endpoint_tls_;  // nullptr: plain
  const std::unique_ptr<TlsHandshakes> endpoint_handshakes_ = TlsHandshakes::New(*loop_);
  std::list<std::unique_ptr<TlsHandshake>> shaking_;
  std::unique_ptr<Listener> endpoint_listener_;
  std::vector<std::unique_ptr<Peer>> served_;
  EndpointTable endpoints_;
  std::shared_ptr<EndpointState> state_;
  SnapshotStore snapshots_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::shared_ptr<const ServerTls> tls_;  // nullptr: plain
  PrefixIndex index_{PrefixIndex::Options{}};
  MetricRegistry metrics_;
  std::string ip_;
  uint16_t port_ = 0;
  std::unique_ptr<ProxyWorker> worker_;
};

}  // namespace gw
