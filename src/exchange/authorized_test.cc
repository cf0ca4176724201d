#include "exchange/authorized.h"

#include <gtest/gtest.h>

#include "base/check.h"
#include "exchange/exchange.h"
#include "exchange/test_snapshot.h"
#include "http/h1_parser.h"
#include "scheduling/registry.h"

namespace gw {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr uint16_t kPort = 80;

class AuthorizedTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto entry = std::make_shared<PoolEntry>();
    entry->pool.id = "default/qwen";
    Endpoint endpoint;
    endpoint.name = "qwen-0";
    endpoint.address = "127.0.0.11:8000";
    endpoint.state = table_.Get(endpoint.address);
    entry->pool.endpoints.push_back(endpoint);
    entry->profile = ProfileFor(RoutingStrategy::kDefault);
    entry->load_profile = LoadProfile();
    auto keys = std::make_shared<ApiKeys>();
    CHECK(keys->Add("sk-a", std::make_shared<KeyOwner>(KeyOwner{"alice", meter_})));
    CHECK(keys->Add("sk-b", std::make_shared<KeyOwner>(KeyOwner{"bob", nullptr})));
    auto rule = RuleToThePool();
    rule->api_keys = keys;
    snapshot_ = SnapshotOf(entry, {kPort}, rule);
  }

  Step Head(const std::string& fields, const std::string& line = "POST /v1/chat/completions") {
    text_ = line + " HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n" + fields + "\r\n";
    parser_.Reset();
    CHECK(parser_.Next(text_).event == http::H1Event::kHead);
    exchange_.Begin(snapshot_, {kPort}, "127.0.0.1", clock_.Now());
    return exchange_.OnRequestHead(parser_.head());
  }
  Step Body(const std::string& prompt, const std::string& more = "") {
    body_ = R"({"model":"m")" + more + R"(,"messages":[{"role":"user","content":")" + prompt +
            R"("}]})";
    body_.reserve(body_.size() + InferenceParser::kPadding);
    return exchange_.OnRequestBody(body_, clock_.Now());
  }
  Step Ask(const std::string& fields, const std::string& prompt = "hi",
           const std::string& more = "") {
    const Step step = Head(fields);
    return step.kind == Step::Kind::kReadBody ? Body(prompt, more) : step;
  }
  void Answer(int status, const std::string& type, const std::string& body, bool whole = true) {
    http::ResponseHead head;
    head.status = status;
    head.headers.Add("content-type", type);
    exchange_.OnResponseHead(head, clock_.Now());
    exchange_.OnResponseBody(body, clock_.Now());
    if (whole) exchange_.OnResponseEnd(clock_.Now());
  }
  void End(Outcome outcome = Outcome::kComplete, int status = 200) {
    exchange_.End(outcome, status, clock_.Now());
  }
  int Refused(const Step& step) {
    EXPECT_EQ(step.kind, Step::Kind::kRespond);
    const int status = InfoOf(step.rejection).status;
    End(Outcome::kRejected, status);
    return status;
  }
  int64_t TokensLeft() { return meter_->tokens(clock_.Now())->remaining; }
  int64_t RequestsLeft() { return meter_->requests(clock_.Now())->remaining; }

  ManualClock clock_;
  const std::shared_ptr<RateMeter> meter_ =
      std::make_shared<RateMeter>(RateLimits{.requests_per_minute = 5, .tokens_per_minute = 1000});
  PrefixIndex index_{PrefixIndex::Options{}};
  MetricRegistry registry_;
  ExchangeEnvironment environment_{clock_, 1, index_, registry_};
  EndpointTable table_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::string text_, body_;
  http::RequestParser parser_;
  Exchange exchange_{environment_};
};

constexpr char kAlice[] = "Authorization: Bearer sk-a\r\n";
constexpr char kUsage[] = R"({"usage":{"prompt_tokens":100,"completion_tokens":250}})";

TEST_F(AuthorizedTest, WithoutAKeyOrWithAnothersItIs401) {
  for (const char* fields : {"", "Authorization: Bearer sk-x\r\n", "Authorization: Basic sk-a\r\n",
                             "x-api-key: sk-x\r\n", "Authorization: sk-a\r\n",
                             "Authorization: Bearer sk-aa\r\n", "x-api-key: \r\n"}) {
    const Step step = Head(fields);
    EXPECT_EQ(Refused(step), 401) << fields;
    EXPECT_EQ(environment_.history.FindLast("")->owner, "") << fields;
  }
  EXPECT_EQ(RequestsLeft(), 5);
}

