#include "exchange/exchange.h"

#include <gtest/gtest.h>

#include <set>

#include "base/check.h"
#include "exchange/test_snapshot.h"
#include "http/h1_parser.h"
#include "pool/health.h"
#include "scheduling/registry.h"

namespace gw {
namespace {

constexpr uint16_t kPort = 8080;

// One route "/v1" to one pool of `n` endpoints at 127.0.0.11, .12, ...
class ExchangeTest : public testing::Test {
 protected:
  void SetUp() override { Configure(3, RoutingStrategy::kPrefixCache, {}); }

  void Configure(int n, RoutingStrategy strategy, std::vector<ModelBinding> models) {
    auto entry = std::make_shared<PoolEntry>();
    entry->pool.ns = "default";
    entry->pool.name = "qwen";
    entry->pool.id = "default/qwen";
    for (int i = 0; i < n; ++i) {
      Endpoint endpoint;
      endpoint.name = "qwen-" + std::to_string(i);
      endpoint.ip = "127.0.0." + std::to_string(11 + i);
      endpoint.port = 8000;
      endpoint.address = endpoint.ip + ":8000";
      endpoint.state = table_.Get(endpoint.address);
      entry->pool.endpoints.push_back(endpoint);
    }
    entry->models = ModelTable(std::move(models));
    entry->profile = ProfileFor(strategy);
    entry->load_profile = LoadProfile();
    entry->uses_prefix = strategy == RoutingStrategy::kPrefixCache;
    Publish(entry);
  }

  void Publish(std::shared_ptr<PoolEntry> entry) {
    pool_ = entry;
    snapshot_ = SnapshotOf(entry, {kPort});
  }

  Step Head(const std::string& path, const std::string& method = "POST") {
    text_ = method + " " + path + " HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n";
    parser_.Reset();
    CHECK(parser_.Next(text_).event == http::H1Event::kHead);
    exchange_.Begin(snapshot_, {kPort}, "127.0.0.1", clock_.Now());
    return exchange_.OnRequestHead(parser_.head());
  }
  Step Body(std::string body) {
    body_ = std::move(body);
    body_.reserve(body_.size() + InferenceParser::kPadding);
    return exchange_.OnRequestBody(body_, clock_.Now());
  }
  Step Chat(const std::string& prompt, const std::string& model = "m") {
    CHECK(Head("/v1/chat/completions").kind == Step::Kind::kReadBody);
    return Body(R"({"model":")" + model + R"(","messages":[{"role":"user","content":")" + prompt +
                R"("}]})");
  }
  void Answer(const std::string& type, const std::string& body) {
    http::ResponseHead head;
    head.status = 200;
    head.headers.Add("content-type", type);
    EXPECT_EQ(exchange_.OnResponseHead(head, clock_.Now()).kind, Step::Kind::kContinue);
    exchange_.OnResponseBody(body, clock_.Now());
    exchange_.OnResponseEnd(clock_.Now());
  }
  void Finish() { exchange_.End(exchange_.OutcomeOfEnd(), 200, clock_.Now()); }
  int64_t InFlight() const {
    int64_t sum = 0;
    for (const Endpoint& endpoint : pool_->pool.endpoints) {
      const EndpointState& state = *endpoint.state;
      EXPECT_GE(state.pending_prompt_tokens.load(), 0);
      sum += state.in_flight_requests + state.pending_prompt_tokens + state.decoding_context_tokens;
    }
    return sum;
  }

  ManualClock clock_;
  PrefixIndex index_{PrefixIndex::Options{}};
  MetricRegistry registry_;
  ExchangeEnvironment environment_{clock_, 1, index_, registry_};
  EndpointTable table_;
  std::shared_ptr<const PoolEntry> pool_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::string text_, body_;
  http::RequestParser parser_;
  Exchange exchange_{environment_};
};

TEST_F(ExchangeTest, PathWithoutRouteIsNotFound) {
  const Step step = Head("/v2/chat/completions");
  EXPECT_EQ(step.kind, Step::Kind::kRespond);
  EXPECT_EQ(InfoOf(step.rejection).status, 404);
  exchange_.End(Outcome::kRejected, 404, clock_.Now());
}

