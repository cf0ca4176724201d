// Limits of how many requests are here at once, of pools and routes.

#include <gtest/gtest.h>

#include "base/check.h"
#include "exchange/test_exchange.h"
#include "pool/health.h"

namespace gw {
namespace {

// A route to a pool, which may fall back on another one. Each has a breaker, of which the test is
// the only other user.
class CountInTest : public ExchangeFixture {
 protected:
  void SetUp() override {
    pool_ = MakePool("default/qwen", {"10.0.0.1:8000", "10.0.0.2:8000"});
    pool_->breaker = breakers_.Get("pool", {.requests_max = 2});
    far_ = MakePool("backend default/far", {"192.0.2.1:8000"});
    far_->pool.kind = Pool::Kind::kElsewhere;
    far_->breaker = breakers_.Get("far", {.requests_max = 1});
    rule_ = RuleToThePool();
    rule_->breaker = breakers_.Get("route", {.requests_max = 3});
    Publish();
  }
  void Publish() {
    auto snapshot = std::make_shared<Snapshot>(*SnapshotOf(pool_, {kPort}, rule_));
    snapshot->pools.push_back(far_);
    snapshot_ = snapshot;
  }
  Step Ask(std::string_view path = "/v1/chat/completions") {
    const Step head = SendHead(snapshot_, "POST " + std::string(path) +
                                              " HTTP/1.1\r\nHost: a\r\n"
                                              "x-request-id: r\r\nContent-Length: 2\r\n\r\n");
    CHECK(head.kind == Step::Kind::kReadBody);
    return SendBody(R"({"model":"near","messages":[{"role":"user","content":"hi"}]})");
  }
  void End(Outcome outcome = Outcome::kComplete, int status = 200) {
    exchange_.End(outcome, status, clock_.Now());
  }
  // Somebody else's requests.
  void Fill(const std::shared_ptr<Breaker>& breaker, int count) {
    for (int i = 0; i < count; ++i) {
      CHECK(others_.emplace_back().Take(breaker, &Breaker::requests));
    }
  }
  static int64_t Now(const std::shared_ptr<Breaker>& breaker) { return breaker->requests.now(); }

