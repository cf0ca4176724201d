// Stickiness: which version a client's requests come to.

#include "routing/sticky.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "exchange/test_exchange.h"
#include "flowcontrol/api_keys.h"

namespace gw {
namespace {

constexpr int kClients = 200;

// A rule with the destinations "default/a" and "default/b", of equal weight.
class StickinessTest : public ExchangeFixture {
 protected:
  StickinessTest() {
    pools_ = {MakePool("default/a", {"127.0.0.11:80"}), MakePool("default/b", {"127.0.0.12:80"})};
    rule_->destinations = {Version(0, 1), Version(1, 1)};
    rule_->total_weight = 2;
    Use(StickyPolicy::By::kHeader, "x-user-id");
  }
  static Destination Version(uint32_t pool, uint32_t weight) {
    const std::string name(1, pool == 0 ? 'a' : 'b');
    return {.kind = Destination::Kind::kPool,
            .pool = pool,
            .weight = weight,
            .sticky_key = StickyKey(StickyOf::kRule, "default/route/0", name)};
  }
  void Use(StickyPolicy::By by, const std::string& name = "") {
    rule_->sticky = std::make_shared<StickyPolicy>(StickyPolicy{by, name});
  }

  struct Served {
    std::string pool;  // empty: none
    std::string model;
    std::string cookie;  // that it is given
    bool sticky = false;
  };
  // `fields`: of the request's head, each with its end of line.
  Served Ask(const std::string& fields, const std::string& model = "qwen") {
    const std::string body =
        R"({"model":")" + model + R"(","messages":[{"role":"user","content":"hi"}]})";
    auto snapshot = std::make_shared<Snapshot>(*SnapshotOf(pools_[0], {kPort}, rule_));
    snapshot->pools.assign(pools_.begin(), pools_.end());
    Step step = SendHead(snapshot, "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n" +
                                       ("Content-Length: " + std::to_string(body.size())) + "\r\n" +
                                       fields + "\r\n");
    if (step.kind == Step::Kind::kReadBody) step = SendBody(body);
    if (step.kind != Step::Kind::kForward) {
      exchange_.End(Outcome::kRejected, 500, clock_.Now());
      return {};
    }
    Served served;
    http::ResponseHead head;
    head.status = 200;
    exchange_.OnResponseHead(head, clock_.Now());
    std::string storage;
    if (const auto field = exchange_.StickyField(&storage)) served.cookie = field->value;
    exchange_.OnResponseEnd(clock_.Now());
    exchange_.End(Outcome::kComplete, 200, clock_.Now());
    const auto record = environment_.history.FindLast("");
    served.pool = record->pool;
    served.model = record->target_model;
    served.sticky = record->sticky;
    return served;
  }
  static std::string User(int i) { return "X-User-Id: user-" + std::to_string(i) + "\r\n"; }
  // Of each client the pool.
  std::vector<std::string> AskAll(const std::string& model = "qwen") {
    std::vector<std::string> pools;
    for (int i = 0; i < kClients; ++i) pools.push_back(Ask(User(i), model).pool);
    return pools;
  }