TEST_F(ExchangeTest, BodyWithoutModelIsRefusedWhereModelsAreDeclared) {
  Head("/v1/chat/completions");
  EXPECT_EQ(Body(R"({"messages":[]})").kind, Step::Kind::kForward) << "the server has a default";
  exchange_.End(Outcome::kComplete, 200, clock_.Now());
  Configure(1, RoutingStrategy::kDefault, {{"known", Criticality::kCritical, {}}});
  Head("/v1/chat/completions");
  const Step step = Body(R"({"messages":[]})");
  EXPECT_EQ(step.kind, Step::Kind::kRespond);
  EXPECT_EQ(InfoOf(step.rejection).status, 400);
  exchange_.End(Outcome::kRejected, 400, clock_.Now());
}

TEST_F(ExchangeTest, UnknownModelIsNotFoundAndNamed) {
  Configure(1, RoutingStrategy::kDefault, {{"known", Criticality::kCritical, {}}});
  const Step step = Chat("hi", "stranger");
  EXPECT_EQ(InfoOf(step.rejection).status, 404);
  EXPECT_NE(exchange_.RejectionBody(step.rejection).find("stranger"), std::string::npos);
  exchange_.End(Outcome::kRejected, 404, clock_.Now());
}

TEST_F(ExchangeTest, TargetModelIsSplicedAndTheRestKept) {
  Configure(1, RoutingStrategy::kDefault, {{"m", Criticality::kCritical, {{"m-v2", 1}}}});
  ASSERT_EQ(Chat("hi").kind, Step::Kind::kForward);
  EXPECT_EQ(exchange_.body().ToString(),
            R"({"model":"m-v2","messages":[{"role":"user","content":"hi"}]})");
  Answer("application/json", "{}");
  Finish();
}

TEST_F(ExchangeTest, EverythingHeldIsGivenBackAtTheEnd) {
  ASSERT_EQ(Chat(std::string(4000, 'x')).kind, Step::Kind::kForward);
  EXPECT_EQ(exchange_.endpoint().state->in_flight_requests, 1);
  EXPECT_GT(exchange_.endpoint().state->pending_prompt_tokens, 900);
  http::ResponseHead head;
  head.status = 200;
  EXPECT_EQ(exchange_.OnResponseHead(head, clock_.Now()).kind, Step::Kind::kContinue);
  exchange_.OnResponseBody("x", clock_.Now());
  EXPECT_EQ(exchange_.endpoint().state->pending_prompt_tokens, 0);
  EXPECT_GT(exchange_.endpoint().state->decoding_context_tokens, 900);
  exchange_.End(Outcome::kClientLeft, 200, clock_.Now());
  EXPECT_EQ(InFlight(), 0);
}

TEST_F(ExchangeTest, SamePrefixGoesToTheSameEndpoint) {
  const std::string prompt(1000, 'p');
  ASSERT_EQ(Chat(prompt).kind, Step::Kind::kForward);
  const std::string first = exchange_.endpoint().address;
  Answer("application/json", "{}");
  Finish();
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(Chat(prompt + std::to_string(i)).kind, Step::Kind::kForward);
    EXPECT_EQ(exchange_.endpoint().address, first);
    Answer("application/json", "{}");
    Finish();
  }
}

TEST_F(ExchangeTest, FailedTriesGoToOtherEndpointsAtMostTwice) {
  ASSERT_EQ(Chat("hi").kind, Step::Kind::kForward);
  std::set<std::string> tried{exchange_.endpoint().address};
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(exchange_.OnTryFailed(TryFailure::kConnectRefused, false, clock_.Now()).kind,
              Step::Kind::kForward);
    EXPECT_TRUE(tried.insert(exchange_.endpoint().address).second);
  }
  const Step step = exchange_.OnTryFailed(TryFailure::kConnectRefused, false, clock_.Now());
  EXPECT_EQ(step.kind, Step::Kind::kRespond);
  EXPECT_EQ(InfoOf(step.rejection).status, 503) << "nobody was there";
  EXPECT_GT(InfoOf(step.rejection).retry_after_s, 0);
  exchange_.End(Outcome::kRejected, 503, clock_.Now());
  EXPECT_EQ(InFlight(), 0);
}

