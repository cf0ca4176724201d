// No client takes more than its share of a worker.

#include "dataplane/worker_test_util.h"

namespace gw {
namespace {

TEST_F(WorkerTest, WhatAClientSendsAfterItsAnswerIsReadUpToALimit) {
  options_.linger_bytes_max = 100'000;
  options_.linger_timeout = std::chrono::seconds(60);
  options_.request_body_bytes_max = 5;
  Start();
  auto client = Connect("POST /v1/thing HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n123456");
  RunUntil([&] { return client->saw("HTTP/1.1 413 "); });
  client->Write(std::string(200'000, 'x'));
  RunUntil([&] { return Counted("penstock_downstream_connections 0\n"); });
  EXPECT_TRUE(ReachedLimit("linger_bytes"));
}

TEST_F(WorkerTest, AClientThatSendsInsteadOfTakingItsLastAnswerIsReadUpToALimit) {
  options_.linger_bytes_max = 100'000;
  request_timeout_ = milliseconds(300);
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
  RunUntil([&] { return Counted("outcome=\"timed_out\""); });
  client->Write(std::string(1'000'000, 'x'));
  RunUntil([&] { return ReachedLimit("linger_bytes"); });
  EXPECT_TRUE(Counted("penstock_downstream_connections 1\n"));  // it may still take its answer
  client.reset();
  RunUntil([&] { return Counted("penstock_downstream_connections 0\n"); });
}

TEST_F(WorkerTest, ALargeBodyIsReadInManyTurns) {
  options_.reads_per_turn_max = 1;
  Start();
  const std::string body(1'000'000, 'x');
  auto client = Connect("POST /v1/thing HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
  size_t sent = 0;
  const auto send = [&] {
    while (sent < body.size()) {
      const std::string_view part = std::string_view(body).substr(sent, 10'000);
      if (WriteText(*client->stream, part) != IoState::kOk) FAIL() << "no room for 10 KB";
      sent += part.size();
    }
  };
  send();
  RunUntil([&] { return !served_.empty() && served_[0]->saw(body); });
  EXPECT_TRUE(Counted("penstock_limit_reached_total{limit=\"reads_per_turn\"}"));
  served_[0]->Write(kHi);
  RunUntil([&] { return client->saw("hi"); });
}

TEST_F(WorkerTest, TheLongestIdleClientMakesRoomForANewOne) {
  options_.downstream_connections_max = 2;
  Start();
  auto first = Connect(kGet);
  Served(0).Write(kHi);
  RunUntil([&] { return first->saw("hi"); });
  auto second = Connect();
  auto third = Connect(kGet);
  RunUntil([&] { return first->ended(); });
  Served(1).Write(kHi);
  RunUntil([&] { return third->saw("hi"); });
  EXPECT_FALSE(second->ended());
  EXPECT_TRUE(Counted("penstock_limit_reached_total{limit=\"downstream_connections\"}"));
}

TEST_F(WorkerTest, BusyClientsAreNotClosedForNewOnes) {
  options_.downstream_connections_max = 2;
  Start();
  auto busy = Connect(kGet);
  Served(0);
  auto idle = Connect();
  auto third = Connect(kGet);  // takes the place of the idle one
  Served(1);
  auto fourth = Connect(kGet);  // waits
  RunUntil([&] { return idle->ended(); });
  EXPECT_EQ(served_.size(), 2u);
  Served(0).Write(kHi);
  RunUntil([&] { return busy->saw("hi"); });
  Served(2).Write(kHi);
  RunUntil([&] { return fourth->saw("hi"); });
}

TEST_F(WorkerTest, ABodyThatTricklesInIsNotWaitedFor) {
  options_.client_body_timeout = milliseconds(400);
  options_.body_bytes_per_second_min = 1'000'000;
  Start();
  auto client = Connect("POST /v1/thing HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
  RunUntil([&] {
    if (!client->ended()) client->Write("x");  // no pause is ever long
    return client->ended();
  });
  EXPECT_TRUE(client->saw("HTTP/1.1 408 ")) << client->recorder.text;
  EXPECT_TRUE(ReachedLimit("body_bytes_per_second"));
}

constexpr char kMegabyte[] =
    "POST /v1/thing HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n";

TEST_F(WorkerTest, TheNewestBodyGivesWayWhenTooMuchIsHeld) {
  options_.held_bytes_max = 1'200'000;
  Start();
  auto older = Connect(kMegabyte);
  older->Write(std::string(600'000, 'x'));
  RunUntil([&] { return held_->held() > 590'000; });
  auto newer = Connect(kMegabyte);
  newer->Write(std::string(500'000, 'x'));
  RunUntil([&] { return held_->held() > 1'080'000; });
  older->Write(std::string(400'000, 'x'));
  Served(0);
  RunUntil([&] { return newer->ended(); });
  EXPECT_TRUE(newer->saw("HTTP/1.1 503 ")) << newer->recorder.text;
  EXPECT_TRUE(newer->saw("retry-after: 1"));
  EXPECT_TRUE(newer->saw("too_many_bytes_held"));
  EXPECT_TRUE(ReachedLimit("held_bytes"));
  // Small requests need no room.
  auto small = Connect(kGet);
  Served(1).Write(kHi);
  RunUntil([&] { return small->saw("hi"); });
  // Who is the newest gets it at once.
  auto newest = Connect(kMegabyte);
  newest->Write(std::string(400'000, 'x'));
  RunUntil([&] { return newest->saw("HTTP/1.1 503 "); });
  RunUntil([&] { return served_[0]->saw(std::string(1'000'000, 'x')); });
  served_[0]->Write(kHi);
  RunUntil([&] { return older->saw("hi"); });
  RunUntil([&] { return held_->held() == 0; });
}

TEST_F(WorkerTest, WhatIsOnlyAnnouncedIsNotHeld) {
  options_.held_bytes_max = 1'200'000;
  Start();
  std::vector<std::unique_ptr<Peer>> idlers;
  for (int i = 0; i < 5; ++i) idlers.push_back(Connect(kMegabyte));
  auto client = Connect(kMegabyte);
  client->Write(std::string(1'000'000, 'x'));
  Served(0).Write(kHi);
  RunUntil([&] { return client->saw("hi"); });
}

TEST_F(WorkerTest, AnswersThatNobodyTakesAreHeldToo) {
  options_.held_bytes_max = 1;  // whatever a full socket leaves is more
  Start();
  auto slow = Connect();
  slow->stream->set_observer(nullptr);  // reads nothing from here on
  // What it sends ahead takes the bytes that are free, so that what is left of one read counts.
  slow->Write(std::string(kGet) + std::string(HeldBytes::Share::kFreeBytes, 'x'));
  Peer& served = Served(0);
  const std::string block(1 << 20, 'x');
  served.recorder.on_writable = [&] {
    while (WriteText(*served.stream, block) == IoState::kOk) {
    }
  };
  served.Write("HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n");
  served.recorder.on_writable();
  RunUntil([&] { return held_->over(); });
  auto next = Connect(kGet);
  RunUntil([&] { return next->saw("HTTP/1.1 503 "); });
  slow.reset();
  RunUntil([&] { return held_->held() == 0; });
}

}  // namespace
}  // namespace gw
