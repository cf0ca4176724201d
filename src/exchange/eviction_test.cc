// Requests in flight that their queue wants ended for others, in virtual time.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <functional>

#include "base/check.h"
#include "exchange/test_exchange.h"
#include "routing/retry.h"

namespace gw {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

// One request of priority 0 at a pool that ends those below 1.
class EvictedExchangeTest : public ExchangeFixture, public Waiter {
 protected:
  EvictedExchangeTest() {
    environment_.room = &room_;
    entry_ = MakePool("default/qwen", {"127.0.0.11:8000", "127.0.0.12:8000"});
    entry_->queueing = QueueOptions{.evict_below = 1};
    entry_->queue = std::make_shared<RequestQueue>(clock_);
    SetRoom(1'000'000);
  }
  ~EvictedExchangeTest() override {
    if (evicted_.active()) End(Outcome::kClientLeft, 0);
    SetRoom(1'000'000);
  }
  void SetRoom(int64_t room) {
    entry_->queue->SetPool(*entry_->queueing, [room](TimePoint, int64_t) { return room; });
  }
  void OnGateAnswer(GateAnswer) override { FAIL() << "it does not wait"; }
  void OnEvicted(int for_priority) override {
    ++told_;
    step_ = evicted_.OnEvicted(for_priority);
  }
  Step Ask(std::string_view body = R"({"model":"m","prompt":"a","stream":true})") {
    text_ = "POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n";
    parser_.Reset();
    CHECK(parser_.Next(text_).event == http::H1Event::kHead);
    evicted_.Begin(SnapshotOf(entry_, {kPort}, rule_), {kPort}, "127.0.0.1", clock_.Now());
    CHECK(evicted_.OnRequestHead(parser_.head()).kind == Step::Kind::kReadBody);
    body_.assign(body);
    body_.reserve(body_.size() + Exchange::kBodyPadding);
    return evicted_.OnRequestBody(body_, clock_.Now());
  }
  void Head(int status, std::string_view type) {
    http::ResponseHead head;
    head.status = status;
    head.headers.Add("content-type", type);
    head_step_ = evicted_.OnResponseHead(head, clock_.Now());
  }
  // A request of that priority comes and finds no room.
  void WaitsForRoom(int priority, FairQueue::Id id = 1'000'000) {
    SetRoom(0);
    CHECK(entry_->queue->Wait({.id = id, .priority = priority, .tokens = 1}, [this](Grant grant) {
      served_.push_back(std::move(grant));
    }) == FairQueue::Refused::kNo);
    RunPosted();
  }
  void RunPosted() {
    std::deque<std::function<void()>> tasks;
    tasks.swap(posted_);
    for (const auto& task : tasks) task();
  }
  RequestRecord End(Outcome outcome, int status) {
    evicted_.End(outcome, status, clock_.Now());
    return *environment_.history.FindLast("");
  }
  bool Counted(const std::string& sample) const {
    return registry_.Render().find(sample) != std::string::npos;
  }