TEST_F(ExchangeTest, ATlsHandshakeThatFailedIsTriedElsewhereAndToldInTheEnd) {
  ASSERT_EQ(Chat("hi").kind, Step::Kind::kForward);
  const std::shared_ptr<EndpointState> failed = exchange_.endpoint().state;
  for (int i = 0; i < 2; ++i) {
    const Step step = exchange_.OnTryFailed(TryFailure::kTlsHandshake, false, clock_.Now(), "why");
    ASSERT_EQ(step.kind, Step::Kind::kForward);
    EXPECT_NE(exchange_.endpoint().state, failed);
  }
  const Step step = exchange_.OnTryFailed(TryFailure::kTlsHandshake, false, clock_.Now(), "why");
  ASSERT_EQ(step.kind, Step::Kind::kRespond);
  EXPECT_EQ(InfoOf(step.rejection).code, "upstream_tls_failed");
  EXPECT_EQ(InfoOf(step.rejection).status, 502);
  exchange_.End(Outcome::kRejected, 502, clock_.Now());
  // Three in a row take it out of use, as nobody can be served there.
  EXPECT_FALSE(IsEjected(*failed));
  for (int i = 0; i < 2; ++i) RecordFailure(*failed, clock_.Now(), EndpointFailure::kTlsHandshake);
  EXPECT_TRUE(IsEjected(*failed));
  EXPECT_EQ(StandingOf(*failed, 0, clock_.Now()), Standing::kRefusing);
}

TEST_F(ExchangeTest, WhatWasSentWholeIsTriedOnceMore) {
  for (const TryFailure failure : {TryFailure::kReset, TryFailure::kBadResponse}) {
    Configure(3, RoutingStrategy::kDefault, {});
    ASSERT_EQ(Chat("hi").kind, Step::Kind::kForward);
    const std::string first = exchange_.endpoint().address;
    ASSERT_EQ(exchange_.OnTryFailed(failure, true, clock_.Now()).kind, Step::Kind::kForward);
    EXPECT_NE(exchange_.endpoint().address, first);
    const Step step = exchange_.OnTryFailed(failure, true, clock_.Now());
    EXPECT_EQ(step.kind, Step::Kind::kRespond);
    EXPECT_EQ(InfoOf(step.rejection).status, 502);
    exchange_.End(Outcome::kRejected, 502, clock_.Now());
  }
}

TEST_F(ExchangeTest, AStaleConnectionIsOneOfTheTriesThatWereSentWhole) {
  ASSERT_EQ(Chat("hi").kind, Step::Kind::kForward);
  const std::string first = exchange_.endpoint().address;
  ASSERT_EQ(exchange_.OnTryFailed(TryFailure::kStaleConnection, true, clock_.Now()).kind,
            Step::Kind::kForward);
  EXPECT_NE(exchange_.endpoint().address, first) << "it may be the last try";
  EXPECT_EQ(exchange_.OnTryFailed(TryFailure::kReset, true, clock_.Now()).kind,
            Step::Kind::kRespond);
  exchange_.End(Outcome::kRejected, 502, clock_.Now());
}

TEST_F(ExchangeTest, AStaleConnectionThatDidNotTakeTheRequestIsTriedAgainAtTheSameEndpoint) {
  ASSERT_EQ(Chat("hi").kind, Step::Kind::kForward);
  const std::string first = exchange_.endpoint().address;
  ASSERT_EQ(exchange_.OnTryFailed(TryFailure::kStaleConnection, false, clock_.Now()).kind,
            Step::Kind::kForward);
  EXPECT_EQ(exchange_.endpoint().address, first);
  exchange_.End(Outcome::kClientLeft, 0, clock_.Now());
  EXPECT_EQ(InFlight(), 0);
}

TEST_F(ExchangeTest, AStaleConnectionIsNotHeldAgainstItsEndpoint) {
  Configure(2, RoutingStrategy::kDefault, {});
  ASSERT_EQ(Chat("hi").kind, Step::Kind::kForward);
  const std::string first = exchange_.endpoint().address;
  ASSERT_EQ(exchange_.OnTryFailed(TryFailure::kStaleConnection, true, clock_.Now()).kind,
            Step::Kind::kForward);
  ASSERT_NE(exchange_.endpoint().address, first);
  ASSERT_EQ(exchange_.OnTryFailed(TryFailure::kConnectRefused, false, clock_.Now()).kind,
            Step::Kind::kForward);
  EXPECT_EQ(exchange_.endpoint().address, first) << "the other one is dead";
  Answer("application/json", "{}");
  Finish();
  ASSERT_EQ(Chat("hi").kind, Step::Kind::kForward);
  EXPECT_EQ(exchange_.OnTryFailed(TryFailure::kStaleConnection, true, clock_.Now()).kind,
            Step::Kind::kForward);
  EXPECT_EQ(exchange_.endpoint().address, first) << "no other one is in use";
  Answer("application/json", "{}");
  Finish();
}