TEST_F(AuthorizedTest, EitherFieldHasTheKey) {
  for (const char* fields : {kAlice, "x-api-key: sk-a\r\n", "authorization: bearer sk-a\r\n",
                             "Authorization: Bearer other\r\nx-api-key: sk-a\r\n"}) {
    EXPECT_EQ(Ask(fields).kind, Step::Kind::kForward) << fields;
    EXPECT_EQ(exchange_.authorized().owner(), "alice");
    EXPECT_TRUE(exchange_.authorized().drops_credentials());
    End(Outcome::kClientLeft, 0);
  }
}

TEST_F(AuthorizedTest, TheOwnerIsNotTheNextRequests) {
  ASSERT_EQ(Ask("x-api-key: sk-b\r\n").kind, Step::Kind::kForward);
  End(Outcome::kClientLeft, 0);
  EXPECT_EQ(Refused(Head("")), 401);
  EXPECT_EQ(exchange_.authorized().owner(), "");
  EXPECT_EQ(Refused(Head("x-api-key: no\r\n")), 401);
  EXPECT_FALSE(exchange_.authorized().drops_credentials());
}

TEST_F(AuthorizedTest, AModelListHasTheRulesThatItsClientMayAsk) {
  RouteTable::Entry keyed;
  keyed.hostname = "*";
  keyed.match.path = "/v1";
  keyed.match.headers = {{std::string(kModelNameField), "premium"}};
  keyed.rule = snapshot_->listeners[0].routes->entries()[0].rule;
  RouteTable::Entry open = keyed;
  open.match.headers[0].value = "basic";
  auto open_rule = RuleToThePool();
  open_rule->route = "default/open";
  open.rule = open_rule;
  const auto serve = [this](std::vector<RouteTable::Entry> entries) {
    auto snapshot = std::make_shared<Snapshot>(*snapshot_);
    snapshot->listeners[0].routes = RouteTable::Build(std::move(entries), {"*"});
    snapshot_ = snapshot;
  };
  serve({keyed, open});
  const std::string list = "GET /v1/models";
  for (const char* fields : {"", "x-api-key: nobodys\r\n"}) {
    ASSERT_EQ(Head(fields, list).kind, Step::Kind::kReadBody) << fields;
    ASSERT_EQ(exchange_.model_rules().size(), 1u);
    EXPECT_EQ(exchange_.model_rules()[0]->route, "default/open");
    EXPECT_EQ(exchange_.authorized().owner(), "");
    End();
  }
  ASSERT_EQ(Head(kAlice, list).kind, Step::Kind::kReadBody);
  EXPECT_EQ(exchange_.model_rules().size(), 2u);
  EXPECT_EQ(exchange_.authorized().owner(), "alice");
  End();
  serve({keyed});
  EXPECT_EQ(Refused(Head("", list)), 401);
}

TEST_F(AuthorizedTest, RequestsAreCountedAndTheNextIsRefused) {
  for (int i = 0; i < 5; ++i) {
    ASSERT_EQ(Ask(kAlice).kind, Step::Kind::kForward) << i;
    Answer(200, "application/json", kUsage);
    meter_->Settle(350, 0, clock_.Now());  // only requests matter here
    End();
  }
  const Step step = Ask(kAlice);
  EXPECT_EQ(step.rejection, Rejection::kRequestRate);
  EXPECT_NEAR(ToSeconds(exchange_.authorized().retry_after()), 12, 0.01);
  EXPECT_EQ(Refused(step), 429);
  EXPECT_EQ(Ask("x-api-key: sk-b\r\n").kind, Step::Kind::kForward) << "others are not held up";
  End(Outcome::kClientLeft, 0);
  clock_.Advance(seconds(13));
  EXPECT_EQ(Ask(kAlice).kind, Step::Kind::kForward);
  End(Outcome::kClientLeft, 0);
}

