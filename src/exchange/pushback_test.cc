// What becomes of requests that an endpoint refuses as it has too many, in virtual time.

#include "pool/pushback.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/check.h"
#include "exchange/test_exchange.h"
#include "pool/health.h"
#include "routing/retry.h"

namespace gw {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

class PushbackTest : public ExchangeFixture {
 protected:
  void SetUp() override { Make(3); }
  ~PushbackTest() override {
    if (exchange_.active()) End(200);
    for (const Endpoint& endpoint : entry_->pool.endpoints) {
      EXPECT_EQ(endpoint.state->in_flight_requests.load(), 0);
    }
  }

  void Make(int endpoints) {
    std::vector<std::string> addresses;
    for (int i = 0; i < endpoints; ++i) {
      addresses.push_back("127.0.0." + std::to_string(11 + i) + ":8000");
    }
    entry_ = MakePool("default/qwen", addresses);
  }
  Step Ask() {
    clock_.Advance(milliseconds(1));
    const Step head = SendHead(SnapshotOf(entry_, {kPort}, rule_),
                               "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n"
                               "x-request-id: r\r\nContent-Length: 2\r\n\r\n");
    CHECK(head.kind == Step::Kind::kReadBody);
    const Step step = SendBody(R"({"model":"m","messages":[{"role":"user","content":"hi"}]})");
    clock_.Advance(milliseconds(1));
    return step;
  }
  Step::Kind Answer(int status, const char* retry_after = nullptr) {
    http::ResponseHead head;
    head.status = status;
    if (retry_after != nullptr) head.headers.Add("retry-after", retry_after);
    return exchange_.OnResponseHead(head, clock_.Now()).kind;
  }
  RequestRecord End(int status) {
    exchange_.OnResponseEnd(clock_.Now());
    exchange_.End(Outcome::kComplete, status, clock_.Now());
    return *environment_.history.Find("r");
  }
  EndpointState& Asked() { return *exchange_.endpoint().state; }
  Share ShareOfAsked() { return ShareOf(Asked(), clock_.Now()); }