TEST_F(ExchangeTest, WhatWasNotSentWholeIsTriedTwiceMore) {
  ASSERT_EQ(Chat("hi").kind, Step::Kind::kForward);
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(exchange_.OnTryFailed(TryFailure::kReset, false, clock_.Now()).kind,
              Step::Kind::kForward);
  }
  const Step step = exchange_.OnTryFailed(TryFailure::kConnectRefused, false, clock_.Now());
  EXPECT_EQ(InfoOf(step.rejection).status, 502) << "some connection stood";
  exchange_.End(Outcome::kRejected, 502, clock_.Now());
}

TEST_F(ExchangeTest, OutsideOfPoolsOnlyIdempotentMethodsAreRepeated) {
  auto entry = std::make_shared<PoolEntry>(*pool_);
  entry->pool.kind = Pool::Kind::kService;
  Publish(entry);
  for (const char* method : {"POST", "PATCH", "PURGE", "GET", "PUT", "DELETE"}) {
    Head("/v1/t", method);
    ASSERT_EQ(Body("{}").kind, Step::Kind::kForward);
    const bool idempotent = *method == 'G' || *method == 'D' || std::string(method) == "PUT";
    EXPECT_EQ(exchange_.is_repeatable(), idempotent) << method;
    // What was not sent whole is tried again all the same.
    ASSERT_EQ(exchange_.OnTryFailed(TryFailure::kReset, false, clock_.Now()).kind,
              Step::Kind::kForward);
    EXPECT_EQ(exchange_.OnTryFailed(TryFailure::kReset, true, clock_.Now()).kind,
              idempotent ? Step::Kind::kForward : Step::Kind::kRespond)
        << method;
    exchange_.End(Outcome::kClientLeft, 0, clock_.Now());
  }
}

TEST_F(ExchangeTest, TroubleOfTheGatewaysOwnIsTriedElsewhereAndHeldAgainstNobody) {
  for (const TryFailure failure : {TryFailure::kLocalResources, TryFailure::kUnreachable}) {
    Configure(3, RoutingStrategy::kPrefixCache, {});
    ASSERT_EQ(Chat(std::string(1000, 'p')).kind, Step::Kind::kForward);
    for (int i = 0; i < 2; ++i) {
      ASSERT_EQ(exchange_.OnTryFailed(failure, false, clock_.Now()).kind, Step::Kind::kForward);
    }
    const Step step = exchange_.OnTryFailed(failure, false, clock_.Now());
    EXPECT_EQ(InfoOf(step.rejection).status, 503);
    EXPECT_GT(InfoOf(step.rejection).retry_after_s, 0);
    exchange_.End(Outcome::kRejected, 503, clock_.Now());
    for (const Endpoint& endpoint : pool_->pool.endpoints) {
      EXPECT_EQ(endpoint.state->ejected_until_ns, 0);
    }
  }
}

TEST_F(ExchangeTest, AnEndpointThatRefusesIsNotBelievedToHoldThePromptAnyMore) {
  Configure(1, RoutingStrategy::kPrefixCache, {});
  const auto blocks_held = [&] {
    const uint32_t slots[] = {pool_->pool.endpoints[0].state->slot};
    uint32_t hits[] = {0};
    index_.Match(exchange_.request().prefix_blocks, slots, hits);
    return hits[0];
  };
  // The second and third go to an ejected endpoint, for want of another.
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(Chat(std::string(1000, 'p')).kind, Step::Kind::kForward);
    EXPECT_GT(blocks_held(), 0u);
    exchange_.OnTryFailed(TryFailure::kConnectRefused, false, clock_.Now());
    EXPECT_EQ(blocks_held(), 0u);
    exchange_.End(Outcome::kRejected, 502, clock_.Now());
  }
}

