#include <gtest/gtest.h>

#include "translate/test_answers.h"
#include "translate/test_objects.h"

namespace gw {
namespace {

std::string RouteSaid(const Translation& translation, const std::string& type, size_t parent = 0) {
  return Said(ParentConditions(translation, "HTTPRoute", "route", parent), type);
}

TEST(Route, AttachesToAGatewayOfItsNamespace) {
  Scenario scenario;
  scenario.AddGateway();
  scenario.AddPool();
  api::HttpRoute& route = scenario.AddRoute();
  route.meta.generation = 3;
  scenario.AddPoolRef(route.rules[0], "pool");
  const Translation translation = scenario.Run();
  const api::ObjectStatus status = StatusOf(translation, "HTTPRoute", "route");
  ASSERT_EQ(status.parents.size(), 1u);
  EXPECT_EQ(status.parents[0].parent_ref.name, "gateway");
  EXPECT_EQ(status.parents[0].controller_name, "penstock.dev/gateway-controller");
  EXPECT_EQ(RouteSaid(translation, "Accepted"), "True/Accepted");
  EXPECT_EQ(RouteSaid(translation, "ResolvedRefs"), "True/ResolvedRefs");
  EXPECT_EQ(RouteSaid(translation, "PartiallyInvalid"), "none");
  EXPECT_EQ(status.parents[0].conditions[0].observed_generation, 3);
  EXPECT_EQ(ListenerOf(translation, "http").attached_routes, 1);
  EXPECT_EQ(Answer(translation), "default/pool:1");
  EXPECT_EQ(RuleFor(translation, 80, "a.com", "/")->name, "default/route/0");
  EXPECT_EQ(RuleFor(translation, 80, "a.com", "/")->route, "default/route");
}

TEST(Route, SaysThatTheModelsNameIsSetFromTheBody) {
  Scenario scenario;
  scenario.AddGateway();
  scenario.AddPool();
  api::HttpRoute& route = scenario.AddRoute();
  scenario.AddPoolRef(route.rules[0], "pool");
  const auto message = [&] {
    return MessageOf(ParentConditions(scenario.Run(), "HTTPRoute", "route"), "Accepted");
  };
  EXPECT_EQ(message(), "");
  route.rules[0].matches[0].headers.push_back({.name = "x-gateway-model-name", .value = "m"});
  EXPECT_EQ(message(), "X-Gateway-Model-Name is set from the model that the request's body names");
}

TEST(Route, ChoosesListenersBySectionNameAndPort) {
  Scenario scenario;
  api::Gateway& gateway = scenario.AddGateway();
  scenario.AddListener(gateway, "second", 81);
  scenario.AddPool();
  api::HttpRoute& route = scenario.AddRoute();
  scenario.AddPoolRef(route.rules[0], "pool");
  route.parent_refs[0].section_name = "second";
  Translation translation = scenario.Run();
  EXPECT_EQ(RouteSaid(translation, "Accepted"), "True/Accepted");
  EXPECT_EQ(Answer(translation, "/", "a.com", 80), "404");
  EXPECT_EQ(Answer(translation, "/", "a.com", 81), "default/pool:1");
  EXPECT_EQ(ListenerOf(translation, "http").attached_routes, 0);
  EXPECT_EQ(ListenerOf(translation, "second").attached_routes, 1);

  route.parent_refs[0].port = 80;
  EXPECT_EQ(RouteSaid(scenario.Run(), "Accepted"), "False/NoMatchingParent");
  route.parent_refs[0].section_name = "third";
  route.parent_refs[0].port.reset();
  translation = scenario.Run();
  EXPECT_EQ(RouteSaid(translation, "Accepted"), "False/NoMatchingParent");
  EXPECT_EQ(RouteSaid(translation, "ResolvedRefs"), "True/ResolvedRefs");
  EXPECT_EQ(MessageOf(ParentConditions(translation, "HTTPRoute", "route"), "Accepted"),
            "Gateway default/gateway has no listener named third");
}

TEST(Route, WithTwoParentRefsToOneListenerCountsOnce) {
  Scenario scenario;
  scenario.AddGateway();
  api::HttpRoute& route = scenario.AddRoute();
  route.parent_refs[0].section_name = "http";
  scenario.AddParent(route, "gateway").port = 80;
  const Translation translation = scenario.Run();
  EXPECT_EQ(RouteSaid(translation, "Accepted", 0), "True/Accepted");
  EXPECT_EQ(RouteSaid(translation, "Accepted", 1), "True/Accepted");
  EXPECT_EQ(ListenerOf(translation, "http").attached_routes, 1);
  EXPECT_EQ(translation.snapshot->listeners[0].routes->entries().size(), 1u);
}

TEST(Route, IsToldOfAParentThatDoesNotExistInFilesOnly) {
  Scenario scenario;
  scenario.AddGateway();
  api::HttpRoute& route = scenario.AddRoute();
  route.parent_refs[0].name = "missing";
  Translation translation = scenario.Run();
  EXPECT_EQ(RouteSaid(translation, "Accepted"), "False/NoMatchingParent");
  EXPECT_EQ(MessageOf(ParentConditions(translation, "HTTPRoute", "route"), "Accepted"),
            "Gateway default/missing does not exist");
  scenario.AddInvalid(api::kGatewayGroup, "Gateway", "missing", "spec: is required");
  EXPECT_EQ(MessageOf(ParentConditions(scenario.Run(), "HTTPRoute", "route"), "Accepted"),
            "Gateway default/missing is invalid");
  route.parent_refs[0].kind = "Service";
  route.parent_refs[0].group = "";
  EXPECT_EQ(RouteSaid(scenario.Run(), "Accepted"), "False/NoMatchingParent");
  scenario.options.only_controller = false;
  EXPECT_TRUE(StatusOf(scenario.Run(), "HTTPRoute", "route").parents.empty());
}

TEST(Route, OfAnotherNamespaceNeedsTheListenersLeave) {
  using From = api::AllowedRoutes::From;
  Scenario scenario;
  api::AllowedRoutes& allowed = scenario.AddGateway().listeners[0].allowed_routes;
  scenario.AddRoute("route", "team");
  const auto said = [&](From from) {
    allowed.from = from;
    return RouteSaid(scenario.Run(), "Accepted");
  };
  EXPECT_EQ(said(From::kSame), "False/NotAllowedByListeners");
  EXPECT_EQ(said(From::kNone), "False/NotAllowedByListeners");
  EXPECT_EQ(said(From::kAll), "True/Accepted");
  // A namespace without an object has the label that every namespace has.
  allowed.selector.match_labels = {{"kubernetes.io/metadata.name", "team"}};
  EXPECT_EQ(said(From::kSelector), "True/Accepted");
  allowed.selector.match_labels = {{"tier", "gold"}};
  EXPECT_EQ(said(From::kSelector), "False/NotAllowedByListeners");
  scenario.resources.namespaces["team"].meta.labels = {{"tier", "gold"}};
  EXPECT_EQ(said(From::kSelector), "True/Accepted");
  EXPECT_EQ(ListenerOf(scenario.Run(), "http").attached_routes, 1);
}

TEST(Route, IsServedUnderTheHostnamesItHasInCommonWithTheListener) {
  Scenario scenario;
  api::Gateway& gateway = scenario.AddGateway();
  gateway.listeners[0].hostname = "*.example.com";
  scenario.AddPool();
  api::HttpRoute& route = scenario.AddRoute();
  scenario.AddPoolRef(route.rules[0], "pool");
  route.hostnames = {"a.example.com", "b.net"};
  Translation translation = scenario.Run();
  EXPECT_EQ(RouteSaid(translation, "Accepted"), "True/Accepted");
  EXPECT_EQ(Answer(translation, "/", "a.example.com"), "default/pool:1");
  EXPECT_EQ(Answer(translation, "/", "c.example.com"), "404");
  EXPECT_EQ(Answer(translation, "/", "b.net"), "404");

  route.hostnames.clear();
  translation = scenario.Run();
  EXPECT_EQ(Answer(translation, "/", "c.example.com"), "default/pool:1");
  EXPECT_EQ(Answer(translation, "/", "b.net"), "404");

  route.hostnames = {"b.net", "example.com"};
  translation = scenario.Run();
  EXPECT_EQ(RouteSaid(translation, "Accepted"), "False/NoMatchingListenerHostname");
  EXPECT_EQ(ListenerOf(translation, "http").attached_routes, 0);
}

TEST(Route, OnAListenerThatIsNotServedCountsAllTheSame) {
  Scenario scenario;
  api::Gateway& gateway = scenario.AddGateway();
  scenario.AddListener(gateway, "same", 80);
  scenario.AddRoute();
  const Translation translation = scenario.Run();
  EXPECT_EQ(RouteSaid(translation, "Accepted"), "True/Accepted");
  EXPECT_EQ(ListenerOf(translation, "http").attached_routes, 1);
  EXPECT_EQ(Answer(translation), "no listener");
}

TEST(Route, OfWhichNothingIsBuiltIsRefusedAndAnswered500) {
  Scenario scenario;
  scenario.AddGateway();
  scenario.AddPool();
  api::HttpRoute& route = scenario.AddRoute();
  scenario.AddPoolRef(route.rules[0], "pool");
  route.unsupported = {{"spec.rules[0].filters[0]", 0, "is not supported yet"}};
  const Translation translation = scenario.Run();
  EXPECT_EQ(RouteSaid(translation, "Accepted"), "False/UnsupportedValue");
  EXPECT_EQ(RouteSaid(translation, "ResolvedRefs"), "True/ResolvedRefs");
  EXPECT_EQ(RouteSaid(translation, "PartiallyInvalid"), "none");
  EXPECT_EQ(ListenerOf(translation, "http").attached_routes, 0);
  EXPECT_EQ(Answer(translation), "500");
  EXPECT_EQ(RuleFor(translation, 80, "a.com", "/")->unsupported,
            "spec.rules[0].filters[0]: is not supported yet");
  EXPECT_EQ(Said(ParentConditions(translation, "InferencePool", "pool"), "Accepted"),
            "False/HTTPRouteNotAccepted");
}

TEST(Route, OfWhichARuleIsNotBuiltServesTheOthers) {
  Scenario scenario;
  scenario.AddGateway();
  scenario.AddPool();
  api::HttpRoute& route = scenario.AddRoute();
  scenario.AddPoolRef(route.rules[0], "pool");
  scenario.AddPoolRef(scenario.AddRule(route, "/filtered"), "pool");
  route.unsupported = {{"spec.rules[1].filters[0]", 1, "is not supported yet"}};
  const Translation translation = scenario.Run();
  EXPECT_EQ(RouteSaid(translation, "Accepted"), "True/Accepted");
  EXPECT_EQ(RouteSaid(translation, "PartiallyInvalid"), "True/UnsupportedValue");
  EXPECT_EQ(MessageOf(ParentConditions(translation, "HTTPRoute", "route"), "PartiallyInvalid"),
            "Dropped Rule 1: spec.rules[1].filters[0]: is not supported yet");
  EXPECT_EQ(Answer(translation, "/"), "default/pool:1");
  EXPECT_EQ(Answer(translation, "/filtered"), "500");
  EXPECT_EQ(ListenerOf(translation, "http").attached_routes, 1);
}

TEST(Route, WithAFieldOfItsOwnNotBuiltIsAnswered500Throughout) {
  Scenario scenario;
  scenario.AddGateway();
  api::HttpRoute& route = scenario.AddRoute();
  scenario.AddRule(route, "/two");
  route.unsupported = {{"spec.useDefaultGateways", -1, "is not supported yet"}};
  const Translation translation = scenario.Run();
  EXPECT_EQ(RouteSaid(translation, "Accepted"), "False/UnsupportedValue");
  EXPECT_EQ(Answer(translation, "/"), "500");
  EXPECT_EQ(Answer(translation, "/two"), "500");
}

TEST(Route, MatchesByRegularExpressions) {
  Scenario scenario;
  scenario.AddGateway();
  scenario.AddPool("regex");
  scenario.AddPool("plain");
  api::HttpRoute& route = scenario.AddRoute();
  scenario.AddPoolRef(route.rules[0], "plain");
  api::RouteMatch& path = scenario.AddRule(route, "/v[12](/.*)?").matches[0];
  path.path_type = api::PathMatchType::kRegularExpression;
  api::RouteMatch& values = route.rules[1].matches.emplace_back();
  values.path = "/values";
  values.query_params = {{"n", "[0-9]+", api::ValueMatchType::kRegularExpression}};
  scenario.AddPoolRef(route.rules[1], "regex");
  const Translation translation = scenario.Run();
  EXPECT_EQ(RouteSaid(translation, "Accepted"), "True/Accepted");
  EXPECT_EQ(RouteSaid(translation, "PartiallyInvalid"), "none");
  EXPECT_EQ(Answer(translation, "/v1/chat"), "default/regex:1");
  EXPECT_EQ(Answer(translation, "/v3"), "default/plain:1");
}

TEST(Route, OfWhatIsNoRegularExpressionIsRefusedAndItsOtherMatchesAnswered500) {
  Scenario scenario;
  scenario.AddGateway();
  api::HttpRoute& route = scenario.AddRoute();
  route.rules[0].matches[0].path = "/plain";
  api::RouteMatch& regex = route.rules[0].matches.emplace_back();
  regex.path_type = api::PathMatchType::kRegularExpression;
  regex.path = "/v[12";
  regex.headers = {{"x-a", "(b", api::ValueMatchType::kRegularExpression}};
  Translation translation = scenario.Run();
  EXPECT_EQ(RouteSaid(translation, "Accepted"), "False/UnsupportedValue");
  EXPECT_EQ(MessageOf(ParentConditions(translation, "HTTPRoute", "route"), "Accepted"),
            "Dropped Rule 0: spec.rules[0].matches[1].path.value: must be a regular expression of "
            "RE2's syntax, got \"/v[12\": missing ]: [12; "
            "spec.rules[0].matches[1].headers[x-a].value: must be a regular expression of RE2's "
            "syntax, got \"(b\": missing ): (b");
  EXPECT_EQ(Answer(translation, "/plain"), "500");
  EXPECT_EQ(Answer(translation, "/v1"), "404");
  scenario.AddRule(route, "/other");
  translation = scenario.Run();
  EXPECT_EQ(RouteSaid(translation, "Accepted"), "True/Accepted");
  EXPECT_EQ(RouteSaid(translation, "PartiallyInvalid"), "True/UnsupportedValue");
}

TEST(Route, CarriesItsTimeoutsAndZeroMeansNone) {
  Scenario scenario;
  scenario.AddGateway();
  api::HttpRoute& route = scenario.AddRoute();
  route.rules[0].request_timeout = std::chrono::seconds(30);
  route.rules[0].try_timeout = std::chrono::seconds(10);
  api::RouteRule& unlimited = scenario.AddRule(route, "/unlimited");
  unlimited.request_timeout = Duration::zero();
  const Translation translation = scenario.Run();
  const RouteRule* limited = RuleFor(translation, 80, "a.com", "/");
  ASSERT_NE(limited, nullptr);
  EXPECT_EQ(limited->request_timeout, std::chrono::seconds(30));
  EXPECT_EQ(limited->try_timeout, std::chrono::seconds(10));
  EXPECT_EQ(RuleFor(translation, 80, "a.com", "/unlimited")->request_timeout, std::nullopt);
  EXPECT_EQ(RuleFor(translation, 80, "a.com", "/unlimited")->try_timeout, std::nullopt);
}

TEST(Route, CarriesItsStreamKeepalive) {
  Scenario scenario;
  scenario.AddGateway();
  scenario.AddRoute().stream_keepalive = std::chrono::seconds(15);
  const Translation translation = scenario.Run();
  EXPECT_EQ(RuleFor(translation, 80, "a.com", "/")->stream_keepalive, std::chrono::seconds(15));
}

TEST(Route, MatchesByMethodHeadersAndQuery) {
  Scenario scenario;
  scenario.AddGateway();
  api::HttpRoute& route = scenario.AddRoute();
  api::RouteMatch& match = route.rules[0].matches[0];
  match.path_type = api::PathMatchType::kExact;
  match.path = "/v1/models";
  match.method = "POST";
  match.headers.emplace_back() = {.name = "x-env", .value = "canary"};
  match.query_params.emplace_back() = {.name = "debug", .value = "1"};
  const Translation translation = scenario.Run();
  http::RequestHead head;
  head.method = "POST";
  const RouteTable& table = *translation.snapshot->listeners[0].routes;
  EXPECT_EQ(table.Match("a.com", "/v1/models", "debug=1", head), nullptr);
  head.headers.Add("X-Env", "canary");
  EXPECT_NE(table.Match("a.com", "/v1/models", "debug=1", head), nullptr);
  EXPECT_EQ(table.Match("a.com", "/v1/models", "", head), nullptr);
  EXPECT_EQ(table.Match("a.com", "/v1/models/x", "debug=1", head), nullptr);
}

TEST(Route, OlderRoutesGoFirstAndThenByName) {
  Scenario scenario;
  scenario.AddGateway();
  for (const char* name : {"a", "b", "c"}) {
    scenario.AddPool(name);
    api::HttpRoute& route = scenario.AddRoute(name);
    route.meta.creation_unix_s = 100;
    scenario.AddPoolRef(route.rules[0], name);
  }
  EXPECT_EQ(Answer(scenario.Run()), "default/a:1");
  scenario.resources.http_routes[{"default", "c"}].meta.creation_unix_s = 50;
  EXPECT_EQ(Answer(scenario.Run()), "default/c:1");
}

TEST(Route, WithoutParentsIsNobodys) {
  Scenario scenario;
  scenario.AddGateway();
  scenario.AddRoute().parent_refs.clear();
  const Translation translation = scenario.Run();
  EXPECT_TRUE(StatusOf(translation, "HTTPRoute", "route").parents.empty());
  EXPECT_EQ(Answer(translation), "404");
}

}  // namespace
}  // namespace gw