  std::shared_ptr<PoolEntry> entry_;
  std::shared_ptr<RouteRule> rule_ = RuleToThePool();
};

TEST_F(PushbackTest, WhatIsRefusedIsTriedElsewhereAndCountsAsNoFailure) {
  for (const int status : {429, 503}) {
    ASSERT_EQ(Ask().kind, Step::Kind::kForward);
    EndpointState& first = Asked();
    ASSERT_EQ(Answer(status), Step::Kind::kForward);
    EXPECT_NE(&Asked(), &first);
    EXPECT_EQ(first.in_flight_requests, 0);
    EXPECT_EQ(ShareOf(first, clock_.Now()).allowed, 1);
    EXPECT_EQ(PenaltyOf(first, clock_.Now()), 0);
    EXPECT_EQ(TakeDoubt(first), status == 503) << "that alone asks for a probe";
    EXPECT_EQ(Answer(200), Step::Kind::kContinue);
    const RequestRecord record = End(200);
    EXPECT_EQ(record.tries, 2);
    EXPECT_EQ(record.all_tries[0].reason, "pushed_back");
    EXPECT_EQ(record.all_tries[0].detail, "status " + std::to_string(status));
  }
  EXPECT_THAT(registry_.Render(),
              HasSubstr(R"(penstock_retries_total{pool="default/qwen",reason="pushed_back"} 2)"));
  EXPECT_THAT(registry_.Render(),
              HasSubstr(R"(penstock_endpoint_pushbacks_total{pool="default/qwen"} 2)"));
}

TEST_F(PushbackTest, TheLastOnesRefusalIsTheClients) {
  ASSERT_EQ(Ask().kind, Step::Kind::kForward);
  EXPECT_EQ(Answer(429), Step::Kind::kForward);
  EXPECT_EQ(Answer(503), Step::Kind::kForward);
  EXPECT_EQ(Answer(429), Step::Kind::kContinue);
  const RequestRecord record = End(429);
  EXPECT_EQ(record.tries, 3);
  EXPECT_EQ(record.status, 429);
  for (const Endpoint& endpoint : entry_->pool.endpoints) EXPECT_FALSE(IsEjected(*endpoint.state));
}

TEST_F(PushbackTest, NobodyWhoPushesBackIsAskedInPlaceOfOneWhoDoes) {
  for (size_t i = 1; i < 3; ++i) {
    RecordPushback(*entry_->pool.endpoints[i].state, clock_.Now(), clock_.Now(), seconds(9));
  }
  ASSERT_EQ(Ask().kind, Step::Kind::kForward);
  EXPECT_EQ(&Asked(), entry_->pool.endpoints[0].state.get());
  EXPECT_EQ(Answer(429, "3"), Step::Kind::kContinue);
  EXPECT_EQ(ShareOfAsked().paused_for, seconds(3));
  const RequestRecord record = End(429);
  ASSERT_EQ(record.left_out_count, 2u);
  EXPECT_EQ(record.left_out[0].endpoint, "127.0.0.12:8000");
  EXPECT_EQ(record.left_out[0].allowed_requests, 1);
  EXPECT_GT(record.left_out[0].paused_ms, 8000);
}

TEST_F(PushbackTest, OneThatPausesIsAskedAgainWhenThatIsOver) {
  Make(2);
  ASSERT_EQ(Ask().kind, Step::Kind::kForward);
  EndpointState& paused = Asked();
  ASSERT_EQ(Answer(429, "5"), Step::Kind::kForward);
  EXPECT_EQ(Answer(200), Step::Kind::kContinue);
  End(200);
  const auto is_asked = [&] {
    CHECK(Ask().kind == Step::Kind::kForward);
    const bool asked = &Asked() == &paused;
    CHECK(Answer(200) == Step::Kind::kContinue);
    End(200);
    return asked;
  };
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(is_asked());
  clock_.Advance(seconds(5));
  bool asked = false;
  for (int i = 0; i < 100 && !asked; ++i) asked = is_asked();
  EXPECT_TRUE(asked);
}

TEST_F(PushbackTest, IfAllPauseRequestsStillGo) {
  for (const Endpoint& endpoint : entry_->pool.endpoints) {
    RecordPushback(*endpoint.state, clock_.Now(), clock_.Now(), seconds(9));
  }
  EXPECT_EQ(Ask().kind, Step::Kind::kForward);
  EXPECT_EQ(Answer(200), Step::Kind::kContinue);
  EXPECT_EQ(End(200).left_out_count, 0u);
}

TEST_F(PushbackTest, MalformedRetryAfterIsIgnored) {
  Make(1);
  ASSERT_EQ(Ask().kind, Step::Kind::kForward);
  EXPECT_EQ(Answer(429, "soon"), Step::Kind::kContinue);
  EXPECT_EQ(ShareOfAsked().paused_for, seconds(0));
  EXPECT_EQ(ShareOfAsked().allowed, 1);
}

TEST_F(PushbackTest, ADateIsTakenByTheWallClock) {
  Make(1);
  ASSERT_EQ(Ask().kind, Step::Kind::kForward);
  EXPECT_EQ(Answer(503, "Thu, 01 Jan 1970 00:00:11 GMT"), Step::Kind::kContinue);
  EXPECT_EQ(ShareOfAsked().paused_for, seconds(10)) << "the clock began at its first second";
}

TEST_F(PushbackTest, ARuleThatSaysWhatIsRetriedSaysItOfThese) {
  auto policy = std::make_shared<RetryPolicy>();
  policy->codes = {500};
  rule_->retry = policy;
  ASSERT_EQ(Ask().kind, Step::Kind::kForward);
  EXPECT_EQ(Answer(429), Step::Kind::kContinue);
  EXPECT_EQ(ShareOfAsked().allowed, 1) << "which costs the endpoint as much";
}

TEST_F(PushbackTest, AServicesAnswerIsNoPushback) {
  entry_->pool.kind = Pool::Kind::kService;
  ASSERT_EQ(Ask().kind, Step::Kind::kForward);
  EXPECT_EQ(Answer(429, "5"), Step::Kind::kContinue);
  EXPECT_FALSE(ShareOfAsked().is_limited());
}

TEST_F(PushbackTest, SuccessesGrowTheShareUntilTheLimitIsGone) {
  Make(1);
  ASSERT_EQ(Ask().kind, Step::Kind::kForward);
  EXPECT_EQ(Answer(429), Step::Kind::kContinue);
  End(429);
  EndpointState& state = *entry_->pool.endpoints[0].state;
  int served = 0;
  for (; ShareOf(state, clock_.Now()).is_limited(); ++served) {
    ASSERT_LT(served, 100);
    ASSERT_EQ(Ask().kind, Step::Kind::kForward);
    EXPECT_EQ(Answer(200), Step::Kind::kContinue);
    End(200);
  }
  EXPECT_EQ(served, 1 + 2 + 3 + 4 + 5 + 6 + 7);
}

}  // namespace
}  // namespace gw