  Breakers breakers_;
  std::shared_ptr<PoolEntry> pool_;
  std::shared_ptr<PoolEntry> far_;
  std::shared_ptr<RouteRule> rule_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::vector<Breaker::Place> others_;
};

TEST_F(CountInTest, ARequestCountsInItsPoolAndItsRouteUntilItsEnd) {
  ASSERT_EQ(Ask().kind, Step::Kind::kForward);
  EXPECT_EQ(Now(pool_->breaker), 1);
  EXPECT_EQ(Now(rule_->breaker), 1);
  EXPECT_EQ(Now(far_->breaker), 0);
  End();
  EXPECT_EQ(Now(pool_->breaker), 0);
  EXPECT_EQ(Now(rule_->breaker), 0);
}

TEST_F(CountInTest, WhatIsBeyondThePoolsLimitIsRefusedAtOnceAndCountsNowhere) {
  Fill(pool_->breaker, 2);
  const Step step = Ask();
  EXPECT_EQ(step.kind, Step::Kind::kRespond);
  EXPECT_EQ(step.rejection, Rejection::kMaxRequests);
  EXPECT_NE(exchange_.rejection_text().find("of the pool"), std::string_view::npos);
  EXPECT_EQ(exchange_.RetryAfterSeconds(step.rejection), 0);
  EXPECT_EQ(Now(pool_->breaker), 2);
  EXPECT_EQ(Now(rule_->breaker), 0) << "before its end";
  End(Outcome::kRejected, 503);
  EXPECT_EQ(Now(pool_->breaker), 2);
  EXPECT_NE(registry_.Render().find(R"(penstock_rejections_total{reason="max_requests"} 1)"),
            std::string::npos);
  EXPECT_NE(registry_.Render().find(R"(penstock_limit_reached_total{limit="max_requests"} 1)"),
            std::string::npos);
  others_.clear();
  EXPECT_EQ(Ask().kind, Step::Kind::kForward);
  End();
}

TEST_F(CountInTest, TheRoutesLimitHoldsForAllThatItLeadsTo) {
  Fill(rule_->breaker, 3);
  pool_->pool.kind = Pool::Kind::kService;
  Publish();
  EXPECT_EQ(Ask("/v1/anything").rejection, Rejection::kMaxRequests);
  EXPECT_NE(exchange_.rejection_text().find("of the route"), std::string_view::npos);
  EXPECT_EQ(Now(pool_->breaker), 0);
  End(Outcome::kRejected, 503);
}

TEST_F(CountInTest, FurtherTriesCountOnce) {
  ASSERT_EQ(Ask().kind, Step::Kind::kForward);
  ASSERT_EQ(exchange_.OnTryFailed(TryFailure::kConnectRefused, false, clock_.Now()).kind,
            Step::Kind::kForward);
  EXPECT_EQ(Now(pool_->breaker), 1);
  EXPECT_EQ(Now(rule_->breaker), 1);
  End();
  EXPECT_EQ(Now(pool_->breaker), 0);
}

TEST_F(CountInTest, WhoseFallbackServesCountsThereAndNoMoreInThePool) {
  pool_->fallback = 1;
  Publish();
  Step step = Ask();
  while (step.kind == Step::Kind::kForward && exchange_.pool() == pool_.get()) {
    EXPECT_EQ(Now(pool_->breaker), 1);
    step = exchange_.OnTryFailed(TryFailure::kConnectRefused, false, clock_.Now());
  }
  ASSERT_EQ(exchange_.pool(), far_.get());
  EXPECT_EQ(Now(pool_->breaker), 0);
  EXPECT_EQ(Now(far_->breaker), 1);
  EXPECT_EQ(Now(rule_->breaker), 1);
  End();
  EXPECT_EQ(Now(far_->breaker), 0);
  EXPECT_EQ(Now(rule_->breaker), 0);
}

TEST_F(CountInTest, WhatIsBeyondThePoolsLimitGoesToItsFallback) {
  pool_->fallback = 1;
  Publish();
  Fill(pool_->breaker, 2);
  ASSERT_EQ(Ask().kind, Step::Kind::kForward);
  EXPECT_EQ(exchange_.pool(), far_.get());
  EXPECT_EQ(Now(pool_->breaker), 2);
  EXPECT_EQ(Now(far_->breaker), 1);
  End();
  EXPECT_EQ(environment_.history.Find("r")->fallback_reason, "max_requests");

  Fill(far_->breaker, 1);
  EXPECT_EQ(Ask().rejection, Rejection::kMaxRequests) << "that is full as well";
  EXPECT_EQ(Now(rule_->breaker), 0);
  End(Outcome::kRejected, 503);
  EXPECT_EQ(Now(far_->breaker), 1);
}

TEST_F(CountInTest, WithoutBreakersNothingIsCounted) {
  pool_->breaker = nullptr;
  rule_->breaker = nullptr;
  Publish();
  ASSERT_EQ(Ask().kind, Step::Kind::kForward);
  End();
}

TEST_F(CountInTest, AnEditThatDropsThePoolWhileARequestRunsLeaksNothing) {
  ASSERT_EQ(Ask().kind, Step::Kind::kForward);
  const std::shared_ptr<Breaker> breaker = pool_->breaker;
  pool_->breaker = nullptr;
  EXPECT_EQ(Now(breaker), 1);
  End();
  EXPECT_EQ(Now(breaker), 0);
}

// Requests of a pool with a queue, one at a time.
class CountWaitingTest : public CountInTest, public Waiter {
 protected:
  void SetUp() override {
    CountInTest::SetUp();
    environment_.room = &room_;
    pool_->queueing.emplace();
    pool_->queue = std::make_shared<RequestQueue>(clock_);
    pool_->breaker = breakers_.Get("pool", {.waiting_max = 1});
    rule_->breaker = breakers_.Get("route", {.waiting_max = 1});
    Publish();
    SetWaiting(50);
  }
  void SetWaiting(float waiting) {
    for (const Endpoint& endpoint : pool_->pool.endpoints) {
      endpoint.state->scraped_at_ns = clock_.Now().time_since_epoch().count();
      endpoint.state->waiting_requests = waiting;
    }
    pool_->queue->SetPool(*pool_->queueing, [waiting](TimePoint, int64_t) -> int64_t {
      return waiting > 5 ? 0 : 100;
    });
    for (const auto& task : std::exchange(posted_, {})) task();
  }
  void OnEvicted(int) override { FAIL() << "no pool says so"; }
  void OnGateAnswer(GateAnswer answer) override {
    step_ = waits_.OnGateAnswer(snapshot_, std::move(answer), clock_.Now());
  }
  Step AskAndWait(std::string_view extra = "") {
    text_ = "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n" + std::string(extra) +
            "Content-Length: 2\r\n\r\n";
    parser_.Reset();
    CHECK(parser_.Next(text_).event == http::H1Event::kHead);
    waits_.Begin(snapshot_, {kPort}, "127.0.0.1", clock_.Now());
    CHECK(waits_.OnRequestHead(parser_.head()).kind == Step::Kind::kReadBody);
    body_ = R"({"model":"m","messages":[]})";
    body_.reserve(body_.size() + Exchange::kBodyPadding);
    return waits_.OnRequestBody(body_, clock_.Now());
  }
  void EndWaiting(Outcome outcome) { waits_.End(outcome, 0, clock_.Now()); }
  void ExpectWaiting(int64_t count) {
    EXPECT_EQ(pool_->breaker->waiting.now(), count);
    EXPECT_EQ(rule_->breaker->waiting.now(), count);
  }

