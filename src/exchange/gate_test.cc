// Requests that wait for somebody else's say.

#include "exchange/gate.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <thread>

#include "base/check.h"
#include "exchange/exchange.h"
#include "exchange/test_snapshot.h"
#include "http/h1_parser.h"
#include "pool/health.h"
#include "scheduling/registry.h"

namespace gw {
namespace {

constexpr uint16_t kPort = 8080;
constexpr char kPool[] = "default/qwen";

// Keeps what it was asked, or answers at once.
class FakeGate final : public Gate {
 public:
  std::optional<GateAnswer> Ask(const Question& question, const Ticket& ticket) override {
    ++asked;
    pool = question.pool.pool.id;
    criticality = question.criticality;
    model = question.request.target_model;
    if (at_once) return at_once;
    tickets.push_back(ticket);
    return std::nullopt;
  }
  void Forget(WaitingRoom::Id id) override { forgotten.push_back(id); }

  std::optional<GateAnswer> at_once;
  int asked = 0;
  std::string pool, model;
  Criticality criticality{};
  std::vector<Ticket> tickets;
  std::vector<WaitingRoom::Id> forgotten;
};

class GateTest : public testing::Test, public Waiter {
 protected:
  GateTest() {
    environment_.gate = &gate_;
    environment_.room = &room_;
    Publish({"127.0.0.11:8000", "127.0.0.12:8000"});
  }

  // A route "/v1" to one pool of these.
  void Publish(const std::vector<std::string>& addresses, std::string id = kPool,
               size_t block_chars = 64) {
    auto entry = std::make_shared<PoolEntry>();
    entry->pool.id = std::move(id);
    for (const std::string& address : addresses) {
      Endpoint endpoint;
      endpoint.name = endpoint.address = address;
      endpoint.state = table_.Get(address);
      entry->pool.endpoints.push_back(endpoint);
    }
    entry->profile = ProfileFor(RoutingStrategy::kPrefixCache);
    entry->load_profile = LoadProfile();
    entry->uses_prefix = true;
    entry->prefix.block_chars = block_chars;
    const std::shared_ptr<RouteRule> rule = RuleToThePool();
    rule->request_timeout = std::chrono::seconds(7);
    snapshot_ = SnapshotOf(entry, {kPort}, rule);
  }

  Step Body() {
    text_ = "POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n";
    parser_.Reset();
    CHECK(parser_.Next(text_).event == http::H1Event::kHead);
    CHECK(exchange_.OnRequestHead(parser_.head()).kind == Step::Kind::kReadBody);
    body_ = R"({"model":"m","prompt":")" + std::string(200, 'a') + R"("})";
    body_.reserve(body_.size() + InferenceParser::kPadding);
    return exchange_.OnRequestBody(body_, clock_.Now());
  }
  Step Send() {
    exchange_.Begin(snapshot_, {kPort}, "127.0.0.1", clock_.Now());
    return Body();
  }
  // What the room was told to run on the worker's thread.
  void RunPosted() {
    std::deque<std::function<void()>> tasks;
    {
      std::lock_guard lock(mutex_);
      tasks.swap(posted_);
    }
    for (const auto& task : tasks) task();
  }
  void Answer(GateAnswer answer) {
    const Gate::Ticket ticket = gate_.tickets.back();
    ticket.door.Answer(ticket.id, std::move(answer));
    RunPosted();
  }
  void OnGateAnswer(GateAnswer answer) override {
    ++heard_;
    step_ = exchange_.OnGateAnswer(snapshot_, std::move(answer), clock_.Now());
  }
  void OnEvicted(int) override { FAIL() << "no queue has it"; }
  void Eject(const std::string& address) {
    const std::shared_ptr<EndpointState> state = table_.Get(address);
    for (int i = 0; i < 20 && !IsEjected(*state); ++i) {
      RecordFailure(*state, clock_.Now(), EndpointFailure::kNoAnswer);
    }
    CHECK(IsEjected(*state));
  }
  void Complete() { exchange_.End(Outcome::kComplete, 200, clock_.Now()); }
  int64_t InFlight() {
    int64_t sum = 0;
    for (const Endpoint& endpoint : snapshot_->pools[0]->pool.endpoints) {
      sum += endpoint.state->in_flight_requests + endpoint.state->pending_prompt_tokens;
    }
    return sum;
  }

