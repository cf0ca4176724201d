// Further tries as a rule of the route wants them, in virtual time.

#include "routing/retry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/check.h"
#include "exchange/test_exchange.h"
#include "pool/health.h"

namespace gw {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

class RetryTest : public ExchangeFixture {
 protected:
  RetryTest() { AddEndpoints(3); }
  ~RetryTest() override { End(); }

  void AddEndpoints(int n) {
    std::vector<std::string> addresses;
    for (int i = 0; i < n; ++i) addresses.push_back("127.0.0." + std::to_string(11 + i) + ":8000");
    entry_ = MakePool("default/qwen", addresses);
  }
  RetryPolicy& Policy() {
    auto policy = std::make_shared<RetryPolicy>();
    rule_->retry = policy;
    return *policy;
  }
  Step Ask(const std::string& method = "POST") {
    const Step head =
        SendHead(SnapshotOf(entry_, {kPort}, rule_),
                 method + " /v1/thing HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n");
    CHECK(head.kind == Step::Kind::kReadBody);
    return SendBody("{}");
  }
  Step::Kind Answer(int status) {
    http::ResponseHead head;
    head.status = status;
    return exchange_.OnResponseHead(head, clock_.Now()).kind;
  }
  void End() {
    if (exchange_.active()) exchange_.End(Outcome::kComplete, 200, clock_.Now());
    for (const Endpoint& endpoint : entry_->pool.endpoints) {
      EXPECT_EQ(endpoint.state->in_flight_requests.load(), 0);
    }
  }
  int InFlight() const {
    int sum = 0;
    for (const Endpoint& endpoint : entry_->pool.endpoints) {
      sum += endpoint.state->in_flight_requests.load();
    }
    return sum;
  }

  std::shared_ptr<PoolEntry> entry_;
  std::shared_ptr<RouteRule> rule_ = RuleToThePool();
};

TEST_F(RetryTest, WithoutAPolicyAnAnswerIsAnAnswer) {
  ASSERT_EQ(Ask().kind, Step::Kind::kForward);
  EXPECT_EQ(Answer(500), Step::Kind::kContinue);
}

TEST_F(RetryTest, AnswersOfTheCodesAreAskedElsewhereUntilAttemptsAreUsedUp) {
  Policy() = {.codes = {503}, .attempts = 2};
  ASSERT_EQ(Ask().kind, Step::Kind::kForward);
  std::set<std::string> asked{exchange_.endpoint().address};
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(Answer(503), Step::Kind::kForward);
    EXPECT_TRUE(asked.insert(exchange_.endpoint().address).second) << "others first";
    EXPECT_EQ(InFlight(), 1);
  }
  EXPECT_EQ(Answer(503), Step::Kind::kContinue) << "the last one's answer is the client's";
  EXPECT_THAT(registry_.Render(),
              HasSubstr("penstock_retries_total{pool=\"default/qwen\",reason=\"error_status\"} 2"));
}

TEST_F(RetryTest, OtherCodesAreTheClients) {
  Policy() = {.codes = {503}};
  ASSERT_EQ(Ask().kind, Step::Kind::kForward);
  EXPECT_EQ(Answer(500), Step::Kind::kContinue);
}

TEST_F(RetryTest, NoAttemptsAreNone) {
  Policy() = {.codes = {503}, .attempts = 0};
  ASSERT_EQ(Ask("GET").kind, Step::Kind::kForward);
  EXPECT_EQ(Answer(503), Step::Kind::kContinue);
  End();
  ASSERT_EQ(Ask("GET").kind, Step::Kind::kForward);
  EXPECT_EQ(exchange_.OnTryFailed(TryFailure::kConnectRefused, false, clock_.Now()).kind,
            Step::Kind::kRespond);
  End();
  ASSERT_EQ(Ask("GET").kind, Step::Kind::kForward);
  EXPECT_EQ(exchange_.OnTryTimeout(clock_.Now()).rejection, Rejection::kTimeout);
}

TEST_F(RetryTest, TheOnlyEndpointIsAskedAgain) {
  AddEndpoints(1);
  Policy() = {.codes = {500}, .attempts = 3};
  ASSERT_EQ(Ask().kind, Step::Kind::kForward);
  for (int i = 0; i < 3; ++i) ASSERT_EQ(Answer(500), Step::Kind::kForward);
  EXPECT_EQ(Answer(500), Step::Kind::kContinue);
}

