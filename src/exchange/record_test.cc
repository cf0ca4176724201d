// What is kept of a request for `penstock explain`.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/check.h"
#include "exchange/exchange.h"
#include "exchange/test_snapshot.h"
#include "http/h1_parser.h"
#include "scheduling/registry.h"

namespace gw {
namespace {

constexpr uint16_t kPort = 8080;

// A route "/v1" to a pool of five endpoints with names too long to be kept inside a string.
// Each look at it takes so long.
struct SlowClock final : Clock {
  explicit SlowClock(const ManualClock& t) : time(t) {}
  TimePoint Now() const override {
    passed += look;
    return time.Now() + passed;
  }
  int64_t UnixNanos() const override { return time.UnixNanos(); }

  const ManualClock& time;
  Duration look{0};
  mutable Duration passed{0};
};

class RecordTest : public testing::Test {
 protected:
  void SetUp() override {
    auto entry = std::make_shared<PoolEntry>();
    entry->pool.id = "default/qwen";
    for (int i = 0; i < 5; ++i) {
      Endpoint endpoint;
      endpoint.name = "qwen-deployment-7d4b9c6f5-abcd" + std::to_string(i);
      endpoint.address = "127.0.0." + std::to_string(11 + i) + ":8000";
      endpoint.state = table_.Get(endpoint.address);
      entry->pool.endpoints.push_back(endpoint);
    }
    entry->profile = ProfileFor(RoutingStrategy::kDefault);
    entry->load_profile = LoadProfile();
    pool_ = entry;
    snapshot_ = SnapshotOf(entry, {kPort});
  }

  Step Begin(const std::string& path = "/v1/chat/completions") {
    text_ = "POST " + path + " HTTP/1.1\r\nHost: llm.example\r\nx-request-id: one\r\n\r\n";
    parser_.Reset();
    CHECK(parser_.Next(text_).event == http::H1Event::kHead);
    exchange_.Begin(snapshot_, {kPort}, "127.0.0.1", clock_.Now());
    return exchange_.OnRequestHead(parser_.head());
  }
  void Body() {
    Wait(2);
    body_ = R"({"model":"m","messages":[{"role":"user","content":"hello"}]})";
    body_.reserve(body_.size() + InferenceParser::kPadding);
    CHECK(exchange_.OnRequestBody(body_, clock_.Now()).kind == Step::Kind::kForward);
  }
  void Answer() {
    http::ResponseHead head;
    head.status = 200;
    exchange_.OnResponseHead(head, clock_.Now());
    Wait(3);
    exchange_.OnResponseBody("{}", clock_.Now());
    exchange_.OnResponseEnd(clock_.Now());
  }
  RequestRecord End(Outcome outcome, int status) {
    exchange_.End(outcome, status, clock_.Now());
    return *environment_.history.Find("one");
  }
  void Wait(int ms) { clock_.Advance(std::chrono::milliseconds(ms)); }

