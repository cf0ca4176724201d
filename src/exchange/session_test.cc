// Sessions: where a client that comes back is sent, and what it is told.

#include "exchange/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "base/check.h"
#include "exchange/test_exchange.h"
#include "pool/health.h"

namespace gw {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

// Two destinations "default/a" and "default/b" of five endpoints each, of equal weight.
class SessionsTest : public ExchangeFixture {
 protected:
  SessionsTest() {
    rule_->destinations = {{Destination::Kind::kPool, 0, 1}, {Destination::Kind::kPool, 1, 1}};
    rule_->total_weight = 2;
    for (int pool = 0; pool < 2; ++pool) {
      auto entry = std::make_shared<PoolEntry>();
      entry->pool.id = pool == 0 ? "default/a" : "default/b";
      entry->pool.kind = Pool::Kind::kService;
      for (int i = 0; i < 5; ++i) {
        Endpoint endpoint;
        endpoint.name = "pod-" + std::to_string(i);
        endpoint.address = "127.0." + std::to_string(pool) + "." + std::to_string(11 + i) + ":80";
        endpoint.state = table_.Get(endpoint.address);
        entry->pool.endpoints.push_back(endpoint);
      }
      entry->profile = ProfileFor(RoutingStrategy::kDefault);
      entry->load_profile = LoadProfile();
      pools_.push_back(entry);
    }
    policy_->scope = "default/route/chat";
    policy_->name = "sticky";
    rule_->session = policy_;
  }

  struct Served {
    std::string address;
    std::string cookie;  // what to send back; empty: the answer says nothing of it
    std::string set;     // the whole Set-Cookie
  };
  std::string PoolOf(const std::string& address) const {
    return address.starts_with("127.0.0.") ? "a" : "b";
  }
  // One request from its head to its answer, with that cookie.
  Served Ask(const std::string& cookie = "") {
    Begin(cookie);
    return Answer();
  }
  void Begin(const std::string& cookie) {
    std::string head = "GET /v1/thing HTTP/1.1\r\nHost: a\r\n";
    if (!cookie.empty()) head += "Cookie: other=1; " + cookie + "\r\n";
    auto snapshot = std::make_shared<Snapshot>(*SnapshotOf(pools_[0], {kPort}, rule_));
    snapshot->pools = {pools_[0], pools_[1]};
    CHECK(SendHead(snapshot, head + "\r\n").kind == Step::Kind::kReadBody);
    CHECK(SendBody("").kind == Step::Kind::kForward);
  }
  Served Answer() {
    Served served{exchange_.endpoint().address, "", ""};
    http::ResponseHead head;
    head.status = 200;
    exchange_.OnResponseHead(head, clock_.Now());
    std::string storage;
    if (const auto field = exchange_.SessionField(&storage)) {
      served.set = field->value;
      served.cookie = served.set.substr(0, served.set.find(';'));
    }
    exchange_.OnResponseEnd(clock_.Now());
    exchange_.End(Outcome::kComplete, 200, clock_.Now());
    return served;
  }
  const Endpoint& At(const std::string& address) const {
    for (const auto& pool : pools_) {
      for (const Endpoint& endpoint : pool->pool.endpoints) {
        if (endpoint.address == address) return endpoint;
      }
    }
    CHECK(false);
  }

  std::vector<std::shared_ptr<PoolEntry>> pools_;
  std::shared_ptr<SessionPolicy> policy_ = std::make_shared<SessionPolicy>();
  std::shared_ptr<RouteRule> rule_ = RuleToThePool();
};

TEST_F(SessionsTest, WithoutAPolicyNothingIsTold) {
  rule_->session = nullptr;
  EXPECT_EQ(Ask().set, "");
}

TEST_F(SessionsTest, AClientThatComesBackComesToItsEndpoint) {
  std::map<std::string, int> first;
  for (int i = 0; i < 20; ++i) {
    const Served begun = Ask();
    ++first[begun.address];
    ASSERT_FALSE(begun.cookie.empty());
    for (int again = 0; again < 20; ++again) {
      const Served held = Ask(begun.cookie);
      ASSERT_EQ(held.address, begun.address);
      ASSERT_EQ(held.set, "") << "the client has it";
    }
  }
  EXPECT_GT(first.size(), 5u) << "new clients are spread";
  EXPECT_THAT(registry_.Render(), HasSubstr("result=\"held\""));
}

TEST_F(SessionsTest, ADestinationKeepsItsSessionsAtAnyWeight) {
  Served begun = Ask();
  while (PoolOf(begun.address) != "b") begun = Ask();
  rule_->destinations[1].weight = 0;
  rule_->total_weight = 1;
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(Ask(begun.cookie).address, begun.address);
    EXPECT_EQ(PoolOf(Ask().address), "a") << "new ones follow the weights";
  }
  rule_->destinations[0].weight = 0;
  rule_->total_weight = 0;
  EXPECT_EQ(Ask(begun.cookie).address, begun.address);
}

