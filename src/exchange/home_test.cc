// Requests about a response come back to the endpoint that has made it.

#include <gtest/gtest.h>

#include <set>

#include "base/check.h"
#include "exchange/test_exchange.h"

namespace gw {
namespace {

// A rule with two pools of three endpoints each, by weight.
class HomeTest : public ExchangeFixture {
 protected:
  void SetUp() override {
    environment_.homes = &homes_;
    auto rule = RuleToThePool();
    rule->destinations.push_back({Destination::Kind::kPool, 1, 1});
    rule->total_weight = 2;
    auto snapshot = std::make_shared<Snapshot>(*SnapshotOf(PoolFrom("a", 10), {kPort}, rule));
    snapshot->pools.push_back(PoolFrom("b", 20));
    snapshot_ = snapshot;
  }
  std::shared_ptr<const PoolEntry> PoolFrom(const std::string& id, int first) {
    std::vector<std::string> addresses;
    for (int i = first; i < first + 3; ++i) {
      addresses.push_back("10.0.0." + std::to_string(i) + ":8000");
    }
    return MakePool(id, addresses);
  }
  // The address that the request goes to.
  std::string Ask(const std::string& method, const std::string& path, const std::string& body) {
    std::string head = method + " " + path + " HTTP/1.1\r\nHost: a\r\n";
    if (!body.empty()) head += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    CHECK(SendHead(snapshot_, head + "\r\n").kind == Step::Kind::kReadBody);
    CHECK(SendBody(body).kind == Step::Kind::kForward);
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

  ResponseHomes homes_;
  std::shared_ptr<const Snapshot> snapshot_;
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
