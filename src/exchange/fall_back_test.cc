#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/check.h"
#include "exchange/test_exchange.h"
#include "pool/health.h"
#include "pool/pushback.h"

namespace gw {
namespace {

// A route to a pool of two endpoints that falls back on a model served elsewhere, which knows every
// model as "far".
class FallBackTest : public ExchangeFixture {
 protected:
  void SetUp() override {
    pool_ = MakePool("default/qwen", {"10.0.0.1:8000", "10.0.0.2:8000"});
    pool_->fallback = 1;
    far_ = MakePool("backend default/far", {"192.0.2.1:8000"});
    far_->pool.kind = Pool::Kind::kElsewhere;
    far_->rewrites.AddForAnyName({{"far"}});
    Publish();
  }
  void Publish() {
    auto snapshot = std::make_shared<Snapshot>(*SnapshotOf(pool_, {kPort}));
    snapshot->pools.push_back(far_);
    snapshot_ = snapshot;
  }
  Step Ask() {
    const Step head = SendHead(snapshot_,
                               "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n"
                               "x-request-id: r\r\nContent-Length: 2\r\n\r\n");
    CHECK(head.kind == Step::Kind::kReadBody);
    return SendBody(R"({"model":"near","messages":[{"role":"user","content":"hi"}]})");
  }
  std::string Sent() {
    std::string sent;
    for (const std::string_view part : exchange_.body().parts()) sent += part;
    return sent;
  }
  RequestRecord End() {
    exchange_.End(Outcome::kComplete, 200, clock_.Now());
    return *environment_.history.Find("r");
  }
  void Scrape(const Endpoint& endpoint, float waiting) {
    endpoint.state->scraped_at_ns = clock_.Now().time_since_epoch().count();
    endpoint.state->waiting_requests = waiting;
  }
  void Eject(const Endpoint& endpoint) {
    for (int i = 0; i < 100 && StandingOf(*endpoint.state, 0, clock_.Now()) == Standing::kInUse;
         ++i) {
      RecordFailure(*endpoint.state, clock_.Now(), EndpointFailure::kConnectRefused);
    }
    ASSERT_NE(StandingOf(*endpoint.state, 0, clock_.Now()), Standing::kInUse);
  }

