// What a request needs goes from one client's connection to another's.

#include "base/random.h"
#include "dataplane/worker_test_util.h"

namespace gw {
namespace {

class SpareRequestsTest : public WorkerTest {
 protected:
  // Answers each request with its own target, after the round in which it came.
  void AnswerAll() {
    for (size_t i = 0; i < served_.size(); ++i) {
      if (answered_.size() <= i) answered_.push_back(0);
      const std::string& text = served_[i]->recorder.text;
      for (;;) {
        const size_t end = text.find("\r\n\r\n", answered_[i]);
        if (end == std::string::npos) break;
        const size_t target = text.find("GET ", answered_[i]) + 4;
        const std::string body = text.substr(target, text.find(' ', target) - target);
        served_[i]->Write("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) +
                          "\r\n\r\n" + body);
        answered_[i] = end + 4;
      }
    }
  }

  static std::string TargetOf(size_t client, int request) {
    return "/v1/" + std::to_string(client) + "/" + std::to_string(request) + ";";
  }

  // As many answers as requests, each client's its own and in order.
  static void ExpectOwnAnswers(const Peer& peer, size_t client, int requests) {
    const std::string& text = peer.recorder.text;
    size_t at = 0;
    for (int request = 0; request < requests; ++request) {
      at = text.find(TargetOf(client, request), at);
      ASSERT_NE(at, std::string::npos) << "client " << client << ", request " << request;
    }
    int answers = 0;
    for (at = text.find("HTTP/1.1 "); at != std::string::npos; at = text.find("HTTP/1.1 ", at + 1))
      ++answers;
    EXPECT_EQ(answers, requests);
  }

  std::vector<size_t> answered_;
};

TEST_F(SpareRequestsTest, ClientsOneAfterTheOtherNeedOne) {
  options_.exchange.spare_requests_max = 1;
  Start();
  std::vector<std::unique_ptr<Peer>> clients;
  for (size_t i = 0; i < 3; ++i) {
    clients.push_back(Connect(kGet));
    Served(i).Write(kHi);
    RunUntil([&] { return clients[i]->saw("hi"); });
  }
  EXPECT_TRUE(Counted("penstock_limit_reached_total{limit=\"spare_requests\"} 0\n"));
}

TEST_F(SpareRequestsTest, OfManyAtOnceThoseBeyondTheLimitAreFreed) {
  options_.exchange.spare_requests_max = 1;
  Start();
  auto one = Connect(kGet);
  Served(0);
  auto other = Connect(kGet);
  Served(1);
  for (const auto& served : served_) served->Write(kHi);
  RunUntil([&] { return one->saw("hi") && other->saw("hi") && ReachedLimit("spare_requests"); });
}

// Heads cut anywhere, requests sent ahead, clients that leave in the middle of one.
TEST_F(SpareRequestsTest, NoClientMeetsAnythingOfAnother) {
  options_.exchange.spare_requests_max = 2;
  Start();
  Random random(7);
  constexpr size_t kClients = 6;
  constexpr int kRequests = 12;
  std::vector<std::unique_ptr<Peer>> clients;
  std::vector<std::string> to_send(kClients);
  for (size_t i = 0; i < kClients; ++i) {
    clients.push_back(Connect());
    for (int request = 0; request < kRequests; ++request) {
      to_send[i] += "GET " + TargetOf(i, request) + " HTTP/1.1\r\nHost: a\r\n\r\n";
    }
  }
  for (size_t left = kClients; left > 0;) {
    const size_t i = random.Below(kClients);
    if (to_send[i].empty()) continue;
    const size_t bytes = std::min<size_t>(1 + random.Below(120), to_send[i].size());
    clients[i]->Write(std::string_view(to_send[i]).substr(0, bytes));
    to_send[i].erase(0, bytes);
    left -= to_send[i].empty();
    if (random.Below(8) == 0) Connect("GET /v1/gone HTTP/1.1\r\nHo");
    for (size_t rounds = random.Below(4); rounds > 0; --rounds) {
      loop_->RunOnce(milliseconds(1));
      AnswerAll();
    }
  }
  for (size_t i = 0; i < kClients; ++i) {
    RunUntil([&] {
      AnswerAll();
      return clients[i]->saw(TargetOf(i, kRequests - 1));
    });
    ExpectOwnAnswers(*clients[i], i, kRequests);
  }
}

}  // namespace
}  // namespace gw
