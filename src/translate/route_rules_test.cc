// Retries, sessions and names of rules.

#include "translate/route_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "flowcontrol/breaker.h"
#include "routing/retry.h"
#include "routing/session.h"
#include "routing/sticky.h"
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

TEST(RouteRules, StickinessIsTakenOver) {
  RulesScenario scenario;
  EXPECT_EQ(scenario.Rule("/a").sticky, nullptr);
  EXPECT_EQ(scenario.Rule("/a").destinations[0].sticky_key, 0u);
  scenario.route->sticky = {api::Stickiness::By::kHeader, "x-user-id"};
  EXPECT_EQ(scenario.Rule("/a").sticky->by, StickyPolicy::By::kHeader);
  EXPECT_EQ(scenario.Rule("/b").sticky->name, "x-user-id");
  scenario.route->sticky = {api::Stickiness::By::kCookie, "version"};
  EXPECT_EQ(scenario.Rule("/a").sticky->by, StickyPolicy::By::kCookie);
  EXPECT_EQ(scenario.Rule("/a").sticky->name, "version");
  scenario.route->sticky = {api::Stickiness::By::kSession, ""};
  EXPECT_EQ(scenario.Rule("/a").sticky->by, StickyPolicy::By::kSession);
}

TEST(RouteRules, AllOfARouteCountInOneBreaker) {
  RulesScenario scenario;
  EXPECT_EQ(scenario.Rule("/a").breaker, nullptr);
  scenario.route->max_requests = 5;
  const RouteRule& rule = scenario.Rule("/a");
  ASSERT_NE(rule.breaker, nullptr);
  EXPECT_EQ(rule.breaker->requests.max(), 5);
  EXPECT_EQ(rule.breaker->waiting.max(), std::nullopt);
  EXPECT_EQ(rule.breaker, RuleFor(scenario.translation, 80, "a.com", "/b")->breaker);
}

TEST(RouteRules, WhatIsLoggedIsTakenOver) {
  RulesScenario scenario;
  EXPECT_EQ(scenario.Rule("/a").log, RequestLog());
  scenario.route->log = {kLogErrors, LogLevel::kDebug};
  EXPECT_EQ(scenario.Rule("/a").log.share, kLogErrors);
  EXPECT_EQ(scenario.Rule("/b").log.level, LogLevel::kDebug);
}

TEST(RouteRules, ALimitOfThoseThatWaitIsWarnedOfWhereNobodyWaits) {
  RulesScenario scenario;
  scenario.route->max_waiting = 5;
  EXPECT_THAT(
      scenario.Run().warnings,
      testing::Contains(HasSubstr("HTTPRoute default/route: annotation penstock.dev/max-waiting: "
                                  "has no effect, as no pool that the route leads to has "
                                  "penstock.dev/queueing: \"true\"")));
  scenario.resources.inference_pools.begin()->second.meta.annotations["penstock.dev/queueing"] =
      "true";
  EXPECT_THAT(scenario.Run().warnings, testing::Not(testing::Contains(HasSubstr("max-waiting"))));
}

TEST(RouteRules, StickyKeysAreMadeOfTheNamesOfRuleAndDestination) {
  const auto keys_of = [](const RouteRule& rule) {
    std::vector<uint64_t> keys;
    for (const Destination& destination : rule.destinations) {
      keys.push_back(destination.sticky_key);
    }
    return keys;
  };
  RulesScenario scenario;
  scenario.route->sticky = {api::Stickiness::By::kSession, ""};
  std::vector<api::BackendRef>& refs = scenario.route->rules[0].backend_refs;
  refs.clear();
  for (const char* name : {"pool", "other", "pool"}) {
    scenario.AddPoolRef(scenario.route->rules[0], name);
  }
  const std::vector<uint64_t> keys = keys_of(scenario.Rule("/a"));
  EXPECT_EQ(std::set<uint64_t>(keys.begin(), keys.end()).size(), 3u);
  EXPECT_NE(keys_of(scenario.Rule("/b"))[0], keys[0]) << "another rule's";
  // Neither weights nor places count, nor whether a reference leads anywhere.
  refs[1].weight = 7;
  std::swap(refs[0], refs[1]);
  scenario.AddPool("other");
  EXPECT_THAT(keys_of(scenario.Rule("/a")), ElementsAre(keys[1], keys[0], keys[2]));
  // With a name the rule's place does not count.
  scenario.route->rules[0].name = "chat";
  const std::vector<uint64_t> named = keys_of(scenario.Rule("/a"));
  EXPECT_NE(named[0], keys[1]);
  std::swap(scenario.route->rules[0], scenario.route->rules[1]);
  EXPECT_EQ(keys_of(scenario.Rule("/a")), named);
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
