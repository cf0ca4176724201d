// One replica of a pool fails at once whatever it is asked, so it never has anything in flight: in
// virtual time, how much of the traffic it draws and what clients lose by it.

#include <gtest/gtest.h>

#include <memory>
#include <queue>
#include <string>
#include <vector>

#include "base/check.h"
#include "exchange/exchange.h"
#include "exchange/test_snapshot.h"
#include "http/h1_parser.h"
#include "pool/health.h"
#include "scheduling/registry.h"

namespace gw {
namespace {

using std::chrono::milliseconds;

enum class Fails : uint8_t { kGarbage, kError, kByteThenClose, kErrorEvent, kBusy, kUnknown };

struct Client {
  explicit Client(ExchangeEnvironment& environment) : exchange(environment) {}
  Exchange exchange;
  http::RequestParser parser;
  std::string body;
  bool busy = false;
};

class BlackHoleTest : public testing::Test {
 protected:
  static constexpr uint16_t kPort = 8080;
  static constexpr int kEndpoints = 4;
  static constexpr int kClients = 8;

  void Configure(Pool::Kind kind, std::string_view strategy) {
    auto entry = std::make_shared<PoolEntry>();
    entry->pool.kind = kind;
    table_ = std::make_unique<EndpointTable>();  // nothing is remembered
    entry->pool.id = "default/qwen";
    for (int i = 0; i < kEndpoints; ++i) {
      Endpoint endpoint;
      endpoint.name = "qwen-" + std::to_string(i);
      endpoint.address = "127.0.0." + std::to_string(11 + i) + ":8000";
      endpoint.state = table_->Get(endpoint.address);
      entry->pool.endpoints.push_back(endpoint);
    }
    entry->profile = ProfileNamed(strategy);
    entry->load_profile = LoadProfile();
    entry->uses_prefix = entry->profile->reads_prefix();
    entry->memory = std::make_shared<PoolMemory>();
    pool_ = entry;
    snapshot_ = SnapshotOf(entry, {kPort});
  }

  // The bad one is idle, the others look as busy as they are; its probes succeed.
  void Refresh() {
    for (const Endpoint& endpoint : pool_->pool.endpoints) {
      EndpointState& state = *endpoint.state;
      const bool bad = &endpoint == &pool_->pool.endpoints[0];
      state.scraped_at_ns = clock_.Now().time_since_epoch().count();
      state.running_requests = static_cast<float>(state.in_flight_requests);
      state.waiting_requests = bad ? 0 : 1;
      state.kv_cache_utilization_ratio = bad ? 0 : 0.6f;
      if (IsProbeDue(state, clock_.Now())) RecordProbeSuccess(state, clock_.Now());
    }
  }