TEST_F(ExchangeTest, StaleConnectionOfTheOnlyEndpointIsTriedAgainThere) {
  Configure(1, RoutingStrategy::kDefault, {});
  ASSERT_EQ(Chat("hi").kind, Step::Kind::kForward);
  EXPECT_EQ(exchange_.OnTryFailed(TryFailure::kStaleConnection, true, clock_.Now()).kind,
            Step::Kind::kForward);
  Answer("application/json", "{}");
  Finish();
}

TEST_F(ExchangeTest, PoolWithoutEndpointsIsUnavailable) {
  Configure(0, RoutingStrategy::kDefault, {});
  const Step step = Chat("hi");
  EXPECT_EQ(InfoOf(step.rejection).status, 503);
  EXPECT_GT(InfoOf(step.rejection).retry_after_s, 0);
  exchange_.End(Outcome::kRejected, 503, clock_.Now());
}

TEST_F(ExchangeTest, EndsAreToldApart) {
  ASSERT_EQ(Chat("hi").kind, Step::Kind::kForward);
  Answer("text/event-stream; charset=utf-8",
         "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"abort\"}]}\n\n"
         "data: [DONE]\n\n");
  EXPECT_EQ(exchange_.OutcomeOfEnd(), Outcome::kAborted);
  Finish();
  ASSERT_EQ(Chat("hi").kind, Step::Kind::kForward);
  Answer("text/event-stream", "data: {\"error\":{\"message\":\"x\",\"code\":500}}\n\n");
  EXPECT_EQ(exchange_.OutcomeOfEnd(), Outcome::kErrorEvent);
  Finish();
  ASSERT_EQ(Chat("hi").kind, Step::Kind::kForward);
  Answer("text/event-stream", "data: {\"choices\":[]}\n\ndata: [DONE]\n\n");
  EXPECT_EQ(exchange_.OutcomeOfEnd(), Outcome::kComplete);
  Finish();
}

TEST_F(ExchangeTest, InventedModelNamesCostNoOtherLabelItsValue) {
  const size_t most = MetricRegistry::open_values_max;
  const auto ask = [&](const std::string& model) {
    ASSERT_EQ(Chat("hi", model).kind, Step::Kind::kForward);
    Answer("application/json", "{}");
    Finish();
  };
  const auto count = [&](const std::string& model) {
    return registry_
        .AddCounter("penstock_requests_total", "",
                    {{"pool", "default/qwen"},
                     {"model", model},
                     {"target_model", model},
                     {"status", "200"},
                     {"outcome", "complete"}})
        .value();
  };
  for (size_t i = 0; i < most + 5; ++i) ask("junk-" + std::to_string(i));
  ask("junk-0");
  EXPECT_EQ(count("junk-0"), 2u);
  EXPECT_EQ(count("other"), 5u);
  EXPECT_EQ(
      registry_.AddCounter("penstock_limit_reached_total", "", {{"limit", "model_label_values"}})
          .value(),
      5u);
  Configure(1, RoutingStrategy::kDefault, {{"known", Criticality::kCritical, {}}});
  ask("known");
  EXPECT_EQ(count("known"), 1u) << "what is configured is not counted among them";
}

TEST_F(ExchangeTest, AModelNameThatTheServerRefusesHasNoLabel) {
  const auto ask = [&](int status) {
    ASSERT_EQ(Chat("hi", "m").kind, Step::Kind::kForward);
    http::ResponseHead head;
    head.status = status;
    exchange_.OnResponseHead(head, clock_.Now());
    exchange_.End(Outcome::kComplete, status, clock_.Now());
  };
  const auto count = [&](const std::string& model, const std::string& status) {
    return registry_
        .AddCounter("penstock_requests_total", "",
                    {{"pool", "default/qwen"},
                     {"model", model},
                     {"target_model", model},
                     {"status", status},
                     {"outcome", "complete"}})
        .value();
  };
  ask(404);
  EXPECT_EQ(count("", "404"), 1u);
  EXPECT_FALSE(registry_.HasOpenValue("default/qwen", "m"));
  ask(200);
  ask(404);
  EXPECT_EQ(count("m", "200"), 1u);
  EXPECT_EQ(count("m", "404"), 1u) << "it was taken once";
  EXPECT_EQ(InFlight(), 0);
}