  ManualClock clock_;
  PrefixIndex index_{PrefixIndex::Options{}};
  MetricRegistry registry_;
  std::mutex mutex_;
  std::deque<std::function<void()>> posted_;
  WaitingRoom room_{[this](auto task) {
    std::lock_guard lock(mutex_);
    posted_.push_back(std::move(task));
  }};
  FakeGate gate_;
  ExchangeEnvironment environment_{clock_, 1, index_, registry_};
  EndpointTable table_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::string text_, body_;
  http::RequestParser parser_;
  Exchange exchange_{environment_, this};
  int heard_ = 0;
  Step step_;
};

TEST_F(GateTest, AnAnswerAtOnceLetsTheRequestGoOn) {
  gate_.at_once = GateAnswer{};
  EXPECT_EQ(Send().kind, Step::Kind::kForward);
  EXPECT_EQ(gate_.pool, kPool);
  EXPECT_EQ(gate_.model, "m");
  EXPECT_EQ(room_.size(), 0u);
  Complete();
  EXPECT_TRUE(gate_.forgotten.empty());
}

TEST_F(GateTest, ARefusalEndsItWithItsText) {
  gate_.at_once = GateAnswer{.rejection = Rejection::kSaturated, .detail = "the queue is full"};
  const Step step = Send();
  EXPECT_EQ(step.kind, Step::Kind::kRespond);
  EXPECT_EQ(step.rejection, Rejection::kSaturated);
  EXPECT_NE(exchange_.RejectionBody(step.rejection).find("the queue is full"), std::string::npos);
  exchange_.End(Outcome::kRejected, 429, clock_.Now());
  EXPECT_EQ(InFlight(), 0);
}

TEST_F(GateTest, AWaitingRequestHoldsNoSnapshotAndGoesToTheNewestEndpoints) {
  const std::weak_ptr<const Snapshot> old = snapshot_;
  const std::weak_ptr<const PoolEntry> old_pool = snapshot_->pools[0];
  ASSERT_EQ(Send().kind, Step::Kind::kWait);
  EXPECT_TRUE(exchange_.waits());
  EXPECT_EQ(InFlight(), 0);
  Publish({"127.0.0.21:8000"});
  EXPECT_TRUE(old.expired());
  EXPECT_TRUE(old_pool.expired());
  ASSERT_NE(exchange_.rule(), nullptr);
  EXPECT_EQ(exchange_.rule()->request_timeout, std::chrono::seconds(7));
  Answer({});
  EXPECT_EQ(heard_, 1);
  ASSERT_EQ(step_.kind, Step::Kind::kForward);
  EXPECT_EQ(exchange_.endpoint().address, "127.0.0.21:8000");
  EXPECT_EQ(exchange_.rule()->request_timeout, std::chrono::seconds(7));
  EXPECT_GT(InFlight(), 0);
  Complete();
  EXPECT_EQ(InFlight(), 0);
  EXPECT_TRUE(gate_.forgotten.empty());
}

TEST_F(GateTest, APoolThatIsGoneByThenRefusesAndIsNamed) {
  ASSERT_EQ(Send().kind, Step::Kind::kWait);
  Publish({"127.0.0.21:8000"}, "default/other");
  Answer({});
  EXPECT_EQ(step_.kind, Step::Kind::kRespond);
  EXPECT_EQ(InfoOf(step_.rejection).status, 503);
  EXPECT_NE(exchange_.RejectionBody(step_.rejection).find(kPool), std::string::npos);
  exchange_.End(Outcome::kRejected, 503, clock_.Now());
}

TEST_F(GateTest, BlocksOfAnotherSizeAreForgotten) {
  ASSERT_EQ(Send().kind, Step::Kind::kWait);
  ASSERT_EQ(exchange_.request().prefix_blocks.size(), 3u);
  Publish({"127.0.0.11:8000"}, kPool, 32);
  Answer({});
  EXPECT_EQ(step_.kind, Step::Kind::kForward);
  EXPECT_TRUE(exchange_.request().prefix_blocks.empty());
  Complete();
}

TEST_F(GateTest, ARequestThatEndsWhileItWaitsIsForgottenAndHearsNothing) {
  ASSERT_EQ(Send().kind, Step::Kind::kWait);
  const Gate::Ticket first = gate_.tickets.back();
  first.door.Answer(first.id, {});  // under way when the client leaves
  exchange_.End(Outcome::kClientLeft, 0, clock_.Now());
  EXPECT_EQ(gate_.forgotten, std::vector<WaitingRoom::Id>{first.id});
  ASSERT_EQ(Send().kind, Step::Kind::kWait);  // the next of the connection
  EXPECT_NE(gate_.tickets.back().id, first.id);
  RunPosted();
  first.door.Answer(first.id, {});
  RunPosted();
  EXPECT_EQ(heard_, 0);
  Answer({});
  EXPECT_EQ(heard_, 1);
  Complete();
  EXPECT_EQ(InFlight(), 0);
}

TEST_F(GateTest, TriesGoThroughTheAnswersEndpointsInTheirOrder) {
  gate_.at_once = GateAnswer{.endpoints = {"127.0.0.99:1", "127.0.0.12:8000", "127.0.0.11:8000"}};
  ASSERT_EQ(Send().kind, Step::Kind::kForward);
  EXPECT_EQ(exchange_.endpoint().address, "127.0.0.12:8000");
  ASSERT_EQ(exchange_.OnTryFailed(TryFailure::kConnectRefused, false, clock_.Now()).kind,
            Step::Kind::kForward);
  EXPECT_EQ(exchange_.endpoint().address, "127.0.0.11:8000");
  Complete();
  gate_.at_once->endpoints = {"127.0.0.99:1"};
  EXPECT_EQ(Send().rejection, Rejection::kNoEndpoint);
  exchange_.End(Outcome::kRejected, 503, clock_.Now());
  EXPECT_EQ(InFlight(), 0);
}

TEST_F(GateTest, OfTheAnswersEndpointsTheEjectedOnesComeLast) {
  std::vector<std::string> addresses;
  for (int i = 1; i <= 7; ++i) addresses.push_back("127.0.0.1" + std::to_string(i) + ":8000");
  Publish(addresses);
  // So many that those which are ejected are candidates again, beside the one in use.
  gate_.at_once = GateAnswer{.endpoints = {addresses.begin(), addresses.begin() + 6}};
  for (int i = 0; i < 5; ++i) Eject(addresses[i]);
  ASSERT_EQ(Send().kind, Step::Kind::kForward);
  EXPECT_EQ(exchange_.endpoint().address, addresses[5]);
  ASSERT_EQ(exchange_.OnTryFailed(TryFailure::kReset, false, clock_.Now()).kind,
            Step::Kind::kForward);
  EXPECT_EQ(exchange_.endpoint().address, addresses[0]);
  Complete();
  EXPECT_EQ(InFlight(), 0);
}

TEST_F(GateTest, WhereAllOfTheAnswersEndpointsAreEjectedTheyAreTriedInTheirOrder) {
  Publish({"127.0.0.11:8000", "127.0.0.12:8000", "127.0.0.13:8000"});
  gate_.at_once = GateAnswer{.endpoints = {"127.0.0.13:8000", "127.0.0.12:8000"}};
  Eject("127.0.0.12:8000");
  Eject("127.0.0.13:8000");
  ASSERT_EQ(Send().kind, Step::Kind::kForward);
  EXPECT_EQ(exchange_.endpoint().address, "127.0.0.13:8000");
  ASSERT_EQ(exchange_.OnTryFailed(TryFailure::kReset, false, clock_.Now()).kind,
            Step::Kind::kForward);
  EXPECT_EQ(exchange_.endpoint().address, "127.0.0.12:8000");
  EXPECT_EQ(exchange_.OnTryFailed(TryFailure::kReset, false, clock_.Now()).kind,
            Step::Kind::kRespond)
      << "the third is well, and not the answer's";
  exchange_.End(Outcome::kRejected, 502, clock_.Now());
  EXPECT_EQ(InFlight(), 0);
}

TEST_F(GateTest, AStaleConnectionIsTriedAgainWhereTheAnswerNamesNoOther) {
  gate_.at_once = GateAnswer{.endpoints = {"127.0.0.12:8000"}};
  ASSERT_EQ(Send().kind, Step::Kind::kForward);
  ASSERT_EQ(exchange_.OnTryFailed(TryFailure::kStaleConnection, true, clock_.Now()).kind,
            Step::Kind::kForward);
  EXPECT_EQ(exchange_.endpoint().address, "127.0.0.12:8000");
  Complete();
  EXPECT_EQ(InFlight(), 0);
}

TEST_F(GateTest, ARequestCanBeginAtAPoolWithoutAListener) {
  gate_.at_once = GateAnswer{};
  exchange_.BeginAtPool(snapshot_, kPool, "127.0.0.1", clock_.Now());
  EXPECT_EQ(Body().kind, Step::Kind::kForward);
  EXPECT_EQ(exchange_.rule(), nullptr);
  Complete();
  gate_.at_once.reset();
  exchange_.BeginAtPool(snapshot_, kPool, "127.0.0.1", clock_.Now());
  ASSERT_EQ(Body().kind, Step::Kind::kWait);
  Answer({});
  EXPECT_EQ(step_.kind, Step::Kind::kForward);
  Complete();
}

TEST_F(GateTest, WhereThereIsNoRouteAnEndpointListsItsModels) {
  gate_.at_once = GateAnswer{};
  exchange_.BeginAtPool(snapshot_, kPool, "127.0.0.1", clock_.Now());
  text_ = "GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n";
  parser_.Reset();
  CHECK(parser_.Next(text_).event == http::H1Event::kHead);
  EXPECT_EQ(exchange_.OnRequestHead(parser_.head()).kind, Step::Kind::kReadBody);
  body_.clear();
  body_.reserve(InferenceParser::kPadding);
  EXPECT_EQ(exchange_.OnRequestBody(body_, clock_.Now()).kind, Step::Kind::kForward);
  Complete();
  EXPECT_EQ(InFlight(), 0);
}

TEST_F(GateTest, APoolThatIsNotThereRefusesAndIsNamed) {
  exchange_.BeginAtPool(snapshot_, "default/other", "127.0.0.1", clock_.Now());
  text_ = "GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n";
  parser_.Reset();
  CHECK(parser_.Next(text_).event == http::H1Event::kHead);
  const Step step = exchange_.OnRequestHead(parser_.head());
  EXPECT_EQ(InfoOf(step.rejection).status, 503);
  EXPECT_NE(exchange_.RejectionBody(step.rejection).find("default/other"), std::string::npos);
  exchange_.End(Outcome::kRejected, 503, clock_.Now());
}

// Answers of several threads, to requests that end meanwhile as well, and to a room that goes.
TEST(WaitingRoom, EveryAnswerIsHeardOnceOrNever) {
  struct Counter final : Waiter {
    void OnGateAnswer(GateAnswer) override { ++heard; }
    void OnEvicted(int) override {}
    int heard = 0;
  };
  constexpr int kRequests = 1000;
  std::mutex mutex;
  std::deque<std::function<void()>> posted;
  auto room = std::make_unique<WaitingRoom>([&](auto task) {
    std::lock_guard lock(mutex);
    posted.push_back(std::move(task));
  });
  std::vector<Counter> waiters(kRequests);
  std::vector<WaitingRoom::Id> ids;
  for (Counter& waiter : waiters) ids.push_back(room->Enter(&waiter));
  const WaitingRoom::Door door = room->door();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      // Every fourth is this thread's; its neighbour's it answers, too.
      for (size_t i = 0; i < ids.size(); ++i) {
        if (i % 4 == static_cast<size_t>(t) || i % 4 == static_cast<size_t>((t + 1) % 4)) {
          door.Answer(ids[i], {});
        }
      }
    });
  }
  for (size_t i = 0; i < ids.size(); i += 10) room->Leave(ids[i]);
  for (std::thread& thread : threads) thread.join();
  for (size_t i = 0; i < posted.size() / 2; ++i) posted[i]();
  std::vector<int> half;
  for (const Counter& waiter : waiters) half.push_back(waiter.heard);
  room.reset();
  for (size_t i = posted.size() / 2; i < posted.size(); ++i) posted[i]();
  int heard = 0;
  for (size_t i = 0; i < waiters.size(); ++i) {
    EXPECT_EQ(waiters[i].heard, half[i]) << "nothing is heard when the room is gone";
    EXPECT_LE(waiters[i].heard, i % 10 == 0 ? 0 : 1);
    heard += waiters[i].heard;
  }
  EXPECT_GT(heard, 0);
}

}  // namespace
}  // namespace gw
