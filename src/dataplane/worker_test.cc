// A worker with short timeouts and small limits, between clients and endpoints that stop half-way.
// What it does when all goes well is test/integration's.

#include "dataplane/worker.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>

#include "net/net_test_util.h"

namespace gw {
namespace {

using std::chrono::milliseconds;

constexpr char kGet[] = "GET /v1/thing HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr char kHi[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi";
constexpr char kChat[] =
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
    endpoint_listener_ = Listen([this](std::unique_ptr<Stream> stream) {
      served_.push_back(std::make_unique<Peer>(std::move(stream)));
      served_.back()->Read();
    });
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
    entry->profile = entry->load_profile = std::make_shared<const Profile>(
        "first", std::vector<std::unique_ptr<Filter>>{}, std::vector<WeightedScorer>{},
        std::make_unique<FirstPicker>());
    auto rule = std::make_shared<RouteRule>();
    rule->destinations.push_back({Destination::Kind::kPool, 0, 1});
    rule->total_weight = 1;
    rule->request_timeout = request_timeout_;
    RouteTable::Entry route;
    route.hostname = "*";
    route.match.path = "/v1";
    route.rule = rule;
    auto snapshot = std::make_shared<Snapshot>();
    snapshot->generation = 1;
    snapshot->pools.push_back(entry);
    snapshot->listeners.push_back({port_, {"default/gw/http"}, RouteTable::Build({route}, {"*"})});
    state_ = endpoint.state;
    snapshots_.Publish(snapshot);
    auto worker = ProxyWorker::Start(
        {snapshots_, index_, metrics_, options_, ip_, /*log_requests=*/false}, 1);
    ASSERT_TRUE(worker.ok()) << worker.status();
    worker_ = *std::move(worker);
    std::atomic<bool> listening{false};
    worker_->ApplySnapshot([&](const ProxyWorker::ListenErrors& errors) {
      EXPECT_TRUE(errors.empty()) << errors.begin()->second;
      listening = true;
    });
    RunUntil([&] { return listening.load(); });
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
  std::optional<Duration> request_timeout_;
  std::unique_ptr<Listener> endpoint_listener_;
  std::vector<std::unique_ptr<Peer>> served_;
  EndpointTable endpoints_;
  std::shared_ptr<EndpointState> state_;
  SnapshotStore snapshots_;
  PrefixIndex index_{PrefixIndex::Options{}};
  MetricRegistry metrics_;
  std::string ip_;
  uint16_t port_ = 0;
  std::unique_ptr<ProxyWorker> worker_;
};

TEST_F(WorkerTest, AHeadThatIsNotFinishedIsNotWaitedFor) {
  options_.client_header_timeout = milliseconds(20);
  Start();
  auto client = Connect("GET /v1/thing HT");
  RunUntil([&] { return client->ended(); });
  EXPECT_EQ(client->recorder.text, "");
  EXPECT_TRUE(ReachedLimit("client_header_timeout"));
}

TEST_F(WorkerTest, ABodyThatStopsComingIsNotWaitedFor) {
  options_.client_body_timeout = milliseconds(20);
  Start();
  auto client = Connect("POST /v1/thing HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf");
  RunUntil([&] { return client->ended(); });
  EXPECT_TRUE(ReachedLimit("client_body_timeout"));
  EXPECT_TRUE(served_.empty());
}

TEST_F(WorkerTest, IdleClientsAreClosed) {
  options_.keep_alive_timeout = milliseconds(20);
  Start();
  auto fresh = Connect();
  auto used = Connect(kGet);
  Served(0).Write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
  RunUntil([&] { return fresh->ended() && used->ended(); });
  EXPECT_TRUE(used->saw("\r\n\r\nhi"));
}

TEST_F(WorkerTest, ConnectionsToEndpointsAreClosedBeforeTheyDo) {
  options_.upstream_keep_alive_timeout = milliseconds(20);
  Start();
  auto client = Connect(kGet);
  Peer& served = Served(0);
  served.Write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
  RunUntil([&] { return served.ended(); });
  EXPECT_FALSE(client->ended());
}

TEST_F(WorkerTest, AnEndpointThatNeverAnswersIsATimeout) {
  options_.response_headers_timeout = milliseconds(20);
  Start();
  for (std::string_view head : {"", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"}) {
    const size_t before = served_.size();
    auto client = Connect(kGet);
    Peer& served = Served(before);
    served.Write(head);
    RunUntil([&] { return client->saw("\r\n\r\n{") && served.ended(); });
    EXPECT_TRUE(client->saw("HTTP/1.1 504 ")) << client->recorder.text;
    EXPECT_FALSE(client->saw("chunked"));
    // It waits in a queue, for all we know: not tried again, nobody ejected.
    EXPECT_EQ(served_.size(), before + 1);
    EXPECT_EQ(state_->consecutive_failures.load(), 0u);
  }
}

TEST_F(WorkerTest, AStreamThatStallsIsBrokenOff) {
  options_.stream_idle_timeout = milliseconds(20);
  Start();
  auto client = Connect(kGet);
  Peer& served = Served(0);
  served.Write(
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
      "9\r\ndata: 1\n\n\r\n");
  RunUntil([&] { return client->ended() && served.ended(); });
  EXPECT_TRUE(client->saw("data: 1\n\n"));
  EXPECT_TRUE(client->saw("data: {\"error\"")) << client->recorder.text;
  EXPECT_FALSE(client->recorder.text.ends_with("0\r\n\r\n"));
}

TEST_F(WorkerTest, AClientThatTakesNothingIsLetGo) {
  options_.client_write_timeout = milliseconds(50);
  Start();
  auto client = Connect();
  client->stream->set_observer(nullptr);  // reads nothing from here on
  client->Write(kGet);
  Peer& served = Served(0);
  const std::string block(1 << 20, 'x');
  served.recorder.on_writable = [&] {
    while (WriteText(*served.stream, block) == IoState::kOk) {
    }
  };
  served.Write("HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n");
  served.recorder.on_writable();
  RunUntil([&] { return served.ended(); });
  EXPECT_TRUE(ReachedLimit("client_write_timeout"));
  RunUntil([&] { return Counted("outcome=\"client_left\""); });
}

TEST_F(WorkerTest, AClientThatKeepsSendingAfterARefusalIsLetGo) {
  options_.linger_timeout = milliseconds(20);
  options_.request_body_bytes_max = 5;
  Start();
  auto client = Connect("POST /v1/thing HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n123456");
  RunUntil([&] { return client->ended(); });
  EXPECT_TRUE(client->saw("HTTP/1.1 413 "));
  // Its own side stays open; the gateway does not wait for it.
  RunUntil([&] { return Counted("penstock_downstream_connections 0\n"); });
}

TEST_F(WorkerTest, ConnectionsOverTheLimitWaitTheirTurn) {
  options_.downstream_connections_max = 2;
  Start();
  auto first = Connect(kGet);
  auto second = Connect(kGet);
  Served(1);
  EXPECT_TRUE(ReachedLimit("downstream_connections"));
  auto third = Connect(kGet);
  EXPECT_EQ(served_.size(), 2u);
  first.reset();
  Served(2).Write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
  RunUntil([&] { return third->saw("hi"); });
}

TEST_F(WorkerTest, NoMoreConnectionsRestThanTheLimit) {
  options_.idle_upstream_connections_max = 2;
  Start();
  std::vector<std::unique_ptr<Peer>> clients;
  for (size_t i = 0; i < 5; ++i) {
    clients.push_back(Connect(kGet));
    Served(i);
  }
  for (auto& served : served_) served->Write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
  for (auto& client : clients) RunUntil([&] { return client->saw("hi"); });
  const auto ended = [&] {
    return std::count_if(served_.begin(), served_.end(), [](auto& peer) { return peer->ended(); });
  };
  RunUntil([&] { return ended() == 3; });
  // The two that rest are used again.
  clients[0]->recorder.text.clear();
  clients[0]->Write(kGet);
  const auto asked_again = [&] {
    return std::find_if(served_.begin(), served_.end(),
                        [](auto& peer) { return peer->recorder.text.rfind("GET") != 0; });
  };
  RunUntil([&] { return asked_again() != served_.end(); });
  (*asked_again())->Write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nyo");
  RunUntil([&] { return clients[0]->saw("yo"); });
  EXPECT_EQ(served_.size(), 5u);
}

TEST_F(WorkerTest, AModelListThatNobodyTellsIsNotWaitedFor) {
  options_.model_list_timeout = milliseconds(20);
  Start();
  auto client = Connect("GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n");
  Served(0);
  RunUntil([&] { return client->saw("\r\n\r\n{"); });
  EXPECT_TRUE(client->saw("HTTP/1.1 503 "));
  EXPECT_TRUE(served_[0]->ended());
}

TEST_F(WorkerTest, AClientThatTakesNothingOfItsLastAnswerIsLetGo) {
  options_.client_write_timeout = milliseconds(50);
  options_.keep_alive_timeout = milliseconds(1);
  Start();
  auto client = Connect(kGet);
  client->stream->set_observer(nullptr);  // reads nothing from here on
  Peer& served = Served(0);
  // Each answer is passed on in one piece, so that the one which the sockets do not take any more
  // has ended when the client stalls.
  const std::string answer =
      "HTTP/1.1 200 OK\r\nContent-Length: 8192\r\n\r\n" + std::string(8192, 'x');
  served.recorder.then = [&] {
    if (served.ended()) return;
    served.recorder.text.clear();
    client->Write(kGet);
    served.Write(answer);
  };
  served.recorder.then();
  RunUntil([&] { return ReachedLimit("client_write_timeout"); });
  RunUntil([&] { return Counted("penstock_downstream_connections 0\n"); });
  EXPECT_FALSE(Counted("outcome=\"client_left\""));
}

TEST_F(WorkerTest, AClientThatTakesNothingWhileItIsClosedIsLetGo) {
  options_.client_write_timeout = milliseconds(200);
  request_timeout_ = milliseconds(20);
  Start();
  auto client = Connect();
  client->stream->set_observer(nullptr);
  client->Write(kGet);
  Peer& served = Served(0);
  const std::string block(1 << 20, 'x');
  served.recorder.on_writable = [&] {
    while (WriteText(*served.stream, block) == IoState::kOk) {
    }
  };
  served.Write("HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n");
  served.recorder.on_writable();
  RunUntil([&] { return Counted("outcome=\"timed_out\""); });
  RunUntil([&] { return Counted("penstock_downstream_connections 0\n"); });
  EXPECT_TRUE(ReachedLimit("client_write_timeout"));
}

TEST_F(WorkerTest, IdleClientsAreLetGo) {
  options_.keep_alive_timeout = milliseconds(20);
  Start();
  auto client = Connect();
  RunUntil([&] { return client->ended(); });
  EXPECT_TRUE(ReachedLimit("keep_alive_timeout"));
}

TEST_F(WorkerTest, RequestsThatComeWhileDrainingAreAnswered) {
  options_.drain_idle_grace = std::chrono::seconds(60);
  options_.downstream_connections_max = 2;
  Start();
  auto fresh = Connect();
  auto used = Connect(kGet);
  auto queued = Connect(kGet);  // not accepted: the limit is reached
  Served(0).Write(kHi);
  RunUntil([&] { return used->saw("hi"); });
  std::atomic<bool> drained{false};
  worker_->Drain([&] { drained = true; });
  Served(1).Write(kHi);  // of the queued one
  RunUntil([&] { return queued->ended(); });
  EXPECT_TRUE(queued->saw("connection: close"));
  for (Peer* client : {fresh.get(), used.get()}) {
    EXPECT_FALSE(drained || client->ended());
    const size_t before = served_.size();
    client->Write(kGet);
    Served(before).Write(kHi);
    RunUntil([&] { return client->ended(); });
    EXPECT_TRUE(client->saw("connection: close\r\n\r\nhi")) << client->recorder.text;
  }
  RunUntil([&] { return drained.load(); });
}

TEST_F(WorkerTest, ClientsOfARemovedListenerAreStillServed) {
  options_.drain_idle_grace = std::chrono::seconds(60);
  Start();
  auto before = Connect();
  snapshots_.Publish(std::make_shared<Snapshot>());
  // Known to the worker, not acted upon.
  before->Write(kGet);
  Served(0).Write(kHi);
  RunUntil([&] { return before->saw("hi"); });
  auto after = Connect();
  std::atomic<bool> applied{false};
  worker_->ApplySnapshot([&](const ProxyWorker::ListenErrors&) { applied = true; });
  RunUntil([&] { return applied.load(); });
  after->Write(kGet);
  Served(1).Write(kHi);
  RunUntil([&] { return after->ended(); });
  EXPECT_TRUE(after->saw("connection: close\r\n\r\nhi")) << after->recorder.text;
}

TEST_F(WorkerTest, DrainingEndsWithTheLastRequest) {
  options_.drain_idle_grace = milliseconds(20);
  Start();
  auto idle = Connect();
  auto busy = Connect(kGet);
  Peer& served = Served(0);
  std::atomic<bool> drained{false};
  worker_->Drain([&] { drained = true; });
  RunUntil([&] { return idle->ended(); });
  EXPECT_TRUE(ReachedLimit("drain_idle_grace"));
  EXPECT_FALSE(drained);
  served.Write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
  RunUntil([&] { return drained && busy->ended(); });
  EXPECT_TRUE(busy->saw("connection: close"));
}

TEST_F(WorkerTest, StoppingBreaksOffWhatIsInFlight) {
  Start();
  auto waiting = Connect(kGet);
  auto refused = Connect(kChat);
  Served(0);
  RunUntil([&] { return refused->saw("HTTP/1.1 400 "); });
  worker_.reset();
  RunUntil([&] { return waiting->ended() && served_[0]->ended(); });
  EXPECT_EQ(state_->in_flight_requests.load(), 0);
}

}  // namespace
}  // namespace gw