  ManualClock clock_;
  PrefixIndex index_{PrefixIndex::Options{}};
  MetricRegistry registry_;
  SlowClock slow_clock_{clock_};
  ExchangeEnvironment environment_{slow_clock_, 1, index_, registry_};
  EndpointTable table_;
  std::shared_ptr<const PoolEntry> pool_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::string text_, body_;
  http::RequestParser parser_;
  Exchange exchange_{environment_};
};

TEST_F(RecordTest, EveryTryIsToldWithItsReason) {
  Begin();
  Body();
  const std::string first = exchange_.endpoint().address;
  Wait(5);
  exchange_.OnTryFailed(TryFailure::kConnectRefused, false, clock_.Now());
  const std::string second = exchange_.endpoint().address;
  Wait(10);
  Answer();
  const RequestRecord record = End(Outcome::kComplete, 200);
  ASSERT_EQ(record.try_count, 2u);
  EXPECT_EQ(record.all_tries[0].endpoint, first);
  EXPECT_EQ(record.all_tries[0].reason, "connect_refused");
  EXPECT_EQ(record.all_tries[0].began_ms, 2);
  EXPECT_EQ(record.all_tries[0].took_ms, 5);
  EXPECT_EQ(record.all_tries[1].endpoint, second);
  EXPECT_EQ(record.all_tries[1].reason, "");
  EXPECT_EQ(record.all_tries[1].began_ms, 7);
  EXPECT_EQ(record.all_tries[1].took_ms, 13);
  EXPECT_EQ(record.host, "llm.example");
  EXPECT_EQ(record.body_ms, 2);
  EXPECT_EQ(record.queue_ms, 7);
  EXPECT_EQ(record.response_ms, 17);
  EXPECT_EQ(record.ttft_ms, 20);
}

TEST_F(RecordTest, TheTimesOfAllDecisionsAreAddedUp) {
  slow_clock_.look = std::chrono::nanoseconds(1500);
  Begin();
  Body();
  exchange_.OnTryFailed(TryFailure::kConnectRefused, false, clock_.Now());
  EXPECT_EQ(End(Outcome::kClientLeft, 0).decision_us, 3);
  slow_clock_.look = Duration(0);
  Begin();
  Body();
  EXPECT_EQ(End(Outcome::kClientLeft, 0).decision_us, 0);
}

TEST_F(RecordTest, TellsWhatWasHeardOfOtherGatewaysWhenItWasDecided) {
  Begin();
  Body();
  EXPECT_EQ(End(Outcome::kClientLeft, 0).peers_heard, -1);
  HeardGateways heard;
  environment_.heard = &heard;
  Begin();
  Body();
  const RequestRecord alone = End(Outcome::kClientLeft, 0);
  EXPECT_EQ(alone.peers_heard, 0);
  EXPECT_EQ(alone.peers_oldest_ms, -1);
  heard.Store(2, clock_.Now());
  clock_.Advance(std::chrono::milliseconds(12));
  Begin();
  Body();
  heard.Store(3, clock_.Now());  // behind the decision
  const RequestRecord record = End(Outcome::kClientLeft, 0);
  EXPECT_EQ(record.peers_heard, 2);
  EXPECT_GE(record.peers_oldest_ms, 12);
}

TEST_F(RecordTest, TheBestThatLostAreToldBestFirst) {
  for (int i = 0; i < 5; ++i) pool_->pool.endpoints[i].state->in_flight_requests = 10 * (4 - i);
  Begin();
  Body();
  Answer();
  const RequestRecord record = End(Outcome::kComplete, 200);
  EXPECT_EQ(record.endpoint, "127.0.0.15:8000");
  EXPECT_EQ(record.in_flight_requests, 0);
  ASSERT_EQ(record.loser_count, 3u);
  for (int i = 0; i < 3; ++i) {
    const RequestRecord::Loser& loser = record.losers[i];
    EXPECT_EQ(loser.endpoint, "127.0.0.1" + std::to_string(4 - i) + ":8000");
    EXPECT_EQ(loser.in_flight_requests, 10 * (i + 1));
    EXPECT_LT(loser.score, i == 0 ? record.score : record.losers[i - 1].score);
    float sum = 0;
    for (size_t s = 0; s < record.scores.size(); ++s) sum += loser.scores[s];
    EXPECT_FLOAT_EQ(sum, loser.score);
  }
}

TEST_F(RecordTest, WhatARequestDidNotComeToIsAbsent) {
  EXPECT_EQ(Begin("/elsewhere").kind, Step::Kind::kRespond);
  const RequestRecord refused = End(Outcome::kRejected, 404);
  EXPECT_EQ(refused.try_count, 0u);
  EXPECT_LT(refused.body_ms, 0);
  EXPECT_LT(refused.queue_ms, 0);
  EXPECT_LT(refused.decision_us, 0);
  EXPECT_LT(refused.response_ms, 0);
  EXPECT_LT(refused.ttft_ms, 0);

  Begin();
  Body();
  const RequestRecord left = End(Outcome::kClientLeft, 0);
  EXPECT_EQ(left.queue_ms, 2);
  EXPECT_LT(left.ttft_ms, 0);
  EXPECT_LT(left.prompt_tokens, 0);
}

TEST_F(RecordTest, TheNewestIsFoundByItsPool) {
  Begin("/elsewhere");
  End(Outcome::kRejected, 404);
  Begin();
  Body();
  End(Outcome::kClientLeft, 0);
  Begin("/elsewhere");
  End(Outcome::kRejected, 404);
  EXPECT_EQ(environment_.history.FindLast("")->status, 404);
  EXPECT_EQ(environment_.history.FindLast("default/qwen")->outcome, "client_left");
  EXPECT_FALSE(environment_.history.FindLast("default/other").has_value());
}

TEST_F(RecordTest, ARequestAwaitsUntilItsFirstByteOrItsEnd) {
  Begin();
  Body();
  EndpointState& state = *exchange_.endpoint().state;
  EXPECT_EQ(state.awaiting_requests, 1);
  EXPECT_EQ(state.dispatched_requests, 1u);
  Wait(10);
  Answer();
  EXPECT_EQ(state.awaiting_requests, 0);
  EXPECT_EQ(state.first_bytes, 1u);
  EXPECT_EQ(state.first_byte_ns_longest, Duration(std::chrono::milliseconds(13)).count());
  End(Outcome::kComplete, 200);
  EXPECT_EQ(state.awaiting_requests, 0);
  Begin();
  Body();
  EndpointState& other = *exchange_.endpoint().state;
  const uint64_t before = other.first_bytes;
  End(Outcome::kClientLeft, 0);
  EXPECT_EQ(other.awaiting_requests, 0);
  EXPECT_EQ(other.first_bytes, before);
}

TEST_F(RecordTest, ASilentEndpointIsAskedOnlyWhenNothingElseIsLeft) {
  for (int i = 0; i < 4; ++i) pool_->pool.endpoints[i].state->silence = Silence::kRequests;
  for (int i = 0; i < 20; ++i) {
    Begin();
    Body();
    EXPECT_EQ(exchange_.endpoint().address, "127.0.0.15:8000");
    End(Outcome::kClientLeft, 0);
  }
  pool_->pool.endpoints[4].state->silence = Silence::kMetrics;
  Begin();
  Body();
  End(Outcome::kClientLeft, 0);
  pool_->pool.endpoints[0].state->silence = Silence::kRequests | Silence::kTrial;
  Begin();
  Body();
  EXPECT_EQ(exchange_.endpoint().address, "127.0.0.11:8000") << "it may have one";
  Exchange second(environment_);
  second.Begin(snapshot_, {kPort}, "127.0.0.1", clock_.Now());
  second.OnRequestHead(parser_.head());
  second.OnRequestBody(body_, clock_.Now());
  EXPECT_NE(second.endpoint().address, "127.0.0.11:8000") << "and only one";
  second.End(Outcome::kClientLeft, 0, clock_.Now());
  End(Outcome::kClientLeft, 0);
}

// A pool that is removed and comes back under its name is counted from nothing, also by a worker
// that had counted for the first one.
TEST_F(RecordTest, RequestsOfAPoolThatCameBackAreCountedOnThePage) {
  Begin();
  Body();
  const auto remove = [&] {
    registry_.RemoveSeries("pool", [](std::string_view pool) { return pool == "default/qwen"; });
  };
  remove();
  Answer();
  End(Outcome::kComplete, 200);
  remove();
  EXPECT_THAT(registry_.Render(), testing::Not(testing::HasSubstr("default/qwen")));
  Begin();
  Body();
  Answer();
  End(Outcome::kComplete, 200);
  EXPECT_THAT(registry_.Render(),
              testing::HasSubstr("penstock_requests_total{model=\"m\",outcome=\"complete\","
                                 "pool=\"default/qwen\",status=\"200\",target_model=\"m\"} 1\n"));
}

}  // namespace
}  // namespace gw
