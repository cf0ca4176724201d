// Requests about a response come back to the endpoint that has made it.

#include <gtest/gtest.h>

#include <set>

#include "base/check.h"
#include "exchange/exchange.h"
#include "exchange/test_snapshot.h"
#include "http/h1_parser.h"
#include "scheduling/registry.h"

namespace gw {
namespace {

constexpr uint16_t kPort = 8080;

// A rule with two pools of three endpoints each, by weight.
class HomeTest : public testing::Test {
 protected:
  void SetUp() override {
    environment_.homes = &homes_;
    auto rule = RuleToThePool();
    rule->destinations.push_back({Destination::Kind::kPool, 1, 1});
    rule->total_weight = 2;
    auto snapshot = std::make_shared<Snapshot>(*SnapshotOf(MakePool("a", 10), {kPort}, rule));
    snapshot->pools.push_back(MakePool("b", 20));
    snapshot_ = snapshot;
  }
  std::shared_ptr<const PoolEntry> MakePool(const std::string& id, int first) {
    auto entry = std::make_shared<PoolEntry>();
    entry->pool.id = id;
    for (int i = first; i < first + 3; ++i) {
      Endpoint endpoint;
      endpoint.name = endpoint.ip = "10.0.0." + std::to_string(i);
      endpoint.port = 8000;
      endpoint.address = endpoint.ip + ":8000";
      endpoint.state = table_.Get(endpoint.address);
      entry->pool.endpoints.push_back(endpoint);
    }
    entry->profile = ProfileFor(RoutingStrategy::kDefault);
    entry->load_profile = LoadProfile();
    return entry;
  }
  // The address that the request goes to.
  std::string Ask(const std::string& method, const std::string& path, const std::string& body) {
    text_ = method + " " + path + " HTTP/1.1\r\nHost: a\r\n";
    if (!body.empty()) text_ += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    text_ += "\r\n";
    parser_.Reset();
    CHECK(parser_.Next(text_).event == http::H1Event::kHead);
    exchange_.Begin(snapshot_, {kPort}, "127.0.0.1", clock_.Now());
    CHECK(exchange_.OnRequestHead(parser_.head()).kind == Step::Kind::kReadBody);
    body_ = body;
    body_.reserve(body_.size() + InferenceParser::kPadding);
    CHECK(exchange_.OnRequestBody(body_, clock_.Now()).kind == Step::Kind::kForward);
    return exchange_.endpoint().address;
  }
  void Answer(const std::string& body) {
    http::ResponseHead head;
    head.status = 200;
    head.headers.Add("content-type", "application/json");
    CHECK(exchange_.OnResponseHead(head, clock_.Now()).kind == Step::Kind::kContinue);
    exchange_.OnResponseBody(body, clock_.Now());
    exchange_.OnResponseEnd(clock_.Now());
    End();
  }
  void End() { exchange_.End(Outcome::kComplete, 200, clock_.Now()); }

  ManualClock clock_;
  PrefixIndex index_{PrefixIndex::Options{}};
  MetricRegistry registry_;
  ExchangeEnvironment environment_{clock_, 1, index_, registry_};
  ResponseHomes homes_;
  EndpointTable table_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::string text_, body_;
  http::RequestParser parser_;
  Exchange exchange_{environment_};
};

TEST_F(HomeTest, AResponseIsAskedForWhereItWasMade) {
  for (int i = 0; i < 30; ++i) {
    const std::string id = "resp_" + std::to_string(i);
    const std::string home = Ask("POST", "/v1/responses", R"({"model":"m","input":"hi"})");
    Answer(R"({"id":")" + id + R"(","object":"response"})");
    EXPECT_EQ(Ask("GET", "/v1/responses/" + id, ""), home);
    End();
    EXPECT_EQ(Ask("POST", "/v1/responses/" + id + "/cancel", ""), home);
    End();
    EXPECT_EQ(Ask("POST", "/v1/responses",
                  R"({"model":"m","input":"and?","previous_response_id":")" + id + R"("})"),
              home);
    End();
  }
}

TEST_F(HomeTest, AlsoWhereOthersHaveMoreRoom) {
  const std::string home = Ask("POST", "/v1/responses", R"({"model":"m","input":"hi"})");
  const Endpoint endpoint = exchange_.endpoint();
  Answer(R"({"id":"resp_1"})");
  endpoint.state->scraped_at_ns = clock_.Now().time_since_epoch().count();
  endpoint.state->waiting_requests = 1000;
  EXPECT_EQ(Ask("GET", "/v1/responses/resp_1", ""), home);
  End();
}

TEST_F(HomeTest, OfAnUnknownOneAnybodyIsAsked) {
  std::set<std::string> asked;
  for (int i = 0; i < 50; ++i) {
    asked.insert(Ask("GET", "/v1/responses/resp_unknown", ""));
    End();
  }
  EXPECT_EQ(asked.size(), 6u);
}

TEST_F(HomeTest, OneWhoseEndpointFailsIsAskedForElsewhere) {
  const std::string home = Ask("POST", "/v1/responses", R"({"model":"m","input":"hi"})");
  Answer(R"({"id":"resp_1"})");
  ASSERT_EQ(Ask("GET", "/v1/responses/resp_1", ""), home);
  const Step step = exchange_.OnTryFailed(TryFailure::kConnectRefused, false, clock_.Now());
  ASSERT_EQ(step.kind, Step::Kind::kForward);
  EXPECT_NE(exchange_.endpoint().address, home);
  End();
}

}  // namespace
}  // namespace gw
