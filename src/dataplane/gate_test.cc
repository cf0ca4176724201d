// Requests that wait for a gate whose answer comes from another thread.

#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/random.h"
#include "dataplane/worker_test_util.h"

namespace gw {
namespace {

constexpr char kAsk[] =
    "POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 14\r\n\r\n{\"prompt\":\"a\"}";

// Answers what it is asked on a thread of its own.
class ThreadedGate final : public Gate {
 public:
  ~ThreadedGate() override {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
  }
  void AnswerAll(GateAnswer answer) {
    thread_ = std::thread([this, answer = std::move(answer)] {
      std::unique_lock lock(mutex_);
      while (!stopping_) {
        while (!tickets_.empty()) {
          const Ticket ticket = tickets_.back();
          tickets_.pop_back();
          lock.unlock();
          ticket.door.Answer(ticket.id, answer);
          lock.lock();
        }
        changed_.wait(lock, [this] { return stopping_ || !tickets_.empty(); });
      }
    });
  }
  std::optional<GateAnswer> Ask(const Question&, const Ticket& ticket) override {
    std::lock_guard lock(mutex_);
    tickets_.push_back(ticket);
    asked_.fetch_add(1);
    changed_.notify_all();
    return std::nullopt;
  }
  void Forget(WaitingRoom::Id) override { forgotten_.fetch_add(1); }
  int asked() const { return asked_.load(); }
  int forgotten() const { return forgotten_.load(); }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Ticket> tickets_;
  bool stopping_ = false;
  std::atomic<int> asked_{0};
  std::atomic<int> forgotten_{0};
  std::thread thread_;
};

class GatedWorkerTest : public WorkerTest {
 protected:
  GatedWorkerTest() { gate_ = &gate; }
  void TearDown() override { worker_.reset(); }  // the gate outlives it
  ThreadedGate gate;
};

TEST_F(GatedWorkerTest, ARequestIsForwardedWhenItsAnswerHasCome) {
  Start();
  auto client = Connect(kAsk);
  RunUntil([&] { return gate.asked() == 1; });
  EXPECT_EQ(state_->in_flight_requests.load(), 0);
  EXPECT_TRUE(served_.empty());
  gate.AnswerAll({});
  Served(0).Write(kHi);
  RunUntil([&] { return client->saw("hi"); });
  EXPECT_EQ(gate.forgotten(), 0);
}

TEST_F(GatedWorkerTest, ARefusalIsAnswered) {
  gate.AnswerAll({.rejection = Rejection::kSaturated});
  Start();
  auto client = Connect(kAsk);
  RunUntil([&] { return client->saw("HTTP/1.1 429 "); });
  client->Write(kAsk);  // the connection goes on
  RunUntil([&] { return gate.asked() == 2; });
  EXPECT_TRUE(served_.empty());
}

TEST_F(GatedWorkerTest, AClientThatLeavesIsForgotten) {
  Start();
  auto client = Connect(kAsk);
  RunUntil([&] { return gate.asked() == 1; });
  client.reset();
  RunUntil([&] { return gate.forgotten() == 1; });
  gate.AnswerAll({});
  auto next = Connect(kAsk);
  Served(0).Write(kHi);
  RunUntil([&] { return next->saw("hi"); });
  EXPECT_EQ(served_.size(), 1u);
}

TEST_F(GatedWorkerTest, TheRoutesTimeRunsWhileARequestWaits) {
  request_timeout_ = milliseconds(30);
  Start();
  auto client = Connect(kAsk);
  RunUntil([&] { return client->saw("HTTP/1.1 504 ") && gate.forgotten() == 1; });
  EXPECT_TRUE(ReachedLimit("route_request_timeout"));
}

TEST_F(GatedWorkerTest, AStreamIsKeptAliveWhileItsRequestWaits) {
  stream_keepalive_ = milliseconds(5);
  Start();
  auto client = Connect(
      "POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 28\r\n\r\n"
      "{\"prompt\":\"a\",\"stream\":true}");
  RunUntil([&] { return client->saw(": keep-alive\n\n\r\ne\r\n: keep-alive\n\n"); });
  EXPECT_TRUE(client->saw("HTTP/1.1 200 OK\r\n"));
  gate.AnswerAll({.rejection = Rejection::kSaturated});
  RunUntil([&] { return client->ended(); });
  EXPECT_TRUE(client->saw("event: error") || client->saw("\"error\""));
  EXPECT_FALSE(client->recorder.text.ends_with("0\r\n\r\n")) << "it is not complete";
}

TEST_F(GatedWorkerTest, AWorkerThatStopsAnswersThoseThatWait) {
  Start();
  auto client = Connect(kAsk);
  RunUntil([&] { return gate.asked() == 1; });
  worker_.reset();
  RunUntil([&] { return client->saw("HTTP/1.1 503 ") && client->ended(); });
  EXPECT_EQ(gate.forgotten(), 1);
  gate.AnswerAll({});  // to nobody
}

TEST_F(GatedWorkerTest, ManyClientsComeAndLeaveWhileAnswersAreUnderWay) {
  gate.AnswerAll({.rejection = Rejection::kSaturated});
  Start();
  Random random(1);
  int answered = 0;
  for (int i = 0; i < 200; ++i) {
    auto client = Connect(kAsk);
    if (random.Below(2) == 0) continue;
    RunUntil([&] { return client->saw("HTTP/1.1 429 "); });
    ++answered;
  }
  EXPECT_GT(answered, 0);
  RunUntil([&] { return gate.asked() >= answered; });
}

}  // namespace
}  // namespace gw