  std::shared_ptr<PoolEntry> pool_;
  std::shared_ptr<PoolEntry> far_;
  std::shared_ptr<const Snapshot> snapshot_;
};

TEST_F(FallBackTest, APoolThatCanServeDoes) {
  ASSERT_EQ(Ask().kind, Step::Kind::kForward);
  EXPECT_EQ(exchange_.pool(), pool_.get());
  EXPECT_NE(Sent().find(R"("model":"near")"), std::string::npos);
  const RequestRecord record = End();
  EXPECT_EQ(record.fell_back_from, "");
}

TEST_F(FallBackTest, WithoutAnEndpointTheOtherServesUnderItsOwnModelName) {
  pool_->pool.endpoints.clear();
  Publish();
  ASSERT_EQ(Ask().kind, Step::Kind::kForward);
  EXPECT_EQ(exchange_.pool(), far_.get());
  EXPECT_EQ(exchange_.endpoint().address, "192.0.2.1:8000");
  EXPECT_EQ(Sent(), R"({"model":"far","messages":[{"role":"user","content":"hi"}]})");
  const RequestRecord record = End();
  EXPECT_EQ(record.pool, "backend default/far");
  EXPECT_EQ(record.fell_back_from, "default/qwen");
  EXPECT_EQ(record.fallback_reason, "no_endpoint");
  EXPECT_EQ(record.target_model, "far");
  EXPECT_EQ(far_->pool.endpoints.front().state->in_flight_requests, 0);
}

std::vector<uint64_t> logged_names;

// The prompt is gone when another pool is asked, and whoever reads the log wants to know what was
// asked of this one.
TEST_F(FallBackTest, ThePromptKeepsTheNamesThatThePoolGaveIt) {
  environment_.log_prompt_blocks = true;
  environment_.log_request = [](const RequestRecord&, const LoggedAs& as) {
    logged_names = as.prompt->names;
  };
  const std::string text(5000, 'a');
  const auto names = [&] {
    SendHead(snapshot_, "POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n");
    CHECK(SendBody(R"({"model":"near","prompt":")" + text + "\"}").kind == Step::Kind::kForward);
    exchange_.End(Outcome::kComplete, 200, clock_.Now());
    return logged_names;
  };
  const std::vector<uint64_t> near = names();
  EXPECT_EQ(near.size(), 2u);
  pool_->pool.endpoints.clear();
  Publish();
  EXPECT_EQ(names(), near);
}

TEST_F(FallBackTest, EndpointsThatAreEjectedAreNotAskedFirst) {
  for (const Endpoint& endpoint : pool_->pool.endpoints) Eject(endpoint);
  ASSERT_EQ(Ask().kind, Step::Kind::kForward);
  EXPECT_EQ(exchange_.pool(), far_.get());
  EXPECT_EQ(End().fallback_reason, "no_endpoint");
}

TEST_F(FallBackTest, WhereAllAreSaturatedTheOtherServesCriticalRequestsToo) {
  Scrape(pool_->pool.endpoints[0], 100);
  Scrape(pool_->pool.endpoints[1], 0);
  ASSERT_EQ(Ask().kind, Step::Kind::kForward);
  EXPECT_EQ(exchange_.pool(), pool_.get()) << "one has room";
  End();
  Scrape(pool_->pool.endpoints[1], 100);
  ASSERT_EQ(Ask().kind, Step::Kind::kForward);
  EXPECT_EQ(exchange_.pool(), far_.get());
  EXPECT_EQ(End().fallback_reason, "saturated");
}

TEST_F(FallBackTest, WhatAllPushBackTheOtherServes) {
  const auto refuse = [this] {
    http::ResponseHead head;
    head.status = 429;
    return exchange_.OnResponseHead(head, clock_.Now());
  };
  ASSERT_EQ(Ask().kind, Step::Kind::kForward);
  ASSERT_EQ(refuse().kind, Step::Kind::kForward);
  EXPECT_EQ(exchange_.pool(), pool_.get()) << "there is another endpoint";
  ASSERT_EQ(refuse().kind, Step::Kind::kForward);
  EXPECT_EQ(exchange_.pool(), far_.get());
  EXPECT_EQ(refuse().kind, Step::Kind::kContinue) << "there is nothing behind the fallback";
  EXPECT_EQ(End().fallback_reason, "saturated");
  // Endpoints that pause are in use, and have no room.
  for (const Endpoint& endpoint : pool_->pool.endpoints) {
    RecordPushback(*endpoint.state, clock_.Now(), clock_.Now(), std::chrono::seconds(5));
  }
  ASSERT_EQ(Ask().kind, Step::Kind::kForward);
  EXPECT_EQ(exchange_.pool(), far_.get());
  EXPECT_EQ(End().fallback_reason, "saturated");
}

TEST_F(FallBackTest, AfterTriesThatFailedTheOtherHasTriesOfItsOwn) {
  Step step = Ask();
  int tries = 0;
  while (step.kind == Step::Kind::kForward && exchange_.pool() == pool_.get()) {
    ASSERT_LT(++tries, 10);
    step = exchange_.OnTryFailed(TryFailure::kConnectRefused, false, clock_.Now());
  }
  EXPECT_EQ(tries, 2) << "both endpoints were asked";
  ASSERT_EQ(step.kind, Step::Kind::kForward);
  EXPECT_EQ(exchange_.pool(), far_.get());
  for (const Endpoint& endpoint : pool_->pool.endpoints) {
    EXPECT_EQ(endpoint.state->in_flight_requests, 0);
  }
  // There is nothing behind the fallback.
  step = exchange_.OnTryFailed(TryFailure::kConnectRefused, false, clock_.Now());
  EXPECT_EQ(step.kind, Step::Kind::kRespond);
  exchange_.End(Outcome::kRejected, 503, clock_.Now());
  EXPECT_EQ(environment_.history.Find("r")->fallback_reason, "tries_failed");
}

TEST_F(FallBackTest, WhatTwoServersMayHaveDiedOfIsNotSentToAThird) {
  Step step = Ask();
  for (int i = 0; i <= Tries::kRepeatsMax; ++i) {
    ASSERT_EQ(step.kind, Step::Kind::kForward);
    ASSERT_EQ(exchange_.pool(), pool_.get());
    step = exchange_.OnTryFailed(TryFailure::kReset, true, clock_.Now());
  }
  EXPECT_EQ(step.kind, Step::Kind::kRespond);
  exchange_.End(Outcome::kRejected, 502, clock_.Now());
}

TEST_F(FallBackTest, OneThatCannotBeAskedEitherIsNone) {
  pool_->pool.endpoints.clear();
  far_->pool.endpoints.clear();
  Publish();
  Step step = Ask();
  EXPECT_EQ(step.kind, Step::Kind::kRespond);
  EXPECT_EQ(step.rejection, Rejection::kNoEndpoint);
  exchange_.End(Outcome::kRejected, 503, clock_.Now());

  far_ = MakePool("backend default/far", {"192.0.2.1:8000"});
  far_->unservable = "Backend default/far: no Secret";
  Publish();
  step = Ask();
  EXPECT_EQ(step.rejection, Rejection::kNoEndpoint);
  exchange_.End(Outcome::kRejected, 503, clock_.Now());
}

TEST_F(FallBackTest, IsCountedByItsReason) {
  pool_->pool.endpoints.clear();
  Publish();
  Ask();
  End();
  EXPECT_NE(registry_.Render().find(
                R"(penstock_fallbacks_total{pool="default/qwen",reason="no_endpoint"} 1)"),
            std::string::npos);
}

}  // namespace
}  // namespace gw
