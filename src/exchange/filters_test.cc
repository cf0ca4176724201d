// What the filters of a route answer in the endpoints' place, and which of them hold for a request.

#include <gtest/gtest.h>

#include "exchange/test_exchange.h"

namespace gw {
namespace {

constexpr uint16_t kPort = 8080;
constexpr std::string_view kPreflight =
    "Origin: https://a.test\r\nAccess-Control-Request-Method: POST\r\n";

class FiltersTest : public ExchangeFixture {
 protected:
  FiltersTest() {
    entry_->pool.id = "default/qwen";
    Endpoint endpoint;
    endpoint.name = "qwen-0";
    endpoint.address = "127.0.0.11:8000";
    endpoint.state = table_.Get(endpoint.address);
    entry_->pool.endpoints.push_back(endpoint);
    entry_->profile = ProfileFor(RoutingStrategy::kDefault);
    entry_->load_profile = LoadProfile();
    rule_->filters = rule_filters_;
    rule_->destinations[0].filters = destination_filters_;
  }
  ~FiltersTest() override {
    if (exchange_.active()) exchange_.End(Outcome::kComplete, 200, clock_.Now());
  }

  Step Head(std::string_view method, std::string_view target, std::string_view fields = "") {
    return SendHead(SnapshotOf(entry_, {kPort}, rule_),
                    std::string(method) + " " + std::string(target) +
                        " HTTP/1.1\r\nHost: a.test:1\r\n" + std::string(fields) + "\r\n");
  }
  Step Body(std::string_view body) { return SendBody(body); }

  std::shared_ptr<PoolEntry> entry_ = std::make_shared<PoolEntry>();
  std::shared_ptr<RouteRule> rule_ = RuleToThePool();
  std::shared_ptr<RouteFilters> rule_filters_ = std::make_shared<RouteFilters>();
  std::shared_ptr<RouteFilters> destination_filters_ = std::make_shared<RouteFilters>();
};

TEST_F(FiltersTest, ARedirectNeedsNoDestinationAndNoBody) {
  rule_filters_->redirect = {.hostname = "b.test", .status = 308};
  rule_->destinations.clear();
  rule_->total_weight = 0;
  EXPECT_EQ(Head("POST", "/v1/chat/completions?x=y", "Content-Length: 9\r\n").kind,
            Step::Kind::kAnswer);
  EXPECT_EQ(exchange_.filter_answer().status, 308);
  EXPECT_EQ(exchange_.filter_answer().location, "http://b.test:8080/v1/chat/completions?x=y");
}

TEST_F(FiltersTest, AModelListIsRedirectedToo) {
  rule_filters_->redirect = Redirect();
  EXPECT_EQ(Head("GET", "/v1/models").kind, Step::Kind::kAnswer);
  EXPECT_EQ(exchange_.filter_answer().location, "http://a.test:8080/v1/models");
}

TEST_F(FiltersTest, ARuleThatCannotBeServedDoesNotRedirect) {
  rule_filters_->redirect = Redirect();
  rule_->unsupported = "something";
  const Step step = Head("GET", "/v1/x");
  EXPECT_EQ(step.kind, Step::Kind::kRespond);
  EXPECT_EQ(step.rejection, Rejection::kRuleUnsupported);
}

TEST_F(FiltersTest, TheRedirectOfADestinationIsForRequestsToIt) {
  destination_filters_->redirect = {.hostname = "b.test", .port = 80};
  EXPECT_EQ(Head("GET", "/v1/x").kind, Step::Kind::kAnswer);
  EXPECT_EQ(exchange_.filter_answer().location, "http://b.test/v1/x");
}

TEST_F(FiltersTest, APoolThatTheModelDecidesOfIsRedirectedAfterTheBody) {
  entry_->pool.kind = Pool::Kind::kInferencePool;
  entry_->models = ModelTable(std::vector<ModelBinding>{{"m", Criticality::kCritical, {}}});
  destination_filters_->redirect = {.hostname = "b.test", .port = 80, .status = 307};
  rule_->destinations.push_back({Destination::Kind::kInvalid, 0, 0});
  ASSERT_EQ(Head("POST", "/v1/chat/completions", "Content-Length: 9\r\n").kind,
            Step::Kind::kReadBody);
  EXPECT_EQ(Body(R"({"model":"m","messages":[]})").kind, Step::Kind::kAnswer);
  EXPECT_EQ(exchange_.filter_answer().status, 307);
}

TEST_F(FiltersTest, APreflightIsAnsweredWhereThereIsAPolicy) {
  EXPECT_EQ(Head("OPTIONS", "/v1/models", kPreflight).kind, Step::Kind::kReadBody);
  exchange_.End(Outcome::kComplete, 200, clock_.Now());
  rule_filters_->cors.emplace();
  rule_filters_->redirect = Redirect();
  EXPECT_EQ(Head("OPTIONS", "/v1/models", kPreflight).kind, Step::Kind::kAnswer);
  EXPECT_EQ(exchange_.filter_answer().status, 200);
  EXPECT_EQ(exchange_.filter_answer().location, "");
}

TEST_F(FiltersTest, BothSetsHoldOnceThePoolIsFound) {
  EXPECT_EQ(Head("GET", "/v1/x").kind, Step::Kind::kReadBody);
  EXPECT_EQ(exchange_.filters().rule, rule_filters_.get());
  EXPECT_EQ(exchange_.filters().destination, destination_filters_.get());
  EXPECT_EQ(Body("").kind, Step::Kind::kForward);
  EXPECT_EQ(exchange_.OnTryFailed(TryFailure::kConnectRefused, false, clock_.Now()).kind,
            Step::Kind::kRespond);
  EXPECT_EQ(exchange_.filters().destination, destination_filters_.get())
      << "another try has them, too";
  exchange_.End(Outcome::kRejected, 503, clock_.Now());
  EXPECT_EQ(exchange_.filters().rule, nullptr);
  EXPECT_EQ(exchange_.filters().destination, nullptr);
}

}  // namespace
}  // namespace gw
