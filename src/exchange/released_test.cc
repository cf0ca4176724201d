// What requests leave at the release whose version served them.

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>

#include "base/check.h"
#include "exchange/test_exchange.h"
#include "release/split.h"

namespace gw {
namespace {

using release::Samples;

constexpr uint64_t kWindow = 7;

http::ResponseHead HeadOf(int status, std::string_view type = "application/json") {
  http::ResponseHead head;
  head.status = status;
  head.headers.Add("content-type", type);
  return head;
}

// A rule that leads to the candidate's pool of two endpoints, or to another one.
class ReleasedTest : public ExchangeFixture {
 protected:
  void SetUp() override {
    candidate_ = MakePool("default/v2", {"10.0.0.1:8000", "10.0.0.2:8000"});
    far_ = MakePool("default/far", {"192.0.2.1:8000"});
    rule_ = RuleToThePool();
    rule_->destinations.insert(rule_->destinations.begin(),
                               {.kind = Destination::Kind::kPool, .pool = 1, .weight = 0});
    sink_ = std::make_shared<release::SampleSink>();
    sink_->Open(kWindow);
    rule_->release_split = std::make_shared<release::Split>(
        release::Split{"default/r", /*stable=*/0, /*candidate=*/1, kWindow, sink_});
  }
  Step Ask() {
    auto snapshot = std::make_shared<Snapshot>(*SnapshotOf(candidate_, {kPort}, rule_));
    snapshot->pools.push_back(far_);
    const Step head = SendHead(snapshot,
                               "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n"
                               "x-request-id: r\r\nContent-Length: 2\r\n\r\n");
    if (head.kind != Step::Kind::kReadBody) return head;
    return SendBody(R"({"model":"m","messages":[{"role":"user","content":"hi"}]})");
  }
  void Answer(int status, std::string_view body) {
    CHECK(exchange_.OnResponseHead(HeadOf(status), clock_.Now()).kind == Step::Kind::kContinue);
    exchange_.OnResponseBody(body, clock_.Now());
    exchange_.OnResponseEnd(clock_.Now());
  }
  // Of the candidate; the stable version must have got none.
  release::VersionSamples End(Outcome outcome = Outcome::kComplete, int status = 200) {
    exchange_.End(outcome, status, clock_.Now());
    const Samples samples = sink_->Take();
    EXPECT_EQ(samples.stable.requests, 0);
    return samples.candidate;
  }
  release::VersionSamples Refused(const Step& step, Rejection rejection) {
    EXPECT_EQ(step.kind, Step::Kind::kRespond);
    EXPECT_EQ(step.rejection, rejection);
    return End(Outcome::kRejected, InfoOf(rejection).status);
  }
  static void ExpectOneError(const release::VersionSamples& samples) {
    EXPECT_EQ(samples.requests, 1);
    EXPECT_EQ(samples.errors, 1);
  }
  Step Fail(TryFailure failure) { return exchange_.OnTryFailed(failure, false, clock_.Now()); }

