#include "translate/foreign.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "translate/test_answers.h"
#include "translate/test_objects.h"

namespace gw {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A gateway, a route with a rule to a pool and one to a Service, and a policy.
struct PolicyScenario : Scenario {
  api::ForeignObject* policy;

  PolicyScenario() {
    AddGateway();
    api::HttpRoute& route = AddRoute();
    AddPoolRef(route.rules[0], "pool");
    AddServiceRef(AddRule(route, "/web"), "web", 80);
    AddPool();
    AddPod("pod", "127.0.0.1");
    AddService("web");
    AddPod("web", "127.0.0.2", "web");
    policy = &resources.foreign.emplace_back();
    policy->meta.name = "policy";
    policy->meta.source = {"a.yaml", 3};
    policy->group = "example.com";
    policy->version = "v1";
    policy->kind = "SecurityPolicy";
  }
  void Target(const char* group, const char* kind, const char* name, const char* section = "") {
    policy->targets.push_back({group, kind, "default", name, section, {}});
  }
};

TEST(Foreign, WhatAPolicyNamesIsAnswered500AndNothingElse) {
  const struct {
    const char* group;
    const char* kind;
    const char* name;
    bool pool_refused;
    bool web_refused;
  } kCases[] = {
      {api::kInferenceGroup, "InferencePool", "pool", true, false},
      {"", "Service", "web", false, true},
      {api::kGatewayGroup, "HTTPRoute", "route", true, true},
      {api::kGatewayGroup, "Gateway", "gateway", true, true},
      {api::kGatewayGroup, "Gateway", "", true, true},
  };
  for (const auto& c : kCases) {
    PolicyScenario scenario;
    scenario.Target(c.group, c.kind, c.name);
    const Translation translation = scenario.Run();
    const RouteRule* of_pool = RuleFor(translation, 80, "h", "/");
    const RouteRule* of_web = RuleFor(translation, 80, "h", "/web");
    ASSERT_NE(of_pool, nullptr);
    ASSERT_NE(of_web, nullptr);
    const auto refused = [&](const RouteRule& rule) {
      return !rule.unsupported.empty() ||
             !translation.snapshot->pools[rule.destinations[0].pool]->unservable.empty();
    };
    EXPECT_EQ(refused(*of_pool), c.pool_refused) << c.kind;
    EXPECT_EQ(refused(*of_web), c.web_refused) << c.kind;
    const auto conditions = StatusOf(translation, "SecurityPolicy", "policy").conditions;
    EXPECT_EQ(Said(conditions, "Accepted"), "False/Unsupported") << c.kind;
    EXPECT_THAT(MessageOf(conditions, "Accepted"), HasSubstr("are answered 500"));
  }
}

TEST(Foreign, WhatChangesNothingHereIsAWarning) {
  PolicyScenario elsewhere;
  elsewhere.Target(api::kInferenceGroup, "InferencePool", "another");
  Translation translation = elsewhere.Run();
  EXPECT_THAT(translation.warnings,
              ElementsAre("SecurityPolicy default/policy (a.yaml:3): is not supported and has no "
                          "effect here on InferencePool default/another"));
  EXPECT_EQ(api::RefusedCount(translation.status), 0u);
  PolicyScenario observes;
  observes.Target(api::kInferenceGroup, "InferencePool", "pool");
  observes.policy->effect = api::ForeignObject::Effect::kObserves;
  translation = observes.Run();
  EXPECT_EQ(translation.warnings.size(), 1u);
  EXPECT_EQ(api::RefusedCount(translation.status), 0u);
}

TEST(Foreign, ARouteOfAnotherKindIsNotAcceptedAndTakesNothingDown) {
  PolicyScenario scenario;
  scenario.Target(api::kGatewayGroup, "Gateway", "gateway");
  scenario.policy->kind = "TCPRoute";
  scenario.policy->effect = api::ForeignObject::Effect::kAttaches;
  const Translation translation = scenario.Run();
  EXPECT_EQ(Said(StatusOf(translation, "TCPRoute", "policy").conditions, "Accepted"),
            "False/Unsupported");
  EXPECT_EQ(api::RefusedCount(translation.status), 1u);
  EXPECT_THAT(RuleFor(translation, 80, "h", "/")->unsupported, IsEmpty());
}

TEST(Warnings, TellOfAPoolWithoutPodsAndOfNoGateway) {
  Scenario scenario;
  EXPECT_THAT(scenario.Run().warnings, ElementsAre("there is no Gateway: nothing listens"));
  scenario.AddGateway();
  scenario.AddPool();
  EXPECT_THAT(scenario.Run().warnings,
              ElementsAre(HasSubstr("no Pod that is ready has labels app=pool")));
  scenario.AddPod("pod", "127.0.0.1");
  EXPECT_THAT(scenario.Run().warnings, IsEmpty());
}

}  // namespace
}  // namespace gw