TEST_F(AuthorizedTest, UsageIsSettledAgainstTheReserve) {
  ASSERT_EQ(Ask(kAlice, std::string(400, 'x')).kind, Step::Kind::kForward);
  const int64_t reserved = exchange_.authorized().reserved_tokens();
  EXPECT_GE(reserved, 100);
  EXPECT_EQ(TokensLeft(), 1000 - reserved);
  Answer(200, "application/json", kUsage);
  End();
  EXPECT_EQ(TokensLeft(), 650);
}

TEST_F(AuthorizedTest, ABurstCannotPassThePromptsEstimate) {
  const std::string prompt(1200, 'x');  // some 300 tokens each
  ASSERT_EQ(Head(kAlice).kind, Step::Kind::kReadBody);
  ASSERT_EQ(Body(prompt).kind, Step::Kind::kForward);
  Exchange second(environment_), third(environment_), fourth(environment_);
  int admitted = 1;
  for (Exchange* exchange : {&second, &third, &fourth}) {
    exchange->Begin(snapshot_, {kPort}, "127.0.0.1", clock_.Now());
    ASSERT_EQ(exchange->OnRequestHead(parser_.head()).kind, Step::Kind::kReadBody);
    const Step step = exchange->OnRequestBody(body_, clock_.Now());
    admitted += step.kind == Step::Kind::kForward;
    if (exchange == &fourth) EXPECT_EQ(step.rejection, Rejection::kTokenRate);
  }
  EXPECT_EQ(admitted, 3);
  for (Exchange* exchange : {&second, &third}) exchange->End(Outcome::kClientLeft, 0, clock_.Now());
  fourth.End(Outcome::kRejected, 429, clock_.Now());
  End(Outcome::kClientLeft, 0);
}

TEST_F(AuthorizedTest, APromptLargerThanTheLimitSaysSo) {
  const Step step = Ask(kAlice, std::string(8000, 'x'));
  EXPECT_EQ(step.rejection, Rejection::kTokenRate);
  EXPECT_NE(exchange_.rejection_text().find("more than the key's limit"), std::string::npos);
  EXPECT_EQ(exchange_.authorized().retry_after(), Duration(0));
  Refused(step);
  EXPECT_EQ(TokensLeft(), 1000);
}

TEST_F(AuthorizedTest, WhatWasNotServedIsNotCharged) {
  ASSERT_EQ(Ask(kAlice, std::string(400, 'x')).kind, Step::Kind::kForward);
  Answer(500, "application/json", R"({"error":{"message":"no"}})");
  End(Outcome::kComplete, 500);
  EXPECT_EQ(TokensLeft(), 1000);
  EXPECT_EQ(RequestsLeft(), 4) << "but it was a request";
}

TEST_F(AuthorizedTest, AClientThatLeavesIsChargedForWhatWasGenerated) {
  ASSERT_EQ(Ask(kAlice, std::string(400, 'x'), R"(,"stream":true)").kind, Step::Kind::kForward);
  const int64_t reserved = exchange_.authorized().reserved_tokens();
  std::string events;
  for (int i = 0; i < 7; ++i) events += "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
  Answer(200, "text/event-stream", events, /*whole=*/false);
  End(Outcome::kClientLeft, 200);
  EXPECT_EQ(TokensLeft(), 1000 - reserved - 7);
}

TEST_F(AuthorizedTest, AClientThatLeavesBeforeTheFirstByteIsChargedForItsPrompt) {
  ASSERT_EQ(Ask(kAlice, std::string(400, 'x')).kind, Step::Kind::kForward);
  const int64_t reserved = exchange_.authorized().reserved_tokens();
  End(Outcome::kClientLeft, 0);
  EXPECT_EQ(TokensLeft(), 1000 - reserved);
}

TEST_F(AuthorizedTest, OwnersAreCounted) {
  ASSERT_EQ(Ask(kAlice).kind, Step::Kind::kForward);
  Answer(200, "application/json", kUsage);
  End();
  const Labels labels{{"owner", "alice"}};
  EXPECT_EQ(registry_.AddCounter("penstock_owner_requests_total", "", labels).value(), 1u);
  EXPECT_EQ(registry_.AddCounter("penstock_owner_tokens_total", "", labels).value(), 350u);
  EXPECT_EQ(environment_.history.FindLast("default/qwen")->owner, "alice");
}

}  // namespace
}  // namespace gw