  std::vector<std::shared_ptr<PoolEntry>> pools_;
  std::shared_ptr<RouteRule> rule_ = RuleToThePool();
};

TEST_F(StickinessTest, AClientsVersionStays) {
  const std::vector<std::string> first = AskAll();
  EXPECT_EQ(AskAll(), first);
  EXPECT_NEAR(static_cast<double>(std::ranges::count(first, "default/b")), kClients / 2.0, 35);
  EXPECT_TRUE(Ask(User(0)).sticky);
  EXPECT_EQ(Ask(User(0)).cookie, "");
}

TEST_F(StickinessTest, WithoutAValueChanceChooses) {
  std::set<std::string> pools;
  for (int i = 0; i < 50; ++i) pools.insert(Ask("").pool);
  EXPECT_EQ(pools.size(), 2u);
  EXPECT_FALSE(Ask("").sticky);
}

TEST_F(StickinessTest, WithoutThePolicyChanceChooses) {
  rule_->sticky = nullptr;
  std::set<std::string> pools;
  for (int i = 0; i < 50; ++i) pools.insert(Ask(User(0)).pool);
  EXPECT_EQ(pools.size(), 2u);
}

TEST_F(StickinessTest, WhoHasNoCookieIsGivenOneThatLeadsBack) {
  Use(StickyPolicy::By::kCookie, "version");
  std::map<std::string, int> first;
  for (int i = 0; i < 40; ++i) {
    const Served begun = Ask("Cookie: other=1\r\n");
    ++first[begun.pool];
    ASSERT_TRUE(begun.cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax")) << begun.cookie;
    const std::string cookie = begun.cookie.substr(0, begun.cookie.find(';'));
    ASSERT_EQ(cookie.size(), 8u + 32u);
    for (int again = 0; again < 5; ++again) {
      const Served served = Ask("Cookie: other=1; " + cookie + "\r\n");
      ASSERT_EQ(served.pool, begun.pool);
      ASSERT_EQ(served.cookie, "") << "the client has it";
    }
  }
  EXPECT_EQ(first.size(), 2u);
}

TEST_F(StickinessTest, TheOwnerOfTheKeyIsWhoAsks) {
  Use(StickyPolicy::By::kSession);
  auto keys = std::make_shared<ApiKeys>();
  for (int i = 0; i < 40; ++i) {
    const std::string key = "sk-" + std::to_string(i);
    const auto owner = std::make_shared<KeyOwner>(KeyOwner{"owner of " + key, nullptr});
    ASSERT_TRUE(keys->Add(key, owner));
  }
  rule_->api_keys = keys;
  std::set<std::string> pools;
  for (int i = 0; i < 40; ++i) {
    const std::string key = "x-api-key: sk-" + std::to_string(i) + "\r\n";
    const Served first = Ask(key);
    pools.insert(first.pool);
    for (int again = 0; again < 5; ++again) ASSERT_EQ(Ask(key).pool, first.pool);
  }
  EXPECT_EQ(pools.size(), 2u);
}

TEST_F(StickinessTest, ASessionOfTheRuleGoesBefore) {
  auto session = std::make_shared<SessionPolicy>();
  session->scope = "default/route/0";
  session->name = "x-token";
  session->by_header = true;
  rule_->session = session;
  const SessionToken token{.destination = session->HashOfDestination("default/b"),
                           .endpoint = session->HashOfEndpoint("default/b", "127.0.0.12:80"),
                           .began_unix_s = static_cast<uint32_t>(clock_.UnixNanos() / 1000000000),
                           .used_unix_s = static_cast<uint32_t>(clock_.UnixNanos() / 1000000000)};
  for (int i = 0; i < 30; ++i) {
    const Served served = Ask(User(i) + "x-token: " + ToText(token) + "\r\n");
    EXPECT_EQ(served.pool, "default/b");
    EXPECT_FALSE(served.sticky);
  }
}

TEST_F(StickinessTest, AVersionThatIsBrokenLeavesItsClientsToTheOther) {
  rule_->destinations[1].kind = Destination::Kind::kInvalid;
  for (const std::string& pool : AskAll()) ASSERT_EQ(pool, "default/a");
  std::set<std::string> pools;
  for (int i = 0; i < 50; ++i) pools.insert(Ask("").pool);
  EXPECT_EQ(pools, (std::set<std::string>{"", "default/a"})) << "without a value: its share of 500";
  rule_->destinations[1] = Version(1, 1);
  pools_[1]->unservable = "needs what is not built";
  for (const std::string& pool : AskAll()) ASSERT_EQ(pool, "default/a");
  // Where no other is left it is 500.
  rule_->destinations[0].weight = 0;
  rule_->total_weight = 1;
  EXPECT_EQ(Ask(User(0)).pool, "");
}

TEST_F(StickinessTest, AmongThePoolsThatDeclareTheModelItHoldsToo) {
  const std::vector<std::string> any = AskAll();
  pools_.push_back(MakePool("default/c", {"127.0.0.13:80"}));
  pools_[2]->models = ModelTable({{.requested_model = "llama"}});
  for (int i = 0; i < 2; ++i) pools_[i]->models = ModelTable({{.requested_model = "qwen"}});
  rule_->destinations.push_back(Version(0, 10));
  rule_->destinations.back().pool = 2;
  rule_->total_weight += 10;
  EXPECT_EQ(AskAll(), any) << "one that does not declare it moves nobody";
  for (const std::string& pool : AskAll("llama")) ASSERT_EQ(pool, "default/c");
}

TEST_F(StickinessTest, ATargetOfAModelStaysAndSoDoesThatOfARewrite) {
  rule_->destinations.pop_back();
  rule_->total_weight = 1;
  pools_[0]->models = ModelTable({{.requested_model = "qwen", .targets = {{"q1", 1}, {"q2", 1}}},
                                  {.requested_model = "llama", .targets = {{"l1", 1}, {"l2", 1}}}});
  ASSERT_TRUE(pools_[0]->rewrites.Add("any", {{"qwen", 1}, {"llama", 1}}));
  std::map<std::string, int> targets;
  for (int i = 0; i < kClients; ++i) {
    const std::string target = Ask(User(i), "any").model;
    ++targets[target];
    for (int again = 0; again < 3; ++again) ASSERT_EQ(Ask(User(i), "any").model, target);
    ASSERT_EQ(Ask(User(i), target.starts_with('q') ? "qwen" : "llama").model, target);
  }
  EXPECT_EQ(targets.size(), 4u) << "the two choices are independent";
  for (const auto& [target, count] : targets) EXPECT_NEAR(count, kClients / 4.0, 31) << target;
  std::set<std::string> drawn;
  for (int i = 0; i < 50; ++i) drawn.insert(Ask("", "qwen").model);
  EXPECT_EQ(drawn.size(), 2u) << "without a value chance chooses";
}

}  // namespace
}  // namespace gw
