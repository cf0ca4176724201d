// Which version serves a client's value, and which values move when weights do.

#include "routing/sticky.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <numeric>
#include <vector>

#include "base/random.h"
#include "routing/model_table.h"
#include "routing/route_table.h"

namespace gw {
namespace {

constexpr int kValues = 100'000;

uint64_t ValueOf(int i) { return StickyHash("user-" + std::to_string(i)); }

// Versions are named by their letter; `pool` tells which was chosen.
RouteRule RuleOf(std::string_view rule, std::vector<std::pair<std::string, uint32_t>> versions) {
  RouteRule made;
  for (const auto& [name, weight] : versions) {
    Destination& destination = made.destinations.emplace_back();
    destination.kind = Destination::Kind::kPool;
    destination.pool = static_cast<unsigned char>(name[0]);
    destination.weight = weight;
    destination.sticky_key = StickyKey(StickyOf::kRule, rule, name);
    made.total_weight += weight;
  }
  return made;
}

bool Any(const Destination&) { return true; }

char Chosen(const RouteRule& rule, uint64_t value) {
  const Destination* chosen = rule.ChooseSticky(value, Any);
  return chosen == nullptr ? '-' : static_cast<char>(chosen->pool);
}

// Of each value the version.
std::string AllChosen(const RouteRule& rule) {
  std::string chosen;
  for (int i = 0; i < kValues; ++i) chosen += Chosen(rule, ValueOf(i));
  return chosen;
}

// Within five standard deviations of what chance would make of it. The values are the same each
// run.
void ExpectShare(int64_t count, double p) {
  const double deviation = std::sqrt(kValues * p * (1 - p));
  EXPECT_NEAR(static_cast<double>(count), kValues * p, 5 * deviation);
}

int64_t Moves(const std::string& before, const std::string& after, char from, char to) {
  int64_t count = 0;
  for (int i = 0; i < kValues; ++i) count += before[i] == from && after[i] == to;
  return count;
}

TEST(Stickiness, SharesAreTheWeights) {
  const std::string two = AllChosen(RuleOf("r", {{"a", 90}, {"b", 10}}));
  ExpectShare(std::ranges::count(two, 'a'), 0.9);
  const std::string four = AllChosen(RuleOf("r", {{"a", 7}, {"b", 2}, {"c", 0}, {"d", 1}}));
  ExpectShare(std::ranges::count(four, 'a'), 0.7);
  ExpectShare(std::ranges::count(four, 'b'), 0.2);
  EXPECT_EQ(std::ranges::count(four, 'c'), 0);
  ExpectShare(std::ranges::count(four, 'd'), 0.1);
}

TEST(Stickiness, ExtremeWeightsKeepTheirShares) {
  const std::string chosen = AllChosen(RuleOf("r", {{"a", 1'000'000}, {"b", 1'000}}));
  ExpectShare(std::ranges::count(chosen, 'b'), 1.0 / 1001);
}

TEST(Stickiness, WhileACanaryGrowsOnlyThoseMoveWhoMustAndNoneGoesBack) {
  std::string before = AllChosen(RuleOf("r", {{"a", 100}, {"b", 0}}));
  EXPECT_EQ(std::ranges::count(before, 'a'), kValues);
  uint32_t last = 0;
  for (const uint32_t percent : {5, 20, 50, 100}) {
    const std::string after = AllChosen(RuleOf("r", {{"a", 100 - percent}, {"b", percent}}));
    ExpectShare(std::ranges::count(after, 'b'), percent / 100.0);
    EXPECT_EQ(Moves(before, after, 'b', 'a'), 0);
    ExpectShare(Moves(before, after, 'a', 'b'), (percent - last) / 100.0);
    before = after;
    last = percent;
  }
  // And those it gives up when it is rolled back are the last that came.
  const std::string back = AllChosen(RuleOf("r", {{"a", 80}, {"b", 20}}));
  EXPECT_EQ(back, AllChosen(RuleOf("r", {{"b", 20}, {"a", 80}})));
}

TEST(Stickiness, BetweenOthersNothingMoves) {
  const std::string before = AllChosen(RuleOf("r", {{"a", 60}, {"b", 30}, {"c", 10}}));
  const std::string grown = AllChosen(RuleOf("r", {{"a", 60}, {"b", 30}, {"c", 60}}));
  for (const auto& [from, to] : {std::pair{'a', 'b'}, {'b', 'a'}, {'c', 'a'}, {'c', 'b'}}) {
    EXPECT_EQ(Moves(before, grown, from, to), 0) << from << to;
  }
  ExpectShare(std::ranges::count(grown, 'c'), 0.4);
  // One that is gone leaves what it had to the others, by their weights.
  const std::string gone = AllChosen(RuleOf("r", {{"a", 60}, {"c", 10}}));
  EXPECT_EQ(Moves(before, gone, 'a', 'c') + Moves(before, gone, 'c', 'a'), 0);
  ExpectShare(Moves(before, gone, 'b', 'a'), 0.3 * 6 / 7);
}

TEST(Stickiness, OrderAndScaleOfWeightsSayNothing) {
  const std::string chosen = AllChosen(RuleOf("r", {{"a", 3}, {"b", 2}, {"c", 1}}));
  EXPECT_EQ(chosen, AllChosen(RuleOf("r", {{"c", 1}, {"a", 3}, {"b", 2}})));
  EXPECT_EQ(chosen, AllChosen(RuleOf("r", {{"a", 300}, {"b", 200}, {"c", 100}})));
}

TEST(Stickiness, AmongThoseThatFitTheOthersStay) {
  const RouteRule rule = RuleOf("r", {{"a", 60}, {"b", 30}, {"c", 10}});
  const std::string all = AllChosen(rule);
  const auto but_b = [](const Destination& destination) { return destination.pool != 'b'; };
  for (int i = 0; i < kValues; ++i) {
    const char chosen = static_cast<char>(rule.ChooseSticky(ValueOf(i), but_b)->pool);
    ASSERT_NE(chosen, 'b');
    if (all[i] != 'b') {
      ASSERT_EQ(chosen, all[i]);
    }
  }
  EXPECT_EQ(rule.ChooseSticky(1, [](const Destination&) { return false; }), nullptr);
}

TEST(Stickiness, WithoutWeightNoneIsChosen) {
  EXPECT_EQ(Chosen(RuleOf("r", {}), 1), '-');
  EXPECT_EQ(Chosen(RuleOf("r", {{"a", 0}, {"b", 0}}), 1), '-');
}

TEST(Stickiness, RulesAreIndependent) {
  const std::string one = AllChosen(RuleOf("default/r/one", {{"a", 90}, {"b", 10}}));
  const std::string two = AllChosen(RuleOf("default/r/two", {{"a", 90}, {"b", 10}}));
  ExpectShare(Moves(one, two, 'b', 'b'), 0.01);
  ExpectShare(Moves(one, two, 'a', 'b'), 0.09);
}

// Gateways of all versions and on all machines have to agree: another choice than this one would
// move clients with an update.
TEST(Stickiness, TheChoiceDependsOnNamesAlone) {
  EXPECT_NE(StickyKey(StickyOf::kRule, "m", "v"), StickyKey(StickyOf::kModel, "m", "v"));
  std::string chosen;
  const RouteRule rule = RuleOf("default/r/0", {{"a", 1}, {"b", 1}, {"c", 1}});
  for (int i = 0; i < 40; ++i) chosen += Chosen(rule, ValueOf(i));
  EXPECT_EQ(chosen, "cccbccbcccbbccbccabbacccbcababbaabacaabb");
}

TEST(Stickiness, TargetsOfAModelAreChosenAlike) {
  const auto binding_of = [](uint32_t old_weight, uint32_t new_weight) {
    return ModelBinding{.requested_model = "qwen",
                        .targets = {{"old", old_weight}, {"new", new_weight}, {"never", 0}}};
  };
  const ModelBinding before = binding_of(95, 5);
  const ModelBinding after = binding_of(80, 20);
  const ModelBinding other{.requested_model = "llama", .targets = before.targets};
  int64_t had = 0;
  int64_t has = 0;
  int64_t both = 0;
  for (int i = 0; i < kValues; ++i) {
    const bool was_new = before.ChooseSticky(ValueOf(i)) == "new";
    const bool is_new = after.ChooseSticky(ValueOf(i)) == "new";
    ASSERT_TRUE(is_new || !was_new);
    had += was_new;
    has += is_new;
    both += was_new && other.ChooseSticky(ValueOf(i)) == "new";
  }
  ExpectShare(had, 0.05);
  ExpectShare(has, 0.2);
  ExpectShare(both, 0.0025);
  EXPECT_EQ(ModelBinding{.requested_model = "qwen"}.ChooseSticky(1), "qwen");
}

class StickyPolicyTest : public testing::Test {
 protected:
  std::optional<uint64_t> Find(std::vector<std::pair<std::string, std::string>> fields,
                               std::string_view owner = "") const {
    http::RequestHead head;
    for (const auto& [name, value] : fields) head.headers.Add(name, value);
    return policy_.Find(head, owner);
  }

  StickyPolicy policy_;
};

TEST_F(StickyPolicyTest, AHeadersFirstValueCounts) {
  policy_ = {StickyPolicy::By::kHeader, "x-user-id"};
  EXPECT_EQ(Find({{"X-User-Id", "ann"}, {"x-user-id", "bob"}}), StickyHash("ann"));
  EXPECT_EQ(Find({{"x-user-id", ""}, {"x-user-id", "bob"}}), StickyHash("bob"));
  EXPECT_EQ(Find({{"x-user-id", ""}, {"x-user", "bob"}}, "owner"), std::nullopt);
}

TEST_F(StickyPolicyTest, ACookiesFirstValueCounts) {
  policy_ = {StickyPolicy::By::kCookie, "version"};
  EXPECT_EQ(Find({{"Cookie", "a=b; version=1; version=2"}}), StickyHash("1"));
  EXPECT_EQ(Find({{"Cookie", "a=b; version=; Version=1"}, {"cookie", "version=2"}}),
            StickyHash("2"));
  EXPECT_EQ(Find({{"Cookie", "versions=1;xversion=2; version"}, {"version", "3"}}), std::nullopt);
}

TEST_F(StickyPolicyTest, AConversationIsNamedByItsHeaderOrItsOwner) {
  policy_ = {StickyPolicy::By::kSession};
  EXPECT_EQ(Find({{"session-id", "2"}, {"X-Session-Id", "1"}}, "owner"), StickyHash("1"));
  EXPECT_EQ(Find({{"session-id", "2"}, {"x-session-id", ""}}, "owner"), StickyHash("2"));
  EXPECT_EQ(Find({{"x-llm-d-inference-fairness-id", "3"}}, "owner"), StickyHash("owner"));
  EXPECT_EQ(Find({}), std::nullopt);
}

TEST_F(StickyPolicyTest, WritesItsCookie) {
  policy_ = {StickyPolicy::By::kCookie, "version"};
  std::string storage;
  const http::HeaderField plain = policy_.CookieOf("abc", false, &storage);
  EXPECT_EQ(plain.name, "set-cookie");
  EXPECT_EQ(plain.value, "version=abc; Path=/; HttpOnly; SameSite=Lax");
  EXPECT_EQ(policy_.CookieOf("abc", true, &storage).value,
            "version=abc; Path=/; HttpOnly; SameSite=Lax; Secure");
}

}  // namespace
}  // namespace gw
