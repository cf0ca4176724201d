// A worker with short timeouts and small limits, between clients and endpoints that stop half-way.
// What it does when all goes well is test/integration's.

#include <algorithm>

#include "dataplane/worker_test_util.h"

namespace gw {
namespace {

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
  EXPECT_TRUE(client->saw("HTTP/1.1 408 ")) << client->recorder.text;
  EXPECT_TRUE(ReachedLimit("client_body_timeout"));
  EXPECT_TRUE(served_.empty());
}

TEST_F(WorkerTest, IdleClientsAreClosed) {
  options_.keep_alive_timeout = milliseconds(200);
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
  EXPECT_TRUE(ReachedLimit("upstream_keep_alive_timeout"));
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
  EXPECT_TRUE(ReachedLimit("linger_timeout"));
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
  EXPECT_TRUE(ReachedLimit("model_list_timeout"));
}

TEST_F(WorkerTest, AModelListThatIsTooLongIsLeftOut) {
  options_.model_list_bytes_max = 10;
  Start();
  auto client = Connect("GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n");
  Served(0).Write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (int i = 0; i < 3; ++i) served_[0]->Write("9\r\n{\"data\":[\r\n");
  served_[0]->Write("0\r\n\r\n");
  RunUntil([&] { return client->saw("\r\n\r\n{"); });
  EXPECT_TRUE(client->saw("HTTP/1.1 503 "));
  EXPECT_TRUE(ReachedLimit("model_list_bytes"));
}

TEST_F(WorkerTest, AClientThatTakesNothingOfItsLastAnswerIsLetGo) {
  options_.client_write_timeout = milliseconds(400);
  // The shorter one, and long enough for a request to come behind its connection on a busy machine.
  options_.keep_alive_timeout = milliseconds(200);
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
  // Long enough that the sockets are full by then, also under a sanitizer.
  request_timeout_ = milliseconds(300);
  options_.client_write_timeout = milliseconds(500);
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
  Start();
  auto fresh = Connect();
  auto used = Connect(kGet);
  Served(0).Write(kHi);
  RunUntil([&] { return used->saw("hi"); });
  std::atomic<bool> drained{false};
  worker_->Drain([&] { drained = true; });
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

TEST_F(WorkerTest, ClientsInTheBacklogAreServedBeforeADrain) {
  options_.downstream_connections_max = 1;
  Start();
  auto busy = Connect(kGet);
  Served(0);
  auto queued = Connect(kGet);  // not accepted: the limit is reached
  std::atomic<bool> drained{false};
  worker_->Drain([&] { drained = true; });
  Served(1).Write(kHi);
  RunUntil([&] { return queued->ended(); });
  EXPECT_TRUE(queued->saw("connection: close"));
  Served(0).Write(kHi);
  RunUntil([&] { return busy->ended() && drained.load(); });
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

TEST_F(WorkerTest, StoppingAnswersWhatIsInFlight) {
  Start();
  auto waiting = Connect(kGet);
  auto refused = Connect(kChat);
  Served(0);
  RunUntil([&] { return refused->saw("HTTP/1.1 400 "); });
  worker_.reset();
  RunUntil([&] { return waiting->ended() && served_[0]->ended(); });
  EXPECT_TRUE(waiting->saw("HTTP/1.1 503 ")) << waiting->recorder.text;
  EXPECT_EQ(state_->in_flight_requests.load(), 0);
}

TEST_F(WorkerTest, TrailersPassBothWaysButNoneThatLies) {
  Start();
  auto client = Connect(
      "POST /v1/thing HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      "2\r\nhi\r\n0\r\nx-sum: 7\r\nX-Forwarded-For: 10.0.0.1\r\nauthorization: no\r\n\r\n");
  Peer& server = Served(0);
  RunUntil([&] { return server.saw("x-sum: 7\r\n\r\n"); });
  EXPECT_TRUE(server.saw("transfer-encoding: chunked\r\n"));
  EXPECT_FALSE(server.saw("content-length"));
  EXPECT_TRUE(server.recorder.text.ends_with("\r\n\r\n2\r\nhi\r\n0\r\nx-sum: 7\r\n\r\n"));
  server.Write(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nyes\r\n0\r\n"
      "x-done: 1\r\nSet-Cookie: a=b\r\n\r\n");
  RunUntil([&] { return client->saw("0\r\nx-done: 1\r\n\r\n"); });
  EXPECT_FALSE(client->saw("a=b"));
  // The connection goes on, without them.
  client->recorder.text.clear();
  client->Write(kGet);
  RunUntil([&] { return server.saw("GET /v1/thing") || served_.size() > 1; });
  Served(served_.size() - 1).Write(kHi);
  RunUntil([&] { return client->saw("hi"); });
  EXPECT_FALSE(client->saw("x-done"));
}

}  // namespace
}  // namespace gw