TEST_F(SessionsTest, WhenItsEndpointIsGoneTheDestinationStays) {
  for (int i = 0; i < 20; ++i) {
    const Served begun = Ask();
    const auto saved = pools_;
    const size_t index = PoolOf(begun.address) == "a" ? 0 : 1;
    pools_[index] = std::make_shared<PoolEntry>(*saved[index]);
    std::vector<Endpoint> rest;
    for (const Endpoint& endpoint : saved[index]->pool.endpoints) {
      if (endpoint.address != begun.address) rest.push_back(endpoint);
    }
    pools_[index]->pool.endpoints = Endpoints(rest);
    const Served moved = Ask(begun.cookie);
    EXPECT_EQ(PoolOf(moved.address), PoolOf(begun.address));
    EXPECT_NE(moved.address, begun.address);
    ASSERT_FALSE(moved.cookie.empty()) << "a new session";
    EXPECT_EQ(Ask(moved.cookie).address, moved.address);
    pools_ = saved;
  }
}

TEST_F(SessionsTest, AnEndpointOutOfUseLosesItsSessions) {
  const Served begun = Ask();
  RecordFailure(*At(begun.address).state, clock_.Now(), EndpointFailure::kConnectRefused);
  const Served moved = Ask(begun.cookie);
  EXPECT_NE(moved.address, begun.address);
  EXPECT_FALSE(moved.cookie.empty());
}

TEST_F(SessionsTest, ATryThatFailsMovesTheSession) {
  const Served begun = Ask();
  Begin(begun.cookie);
  ASSERT_EQ(exchange_.endpoint().address, begun.address);
  ASSERT_EQ(exchange_.OnTryFailed(TryFailure::kConnectTimeout, false, clock_.Now()).kind,
            Step::Kind::kForward);
  const Served moved = Answer();
  EXPECT_NE(moved.address, begun.address);
  EXPECT_EQ(Ask(moved.cookie).address, moved.address);
  EXPECT_THAT(registry_.Render(), HasSubstr("result=\"moved\"} 1"));
}

TEST_F(SessionsTest, TokensOfOtherRulesAndMadeUpOnesBeginAnew) {
  const Served begun = Ask();
  policy_->scope = "default/route/other";
  EXPECT_FALSE(Ask(begun.cookie).cookie.empty());
  EXPECT_FALSE(Ask("sticky=127.0.0.99:80").cookie.empty());
  SessionToken forged{.destination = policy_->HashOfDestination("default/a"),
                      .endpoint = policy_->HashOfEndpoint("default/a", "10.9.9.9:80")};
  EXPECT_TRUE(Ask("sticky=" + ToText(forged)).address.starts_with("127.0.0."));
}

TEST_F(SessionsTest, AHeadersTokenStaysAsItIs) {
  policy_->by_header = true;
  const std::string token = Ask().set;
  clock_.Advance(seconds(100));
  policy_->by_header = false;  // as a cookie, which Ask sends
  const Served held = Ask("sticky=" + token);
  EXPECT_EQ(held.set, "");
  Begin("sticky=" + token);
  policy_->by_header = true;
  EXPECT_EQ(Answer().set, token);
}

TEST_F(SessionsTest, AnAbsoluteTimeoutEndsAndAnIdleOneIsPutOffByUse) {
  policy_->idle_timeout = seconds(10);
  policy_->absolute_timeout = seconds(25);
  Served last = Ask();
  const std::string address = last.address;
  for (int i = 0; i < 2; ++i) {
    clock_.Advance(seconds(9));
    last = Ask(last.cookie);
    EXPECT_EQ(last.address, address);
    ASSERT_FALSE(last.cookie.empty()) << "told anew with each use";
  }
  clock_.Advance(seconds(9));  // 27 s after it began
  size_t other = 0;
  for (int i = 0; i < 20; ++i) other += Ask(last.cookie).address != address ? 1 : 0;
  EXPECT_GT(other, 0u);
}

}  // namespace
}  // namespace gw