  Step Ask(Client& client) {
    static const std::string text =
        "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n";
    client.parser.Reset();
    CHECK(client.parser.Next(text).event == http::H1Event::kHead);
    client.exchange.Begin(snapshot_, {kPort}, "127.0.0.1", clock_.Now());
    CHECK(client.exchange.OnRequestHead(client.parser.head()).kind == Step::Kind::kReadBody);
    client.body = R"({"model":"m","stream":true,"messages":[{"role":"user","content":")" +
                  std::string(300, 's') + std::to_string(asked_++) + R"("}]})";
    client.body.reserve(client.body.size() + Exchange::kBodyPadding);
    return client.exchange.OnRequestBody(client.body, clock_.Now());
  }

  // Anything but kContinue: the request goes elsewhere.
  Step Answer(Exchange& exchange, int status, const char* type, const std::string& body) {
    http::ResponseHead head;
    head.status = status;
    head.headers.Add("content-type", type);
    const Step step = exchange.OnResponseHead(head, clock_.Now());
    if (step.kind == Step::Kind::kContinue) exchange.OnResponseBody(body, clock_.Now());
    return step;
  }

  void Lose(Exchange& exchange, Outcome outcome) {
    ++lost_;
    exchange.End(outcome, 500, clock_.Now());
  }

  // What the bad replica does at once.
  Step FailAt(Exchange& exchange, Fails how) {
    const Step over{Step::Kind::kContinue, Rejection::kNone};
    switch (how) {
      case Fails::kGarbage:
        return exchange.OnTryFailed(TryFailure::kBadResponse, true, clock_.Now());
      case Fails::kByteThenClose:
        CHECK(Answer(exchange, 200, "application/json", "{").kind == Step::Kind::kContinue);
        exchange.OnStreamBroken(clock_.Now());
        Lose(exchange, Outcome::kUpstreamBroke);
        return over;
      case Fails::kErrorEvent:
        CHECK(
            Answer(exchange, 200, "text/event-stream", "data: {\"error\":{\"message\":\"no\"}}\n\n")
                .kind == Step::Kind::kContinue);
        break;
      case Fails::kError:
      case Fails::kBusy:
      case Fails::kUnknown: {
        const int status = how == Fails::kError ? 500 : how == Fails::kBusy ? 503 : 404;
        const Step step = Answer(exchange, status, "application/json", "{}");
        if (step.kind != Step::Kind::kContinue) return step;
        break;
      }
    }
    exchange.OnResponseEnd(clock_.Now());
    Lose(exchange, Outcome::kComplete);
    return over;
  }

  void Begin(Client& client, Fails how) {
    Step step = Ask(client);
    while (step.kind == Step::Kind::kForward &&
           client.exchange.endpoint().state == pool_->pool.endpoints[0].state) {
      ++drawn_;
      step = FailAt(client.exchange, how);
    }
    client.busy = step.kind == Step::Kind::kForward;
    if (step.kind == Step::Kind::kRespond) Lose(client.exchange, Outcome::kRejected);
  }

  void Run(Fails how, Duration time) {
    drawn_ = lost_ = asked_ = 0;
    std::vector<std::unique_ptr<Client>> clients;
    using Event = std::pair<TimePoint, int>;
    std::priority_queue<Event, std::vector<Event>, std::greater<>> events;
    for (int i = 0; i < kClients; ++i) {
      clients.push_back(std::make_unique<Client>(environment_));
      events.push({clock_.Now() + milliseconds(i), i});
    }
    const TimePoint end = clock_.Now() + time;
    while (events.top().first < end) {
      const auto [at, i] = events.top();
      events.pop();
      clock_.Set(at);
      Refresh();
      Client& client = *clients[i];
      if (client.busy) {
        Answer(client.exchange, 200, "text/event-stream", "data: [DONE]\n\n");
        client.exchange.OnResponseEnd(at);
        client.exchange.End(Outcome::kComplete, 200, at);
        client.busy = false;
      }
      Begin(client, how);
      events.push({at + (client.busy ? milliseconds(200) : milliseconds(1)), i});
    }
    for (auto& client : clients) {
      if (client->busy) client->exchange.End(Outcome::kClientLeft, 0, end);
    }
  }

  ManualClock clock_;
  PrefixIndex index_{PrefixIndex::Options{}};
  MetricRegistry registry_;
  ExchangeEnvironment environment_{clock_, 1, index_, registry_};
  std::unique_ptr<EndpointTable> table_;
  std::shared_ptr<const PoolEntry> pool_;
  std::shared_ptr<const Snapshot> snapshot_;
  int asked_ = 0;
  int drawn_ = 0;  // tries at the bad one
  int lost_ = 0;
};

TEST_F(BlackHoleTest, WhatFailsAtOnceDrawsNextToNothing) {
  for (const Fails how : {Fails::kGarbage, Fails::kError, Fails::kByteThenClose, Fails::kErrorEvent,
                          Fails::kBusy, Fails::kUnknown}) {
    for (const auto& [kind, strategy] : {std::pair(Pool::Kind::kInferencePool, "DEFAULT"),
                                         std::pair(Pool::Kind::kInferencePool, "PREFIX_CACHE"),
                                         std::pair(Pool::Kind::kInferencePool, "COST"),
                                         std::pair(Pool::Kind::kService, "DEFAULT")}) {
      // A Service's answers are not read, so an error inside one is none.
      if (kind == Pool::Kind::kService && how == Fails::kErrorEvent) continue;
      Configure(kind, strategy);
      Run(how, std::chrono::seconds(60));
      SCOPED_TRACE(testing::Message() << "fault " << static_cast<int>(how) << ", strategy "
                                      << strategy << ", kind " << static_cast<int>(kind));
      EXPECT_GT(asked_, 2000);
      EXPECT_LT(drawn_, asked_ / 50) << "of " << asked_;
      EXPECT_LT(lost_, asked_ / 50);
      for (int i = 1; i < kEndpoints; ++i) {
        EXPECT_FALSE(IsEjected(*pool_->pool.endpoints[i].state)) << i;
        EXPECT_EQ(pool_->pool.endpoints[i].state->in_flight_requests, 0);
      }
    }
  }
}

}  // namespace
}  // namespace gw