  std::shared_ptr<PoolEntry> candidate_;
  std::shared_ptr<PoolEntry> far_;
  std::shared_ptr<RouteRule> rule_;
  std::shared_ptr<release::SampleSink> sink_;
  Breakers breakers_;
};

TEST_F(ReleasedTest, AnAnswerLeavesItsTimesAndItsEnd) {
  ASSERT_EQ(Ask().kind, Step::Kind::kForward);
  clock_.Advance(std::chrono::milliseconds(300));
  const Step step = exchange_.OnResponseHead(HeadOf(200, "text/event-stream"), clock_.Now());
  ASSERT_EQ(step.kind, Step::Kind::kContinue);
  for (const char* reason : {"null", "null", "\"length\""}) {
    exchange_.OnResponseBody(std::string(R"(data: {"choices":[{"delta":{"content":"a"},)") +
                                 R"("finish_reason":)" + reason + "}]}\n\n",
                             clock_.Now());
    clock_.Advance(std::chrono::milliseconds(10));
  }
  exchange_.OnResponseBody("data: [DONE]\n\n", clock_.Now());
  exchange_.OnResponseEnd(clock_.Now());
  const release::VersionSamples samples = End();
  EXPECT_EQ(samples.requests, 1);
  EXPECT_EQ(samples.errors, 0);
  EXPECT_EQ(samples.finished, 1);
  EXPECT_EQ(samples.ended_by_length, 1);
  EXPECT_NEAR(std::exp(samples.ttft.mean()), 0.3, 1e-9);
  EXPECT_NEAR(std::exp(samples.tpot.mean()), 0.015, 1e-9);  // 30 ms for the two behind the first
  EXPECT_EQ(environment_.history.Find("r")->release, "default/r candidate");
}

TEST_F(ReleasedTest, AnErrorIsOneWhoeverHasMadeIt) {
  for (const int status : {400, 500}) {
    ASSERT_EQ(Ask().kind, Step::Kind::kForward);
    Answer(status, R"({"error":{}})");
    ExpectOneError(End(Outcome::kComplete, status));
  }
  for (const Outcome outcome :
       {Outcome::kUpstreamBroke, Outcome::kErrorEvent, Outcome::kTimedOut}) {
    ASSERT_EQ(Ask().kind, Step::Kind::kForward);
    Answer(200, "{");
    ExpectOneError(End(outcome));
  }
}

TEST_F(ReleasedTest, WhoHasLeftSaysNothing) {
  ASSERT_EQ(Ask().kind, Step::Kind::kForward);
  EXPECT_EQ(End(Outcome::kClientLeft, 0).requests, 0);
}

TEST_F(ReleasedTest, WhatARetryHidesIsStillAnError) {
  ASSERT_EQ(Ask().kind, Step::Kind::kForward);
  ASSERT_EQ(Fail(TryFailure::kConnectRefused).kind, Step::Kind::kForward);
  Answer(200, "{}");
  const release::VersionSamples samples = End();
  EXPECT_EQ(samples.requests, 2);
  EXPECT_EQ(samples.errors, 1);
}

TEST_F(ReleasedTest, WhatIsPushedBackIsAnErrorThoughTheOtherEndpointTakesIt) {
  ASSERT_EQ(Ask().kind, Step::Kind::kForward);
  ASSERT_EQ(exchange_.OnResponseHead(HeadOf(429), clock_.Now()).kind, Step::Kind::kForward);
  Answer(200, "{}");
  const release::VersionSamples samples = End();
  EXPECT_EQ(samples.requests, 2);
  EXPECT_EQ(samples.errors, 1);
}

TEST_F(ReleasedTest, TriesThatFailAndTheirRefusalAreNoMoreThanTheTries) {
  ASSERT_EQ(Ask().kind, Step::Kind::kForward);
  ASSERT_EQ(Fail(TryFailure::kConnectRefused).kind, Step::Kind::kForward);
  const Step step = Fail(TryFailure::kConnectRefused);
  const release::VersionSamples samples = Refused(step, step.rejection);
  EXPECT_EQ(samples.requests, 2);
  EXPECT_EQ(samples.errors, 2);
}

TEST_F(ReleasedTest, WhatIsTheGatewaysOwnIsNone) {
  ASSERT_EQ(Ask().kind, Step::Kind::kForward);
  Fail(TryFailure::kStaleConnection);
  Fail(TryFailure::kUnreachable);
  Answer(200, "{}");
  const release::VersionSamples samples = End();
  EXPECT_EQ(samples.requests, 1);
  EXPECT_EQ(samples.errors, 0);
}

TEST_F(ReleasedTest, APoolThatCannotServeIsAnError) {
  candidate_->pool.endpoints.clear();
  ExpectOneError(Refused(Ask(), Rejection::kNoEndpoint));
  candidate_->unservable = "for a reason";
  ExpectOneError(Refused(Ask(), Rejection::kPoolUnservable));
}

TEST_F(ReleasedTest, ALimitOfThePoolIsAnErrorAndOneOfTheRouteIsNone) {
  Breaker::Place other;
  candidate_->breaker = breakers_.Get("pool", {.requests_max = 1});
  ASSERT_TRUE(other.Take(candidate_->breaker, &Breaker::requests));
  ExpectOneError(Refused(Ask(), Rejection::kMaxRequests));
  candidate_->breaker = nullptr;
  rule_->breaker = breakers_.Get("route", {.requests_max = 1});
  ASSERT_TRUE(other.Take(rule_->breaker, &Breaker::requests));
  EXPECT_EQ(Refused(Ask(), Rejection::kMaxRequests).requests, 0);
}

TEST_F(ReleasedTest, WhatAnotherPoolServesForItIsAnError) {
  candidate_->fallback = 1;
  candidate_->pool.endpoints.clear();
  ASSERT_EQ(Ask().kind, Step::Kind::kForward);
  Answer(200, "{}");
  ExpectOneError(End());
}

}  // namespace
}  // namespace gw