  std::vector<std::function<void()>> posted_;
  WaitingRoom room_{[this](std::function<void()> task) { posted_.push_back(std::move(task)); }};
  Exchange waits_{environment_, this};
  Step step_;

 private:
  std::string text_;
  std::string body_;
  http::RequestParser parser_;
};

TEST_F(CountWaitingTest, OneCountsAsWaitingUntilItsTurnComes) {
  ASSERT_EQ(AskAndWait().kind, Step::Kind::kWait);
  ExpectWaiting(1);
  EXPECT_EQ(Now(pool_->breaker), 1);
  SetWaiting(0);
  ASSERT_EQ(step_.kind, Step::Kind::kForward);
  ExpectWaiting(0);
  EXPECT_EQ(Now(pool_->breaker), 1);
  EndWaiting(Outcome::kComplete);
  EXPECT_EQ(Now(pool_->breaker), 0);
}

TEST_F(CountWaitingTest, BeyondTheLimitItIsRefusedInPlaceOfWaiting) {
  for (const std::shared_ptr<Breaker>& full : {pool_->breaker, rule_->breaker}) {
    Breaker::Place other;
    ASSERT_TRUE(other.Take(full, &Breaker::waiting));
    const Step step = AskAndWait();
    EXPECT_EQ(step.rejection, Rejection::kMaxWaiting);
    EXPECT_EQ(pool_->breaker->waiting.now() + rule_->breaker->waiting.now(), 1);
    EXPECT_EQ(Now(pool_->breaker), 0);
    EXPECT_EQ(pool_->queue->waiting(), 0u);
    EndWaiting(Outcome::kRejected);
  }
  EXPECT_NE(registry_.Render().find(R"(penstock_limit_reached_total{limit="max_waiting"} 2)"),
            std::string::npos);
}

TEST_F(CountWaitingTest, WhoNeedNotWaitIsNotAskedForAPlaceAmongThoseThatDo) {
  SetWaiting(0);
  Breaker::Place other;
  ASSERT_TRUE(other.Take(pool_->breaker, &Breaker::waiting));
  ASSERT_EQ(AskAndWait().kind, Step::Kind::kForward);
  EndWaiting(Outcome::kComplete);
}

TEST_F(CountWaitingTest, HoweverTheWaitEndsThePlaceIsGivenBack) {
  ASSERT_EQ(AskAndWait().kind, Step::Kind::kWait);
  EndWaiting(Outcome::kClientLeft);
  ExpectWaiting(0);
  EXPECT_EQ(Now(pool_->breaker), 0);

  ASSERT_EQ(AskAndWait().kind, Step::Kind::kWait);
  EXPECT_EQ(waits_.OnQueueTimeout(clock_.Now()).rejection, Rejection::kQueueTimeout);
  ExpectWaiting(0);
  EndWaiting(Outcome::kRejected);

  EXPECT_EQ(AskAndWait("x-penstock-queue-timeout-ms: 0\r\n").rejection, Rejection::kQueueTimeout);
  ExpectWaiting(0);
  EndWaiting(Outcome::kRejected);

  pool_->queueing->bytes_max = 1;
  SetWaiting(50);
  EXPECT_EQ(AskAndWait().rejection, Rejection::kQueueFull);
  ExpectWaiting(0);
  EndWaiting(Outcome::kRejected);
  EXPECT_EQ(Now(pool_->breaker), 0);
}

}  // namespace
}  // namespace gw
