#include "translate/filters.h"

#include <gtest/gtest.h>

#include "translate/test_answers.h"
#include "translate/test_objects.h"

namespace gw {
namespace {

// A route to a pool, for "/v1/".
struct FilteredScenario : Scenario {
  FilteredScenario() {
    AddGateway();
    AddPool();
    rule = &AddRoute().rules[0];
    rule->matches[0].path = "/v1/";
  }
  const RouteRule* Rule() {
    translation = Run();
    return RuleFor(translation, 80, "a.com", "/v1/x");
  }

  api::RouteRule* rule;
  Translation translation;
};

TEST(Filters, NoneAreNoValue) {
  FilteredScenario scenario;
  scenario.AddPoolRef(*scenario.rule, "pool");
  const RouteRule* const rule = scenario.Rule();
  EXPECT_EQ(rule->filters, nullptr);
  EXPECT_EQ(rule->destinations[0].filters, nullptr);
}

TEST(Filters, OfTheRuleAndOfItsBackendRef) {
  FilteredScenario scenario;
  scenario.rule->filters.request_headers = {{{"a", "1"}}, {{"b", "2"}}, {"c"}};
  scenario.rule->filters.rewrite = {"x.test", {{api::PathModifier::Type::kPrefixMatch, "/y"}}};
  scenario.AddPoolRef(*scenario.rule, "pool").filters.response_headers = {{}, {{"d", "4"}}, {}};
  const RouteRule* const rule = scenario.Rule();
  ASSERT_NE(rule->filters, nullptr);
  EXPECT_EQ(rule->filters->request.set[0].value, "1");
  EXPECT_EQ(rule->filters->request.add[0].value, "2");
  EXPECT_EQ(rule->filters->request.remove[0], "c");
  EXPECT_TRUE(rule->filters->response.empty());
  EXPECT_EQ(rule->filters->rewrite.hostname, "x.test");
  EXPECT_EQ(rule->filters->rewrite.path.prefix_elements, 1u);
  ASSERT_NE(rule->destinations[0].filters, nullptr);
  EXPECT_EQ(rule->destinations[0].filters->response.add[0].name, "d");
}

TEST(Filters, ARedirectNeedsNoBackend) {
  FilteredScenario scenario;
  scenario.rule->filters.redirect = {
      "https", "x.test", {{api::PathModifier::Type::kFullPath, "/y"}}, 8443, 301};
  const RouteRule* const rule = scenario.Rule();
  const Redirect& redirect = *rule->filters->redirect;
  EXPECT_EQ(redirect.scheme, "https");
  EXPECT_EQ(redirect.hostname, "x.test");
  EXPECT_EQ(redirect.path.kind, PathEdit::Kind::kFull);
  EXPECT_EQ(redirect.path.value, "/y");
  EXPECT_EQ(redirect.port, 8443);
  EXPECT_EQ(redirect.status, 301);
  EXPECT_EQ(Said(ParentConditions(scenario.translation, "HTTPRoute", "route"), "Accepted"),
            "True/Accepted");
  EXPECT_EQ(Said(ParentConditions(scenario.translation, "HTTPRoute", "route"), "ResolvedRefs"),
            "True/ResolvedRefs");
}

TEST(Filters, CorsIsWrittenOnce) {
  FilteredScenario scenario;
  scenario.rule->filters.cors = {
      {"https://a.test", "https://*.b.test"}, {"GET", "PUT"}, {"x", "y"}, {"*"}, false, 60};
  const CorsPolicy policy = *scenario.Rule()->filters->cors;
  EXPECT_TRUE(policy.Allows("https://c.b.test"));
  EXPECT_FALSE(policy.any_origin || policy.any_method || policy.any_header);
  EXPECT_EQ(policy.methods, "GET, PUT");
  EXPECT_EQ(policy.headers, "x, y");
  EXPECT_EQ(policy.expose_headers, "*");
  EXPECT_EQ(policy.max_age, "60");
  scenario.rule->filters.cors->allow_credentials = true;
  EXPECT_EQ(scenario.Rule()->filters->cors->expose_headers, "");
  scenario.rule->filters.cors = {{"*"}, {"*"}, {"*"}, {}, true, 5};
  const CorsPolicy any = *scenario.Rule()->filters->cors;
  EXPECT_TRUE(any.any_origin && any.any_method && any.any_header);
}

TEST(Filters, MirrorsLeadToPools) {
  FilteredScenario scenario;
  scenario.AddService("copy");
  scenario.AddPool("shadow");
  scenario.rule->filters.mirrors = {{"", "Service", "default", "copy", 80, 1, 4},
                                    {api::kInferenceGroup, "InferencePool", "default", "shadow"}};
  scenario.AddPoolRef(*scenario.rule, "pool").filters.mirrors = {
      {"", "Service", "default", "copy", 80}};
  const RouteRule* const rule = scenario.Rule();
  ASSERT_EQ(rule->filters->mirrors.size(), 2u);
  EXPECT_EQ(rule->filters->mirrors[0].pool, "service default/copy:80");
  EXPECT_EQ(rule->filters->mirrors[0].numerator, 1u);
  EXPECT_EQ(rule->filters->mirrors[0].denominator, 4u);
  EXPECT_EQ(rule->filters->mirrors[1].pool, "default/shadow");
  EXPECT_EQ(rule->destinations[0].filters->mirrors[0].pool, "service default/copy:80");
  EXPECT_EQ(Said(ParentConditions(scenario.translation, "HTTPRoute", "route"), "ResolvedRefs"),
            "True/ResolvedRefs");
  EXPECT_EQ(Said(ParentConditions(scenario.translation, "InferencePool", "shadow"), "Accepted"),
            "True/Accepted");
}

TEST(Filters, AMirrorThatDoesNotResolveIsLeftOutAndTold) {
  FilteredScenario scenario;
  scenario.AddPoolRef(*scenario.rule, "pool");
  scenario.rule->name = "chat";
  scenario.rule->filters.mirrors = {{"", "Service", "default", "missing", 80}};
  const RouteRule* const rule = scenario.Rule();
  EXPECT_TRUE(rule->filters->mirrors.empty());
  EXPECT_EQ(Answer(scenario.translation, "/v1/x"), "default/pool:1") << "the rule is served";
  const auto conditions = ParentConditions(scenario.translation, "HTTPRoute", "route");
  EXPECT_EQ(Said(conditions, "Accepted"), "True/Accepted");
  EXPECT_EQ(Said(conditions, "ResolvedRefs"), "False/BackendNotFound");
  EXPECT_TRUE(MessageOf(conditions, "ResolvedRefs").starts_with("rule chat: ")) << "which";
}

TEST(Filters, AMirrorInAnotherNamespaceNeedsAGrant) {
  FilteredScenario scenario;
  scenario.AddService("copy", "other");
  scenario.AddPoolRef(*scenario.rule, "pool");
  scenario.rule->filters.mirrors = {{"", "Service", "other", "copy", 80}};
  EXPECT_TRUE(scenario.Rule()->filters->mirrors.empty());
  EXPECT_EQ(Said(ParentConditions(scenario.translation, "HTTPRoute", "route"), "ResolvedRefs"),
            "False/RefNotPermitted");
  scenario.AddGrant("default", "other", "Service");
  scenario.resources.reference_grants[{"other", "grant"}].from[0].kind = "HTTPRoute";
  EXPECT_EQ(scenario.Rule()->filters->mirrors.size(), 1u);
}

}  // namespace
}  // namespace gw