TEST_F(RetryTest, ConnectionsThatFailCountLikeCodes) {
  Policy() = {.attempts = 4};
  ASSERT_EQ(Ask("GET").kind, Step::Kind::kForward);
  for (int i = 0; i < 4; ++i) {
    ASSERT_EQ(exchange_.OnTryFailed(TryFailure::kConnectRefused, false, clock_.Now()).kind,
              Step::Kind::kForward);
  }
  EXPECT_EQ(exchange_.OnTryFailed(TryFailure::kConnectRefused, false, clock_.Now()).kind,
            Step::Kind::kRespond);
}

TEST_F(RetryTest, WhatMayHaveBeenExecutedIsRepeatedOnCodesOnly) {
  entry_->pool.kind = Pool::Kind::kService;
  Policy() = {.codes = {503}, .attempts = 3};
  ASSERT_EQ(Ask("POST").kind, Step::Kind::kForward);
  ASSERT_EQ(Answer(503), Step::Kind::kForward) << "the user asked for it";
  EXPECT_EQ(exchange_.OnTryFailed(TryFailure::kReset, true, clock_.Now()).kind,
            Step::Kind::kRespond);
  End();
  ASSERT_EQ(Ask("POST").kind, Step::Kind::kForward);
  EXPECT_EQ(exchange_.OnTryTimeout(clock_.Now()).kind, Step::Kind::kRespond);
  End();
  Policy() = {.codes = {504}, .attempts = 3};
  ASSERT_EQ(Ask("POST").kind, Step::Kind::kForward);
  EXPECT_EQ(exchange_.OnTryTimeout(clock_.Now()).kind, Step::Kind::kForward);
  End();
  ASSERT_EQ(Ask("GET").kind, Step::Kind::kForward);
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(exchange_.OnTryFailed(TryFailure::kReset, true, clock_.Now()).kind,
              Step::Kind::kForward);
  }
}

TEST_F(RetryTest, ATryThatTakesTooLongIsFollowedByAnother) {
  Policy() = {.attempts = 1};
  ASSERT_EQ(Ask().kind, Step::Kind::kForward);
  ASSERT_EQ(exchange_.OnTryTimeout(clock_.Now()).kind, Step::Kind::kForward);
  const Step step = exchange_.OnTryTimeout(clock_.Now());
  EXPECT_EQ(step.kind, Step::Kind::kRespond);
  EXPECT_EQ(step.rejection, Rejection::kTimeout);
}

TEST_F(RetryTest, WhileItBacksOffNothingIsHeld) {
  Policy() = {.codes = {503}, .attempts = 2, .back_off = milliseconds(100)};
  ASSERT_EQ(Ask().kind, Step::Kind::kForward);
  Duration before{};
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(Answer(503), Step::Kind::kBackOff);
    EXPECT_TRUE(exchange_.backs_off());
    EXPECT_EQ(InFlight(), 0);
    EXPECT_GE(exchange_.back_off(), milliseconds(100 << i));
    EXPECT_GT(exchange_.back_off(), before);
    before = exchange_.back_off();
    clock_.Advance(exchange_.back_off());
    ASSERT_EQ(exchange_.OnBackOffOver(clock_.Now()).kind, Step::Kind::kForward);
    EXPECT_FALSE(exchange_.backs_off());
    EXPECT_EQ(InFlight(), 1);
  }
  EXPECT_EQ(Answer(503), Step::Kind::kContinue);
}

TEST_F(RetryTest, AClientMayLeaveWhileItBacksOff) {
  Policy() = {.codes = {503}, .back_off = milliseconds(100)};
  ASSERT_EQ(Ask().kind, Step::Kind::kForward);
  ASSERT_EQ(Answer(503), Step::Kind::kBackOff);
  exchange_.End(Outcome::kClientLeft, 0, clock_.Now());
  ASSERT_EQ(Ask().kind, Step::Kind::kForward) << "the next request begins afresh";
  EXPECT_FALSE(exchange_.backs_off());
}

TEST_F(RetryTest, AnEndpointIsChargedForWhatItAnswered) {
  AddEndpoints(1);
  Policy() = {.codes = {500}, .attempts = 3};
  ASSERT_EQ(Ask().kind, Step::Kind::kForward);
  for (int i = 0; i < 3; ++i) ASSERT_EQ(Answer(500), Step::Kind::kForward);
  EXPECT_TRUE(IsEjected(*entry_->pool.endpoints[0].state)) << "three in a row";
}

}  // namespace
}  // namespace gw