  std::deque<std::function<void()>> posted_;
  WaitingRoom room_{[this](auto task) { posted_.push_back(std::move(task)); }};
  std::shared_ptr<PoolEntry> entry_;
  std::shared_ptr<RouteRule> rule_ = RuleToThePool();
  Exchange evicted_{environment_, this};
  std::string text_, body_;
  http::RequestParser parser_;
  std::vector<Grant> served_;
  Step step_;
  Step head_step_;
  int told_ = 0;
};

TEST_F(EvictedExchangeTest, BeforeItsFirstByteItIsRefusedAndTellsWhenToComeAgain) {
  ASSERT_EQ(Ask().kind, Step::Kind::kForward);
  WaitsForRoom(3);
  EXPECT_EQ(step_.kind, Step::Kind::kRespond);
  EXPECT_EQ(step_.rejection, Rejection::kEvicted);
  EXPECT_GE(evicted_.RetryAfterSeconds(step_.rejection), 1);
  const RequestRecord record = End(Outcome::kEvicted, 429);
  EXPECT_EQ(record.outcome, "evicted");
  EXPECT_EQ(record.reason, "evicted");
  EXPECT_EQ(record.queue_result, "evicted");
  EXPECT_EQ(record.evicted_for, 3);
  EXPECT_TRUE(Counted(R"(penstock_rejections_total{reason="evicted"} 1)"));
  EXPECT_TRUE(Counted(R"(priority="0",result="evicted",tenant=""} 1)"));
  EXPECT_EQ(room_.size(), 0u);
  for (const Endpoint& endpoint : entry_->pool.endpoints) {
    EXPECT_EQ(endpoint.state->in_flight_requests.load(), 0);
  }
}

TEST_F(EvictedExchangeTest, AStreamIsToldInIt) {
  Ask();
  Head(200, "text/event-stream");
  evicted_.OnResponseBody("data: {\"choices\":[{\"text\":\"a\"}]}\n\n", clock_.Now());
  WaitsForRoom(1);
  EXPECT_EQ(step_.rejection, Rejection::kEvicted);
  EXPECT_THAT(evicted_.ErrorEventFor(step_.rejection), HasSubstr(R"("code":"evicted")"));
  End(Outcome::kEvicted, 200);
}

TEST_F(EvictedExchangeTest, AWholeAnswerThatHasBegunGoesOn) {
  Ask(R"({"model":"m","prompt":"a"})");
  Head(200, "application/json");
  evicted_.OnResponseBody("{", clock_.Now());
  WaitsForRoom(1);
  EXPECT_EQ(told_, 0);
}

TEST_F(EvictedExchangeTest, ItGoesOnIfItsAnswerHasBegunOnTheWay) {
  Ask(R"({"model":"m","prompt":"a"})");
  SetRoom(0);
  entry_->queue->Wait({.id = 7'000'000, .priority = 1, .tokens = 1}, [](Grant) {});
  Head(200, "application/json");
  evicted_.OnResponseBody("{", clock_.Now());
  RunPosted();
  EXPECT_EQ(told_, 1);
  EXPECT_EQ(step_.kind, Step::Kind::kContinue);
  EXPECT_EQ(End(Outcome::kComplete, 200).queue_result, "passed");
}

TEST_F(EvictedExchangeTest, AStreamWhoseLastEventHasComeIsComplete) {
  Ask();
  Head(200, "text/event-stream");
  evicted_.OnResponseBody("data: {\"choices\":[{\"text\":\"a\"}]}\n\ndata: [DONE]\n\n",
                          clock_.Now());
  WaitsForRoom(1);
  EXPECT_EQ(told_, 1);
  EXPECT_EQ(step_.kind, Step::Kind::kContinue);
}

TEST_F(EvictedExchangeTest, OneThatHasEndedHearsNothing) {
  Ask();
  SetRoom(0);
  entry_->queue->Wait({.id = 7'000'000, .priority = 1, .tokens = 1}, [](Grant) {});
  End(Outcome::kClientLeft, 0);
  Ask(R"({"model":"m","prompt":"b"})");  // the next one of the same client waits
  RunPosted();
  EXPECT_EQ(told_, 0);
}

TEST_F(EvictedExchangeTest, BetweenTwoTriesThereIsNothingToEnd) {
  auto policy = std::make_shared<RetryPolicy>();
  policy->attempts = 2;
  policy->codes = {503};
  policy->back_off = std::chrono::hours(1);
  rule_->retry = policy;
  Ask();
  Head(503, "text/plain");
  ASSERT_EQ(head_step_.kind, Step::Kind::kBackOff);
  WaitsForRoom(1);
  EXPECT_EQ(told_, 0);
  ASSERT_EQ(evicted_.OnBackOffOver(clock_.Now()).kind, Step::Kind::kForward);
  RunPosted();
  EXPECT_EQ(told_, 1);
  EXPECT_EQ(step_.rejection, Rejection::kEvicted);
  End(Outcome::kEvicted, 429);
}

TEST_F(EvictedExchangeTest, OneThatEndsOthersIsNotTold) {
  entry_->queueing->evict_below = 0;
  SetRoom(1'000'000);
  Ask();
  WaitsForRoom(5);
  EXPECT_EQ(told_, 0);
  EXPECT_EQ(room_.size(), 0u);
}

}  // namespace
}  // namespace gw
