// Retries, sessions and names of rules.

#include "translate/route_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "routing/retry.h"
#include "routing/session.h"
#include "translate/test_answers.h"
#include "translate/test_objects.h"

namespace gw {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

// A route of two rules, "/a" and "/b", to one pool.
struct RulesScenario : Scenario {
  RulesScenario() {
    AddGateway();
    AddPool();
    route = &AddRoute();
    route->rules[0].matches[0].path = "/a";
    AddPoolRef(route->rules[0], "pool");
    AddPoolRef(AddRule(*route, "/b"), "pool");
  }
  const RouteRule& Rule(const std::string& path) {
    translation = Run();
    return *RuleFor(translation, 80, "a.com", path);
  }

  api::HttpRoute* route;
  Translation translation;
};

TEST(RouteRules, AreCalledByTheirNameOrTheirNumber) {
  RulesScenario scenario;
  scenario.route->rules[1].name = "chat";
  EXPECT_EQ(scenario.Rule("/a").label, "0");
  EXPECT_FALSE(scenario.Rule("/a").named);
  EXPECT_EQ(scenario.Rule("/b").label, "chat");
  EXPECT_TRUE(scenario.Rule("/b").named);
  EXPECT_EQ(scenario.Rule("/b").name, "default/route/chat");
}

TEST(RouteRules, ConditionsTellTheirName) {
  RulesScenario scenario;
  scenario.route->rules[1].name = "chat";
  scenario.AddPoolRef(scenario.route->rules[1], "missing");
  scenario.route->unsupported = {{"spec.rules[1].x", 1, "is not supported yet"}};
  const auto conditions = ParentConditions(scenario.Run(), "HTTPRoute", "route");
  EXPECT_THAT(MessageOf(conditions, "ResolvedRefs"), StartsWith("rule chat: "));
  EXPECT_THAT(MessageOf(conditions, "PartiallyInvalid"), HasSubstr("Dropped Rule 1 (chat): "));
}

TEST(RouteRules, HaveNoRetriesOrSessionsUnlessAsked) {
  RulesScenario scenario;
  EXPECT_EQ(scenario.Rule("/a").retry, nullptr);
  EXPECT_EQ(scenario.Rule("/a").session, nullptr);
}

TEST(RouteRules, RetriesAreTakenOver) {
  RulesScenario scenario;
  scenario.route->rules[0].retry = {{500, 503}, 0, std::chrono::seconds(1)};
  scenario.route->rules[1].retry.emplace();
  const RouteRule& first = scenario.Rule("/a");
  EXPECT_THAT(first.retry->codes, ElementsAre(500, 503));
  EXPECT_EQ(first.retry->attempts, 0u);
  EXPECT_EQ(first.retry->back_off, Duration(std::chrono::seconds(1)));
  const RouteRule& second = scenario.Rule("/b");
  EXPECT_EQ(second.retry->attempts, RetryPolicy::kAttemptsDefault);
  EXPECT_EQ(second.retry->back_off, Duration(0));
}

TEST(RouteRules, SessionsBelongToTheRule) {
  RulesScenario scenario;
  scenario.route->rules[0].session.emplace();
  scenario.route->rules[1].session = {"sticky", std::chrono::hours(1), std::chrono::seconds(9),
                                      false, true};
  const SessionPolicy first = *scenario.Rule("/a").session;
  const SessionPolicy second = *scenario.Rule("/b").session;
  EXPECT_EQ(first.name, CookieNameFor(first.scope));
  EXPECT_NE(first.scope, second.scope);
  EXPECT_THAT(first.cookie_paths, ElementsAre("/a"));
  EXPECT_EQ(second.name, "sticky");
  EXPECT_TRUE(second.permanent);
  EXPECT_EQ(second.absolute_timeout, Duration(std::chrono::hours(1)));
  EXPECT_EQ(second.idle_timeout, Duration(std::chrono::seconds(9)));
  // A name is not taken for another rule's number.
  scenario.route->rules[1].name = "0";
  const std::string numbered = scenario.Rule("/a").session->scope;
  EXPECT_NE(numbered, scenario.Rule("/b").session->scope);
  // With a name the scope does not change with the rule's place.
  scenario.route->rules[1].name = "chat";
  const std::string scope = scenario.Rule("/b").session->scope;
  std::swap(scenario.route->rules[0], scenario.route->rules[1]);
  EXPECT_EQ(scenario.Rule("/b").session->scope, scope);
}

TEST(RouteRules, CookiePathsAreTriedFromTheLongest) {
  RulesScenario scenario;
  auto& rule = scenario.route->rules[0];
  rule.session.emplace();
  rule.matches.emplace_back().path = "/a/longer";
  rule.matches.emplace_back() = {api::PathMatchType::kRegularExpression, "/a/b/[0-9]+", {}, {}, ""};
  EXPECT_THAT(scenario.Rule("/a").session->cookie_paths, ElementsAre("/a/longer", "/a/b", "/a"));
}

}  // namespace
}  // namespace gw