TEST_F(ExchangeTest, BrokenStreamIsEndedWithAnErrorEvent) {
  ASSERT_EQ(Chat("hi").kind, Step::Kind::kForward);
  http::ResponseHead head;
  head.status = 200;
  head.headers.Add("content-type", "text/event-stream");
  EXPECT_EQ(exchange_.OnResponseHead(head, clock_.Now()).kind, Step::Kind::kContinue);
  exchange_.OnResponseBody("data: {\"cho", clock_.Now());
  const std::string event = exchange_.ErrorEventFor(Rejection::kConnectFailed);
  EXPECT_EQ(event.substr(0, 2), "\n\n");
  EXPECT_NE(event.find("\"error\""), std::string::npos);
  exchange_.End(Outcome::kUpstreamBroke, 200, clock_.Now());
  EXPECT_EQ(InFlight(), 0);
}

TEST_F(ExchangeTest, UnsupportedRuleAndUnservablePoolAnswer500WithTheReason) {
  auto entry = std::make_shared<PoolEntry>(*pool_);
  entry->unservable = "disaggregation is not built";
  Publish(entry);
  const Step step = Head("/v1/chat/completions");
  EXPECT_EQ(InfoOf(step.rejection).status, 500);
  EXPECT_NE(exchange_.RejectionBody(step.rejection).find("disaggregation"), std::string::npos);
  exchange_.End(Outcome::kRejected, 500, clock_.Now());
}

TEST_F(ExchangeTest, StreamWithItsLastEventIsNotBrokenWhateverFollows) {
  ASSERT_EQ(Chat("hi").kind, Step::Kind::kForward);
  const std::shared_ptr<EndpointState> state = exchange_.endpoint().state;
  Answer("text/event-stream", "data: {\"choices\":[]}\n\ndata: [DONE]");
  EXPECT_TRUE(exchange_.OnStreamBroken(clock_.Now()));
  EXPECT_TRUE(exchange_.response().saw_last_event());
  EXPECT_EQ(state->consecutive_failures, 0u);
  Finish();
  ASSERT_EQ(Chat("hi").kind, Step::Kind::kForward);
  Answer("text/event-stream", "data: {\"choices\":[]}\n\ndata: [DON");
  EXPECT_FALSE(exchange_.OnStreamBroken(clock_.Now()));
  Finish();
}

TEST_F(ExchangeTest, TokensOfAStreamWithoutUsageAreItsEvents) {
  const auto value = [&](const char* name) {
    return registry_
        .AddCounter(name, "", {{"pool", "default/qwen"}, {"model", "m"}, {"target_model", "m"}})
        .value();
  };
  const std::string event = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n";
  ASSERT_EQ(Chat("hi").kind, Step::Kind::kForward);
  Answer("text/event-stream", event + event + "data: [DONE]\n\n");
  const std::string id(exchange_.request_id());
  Finish();
  EXPECT_EQ(value("penstock_completion_tokens_total"), 2u);
  EXPECT_EQ(value("penstock_estimated_completion_tokens_total"), 2u);
  EXPECT_EQ(environment_.history.Find(id)->completion_tokens, 2);
  EXPECT_TRUE(environment_.history.Find(id)->tokens_estimated);
  ASSERT_EQ(Chat("hi").kind, Step::Kind::kForward);
  Answer("text/event-stream",
         event + "data: {\"choices\":[],\"usage\":{\"completion_tokens\":7}}\n\n");
  Finish();
  EXPECT_EQ(value("penstock_completion_tokens_total"), 9u);
  EXPECT_EQ(value("penstock_estimated_completion_tokens_total"), 2u);
}

TEST_F(ExchangeTest, NothingIsReadOutOfACodedAnswer) {
  ASSERT_EQ(Chat("hi").kind, Step::Kind::kForward);
  http::ResponseHead head;
  head.status = 200;
  head.headers.Add("content-type", "text/event-stream");
  head.headers.Add("content-encoding", "gzip");
  EXPECT_EQ(exchange_.OnResponseHead(head, clock_.Now()).kind, Step::Kind::kContinue);
  exchange_.OnResponseBody("data: [DONE]\n\n", clock_.Now());
  EXPECT_FALSE(exchange_.response().saw_last_event());
  Finish();
}

}  // namespace
}  // namespace gw
