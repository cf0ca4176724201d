#include <gtest/gtest.h>

#include <algorithm>

#include "translate/test_answers.h"
#include "translate/test_objects.h"

namespace gw {
namespace {

using Kinds = std::vector<api::SupportedKind>;

const Kinds kHttpRoute = {{api::kGatewayGroup, "HTTPRoute"}};

std::string ClassSaid(Scenario& scenario) {
  return Said(StatusOf(scenario.Run(), "GatewayClass", "class").conditions, "Accepted");
}
std::string GatewaySaid(const Translation& translation, const std::string& type) {
  return Said(StatusOf(translation, "Gateway", "gateway").conditions, type);
}
std::string ListenerSaid(const Translation& translation, const std::string& listener,
                         const std::string& type) {
  return Said(ListenerOf(translation, listener).conditions, type);
}

TEST(GatewayClass, OfEitherControllerNameIsAccepted) {
  Scenario scenario;
  EXPECT_EQ(ClassSaid(scenario), "True/Accepted");
  scenario.resources.gateway_classes["class"].controller_name =
      "inference.networking.x-k8s.io/gateway-controller";
  EXPECT_EQ(ClassSaid(scenario), "True/Accepted");
}

TEST(GatewayClass, NamesTheFeaturesThatAreServed) {
  Scenario scenario;
  const std::vector<std::string> features =
      StatusOf(scenario.Run(), "GatewayClass", "class").supported_features;
  EXPECT_TRUE(std::is_sorted(features.begin(), features.end()));
  EXPECT_EQ(std::count(features.begin(), features.end(), "HTTPRouteMethodMatching"), 1);
  EXPECT_EQ(std::count(features.begin(), features.end(), "HTTPRouteCORS"), 1);
  EXPECT_EQ(std::count(features.begin(), features.end(), "HTTPRouteRequestMirror"), 1);
}

TEST(GatewayClass, OfAnotherControllerIsRefusedWhereNobodyElseIs) {
  Scenario scenario;
  scenario.resources.gateway_classes["class"].controller_name = "example.com/other";
  EXPECT_EQ(ClassSaid(scenario), "False/Unsupported");
  scenario.options.only_controller = false;
  EXPECT_EQ(ClassSaid(scenario), "none");
}

TEST(GatewayClass, ConditionsCarryTheGenerationTheySaw) {
  Scenario scenario;
  scenario.resources.gateway_classes["class"].meta.generation = 7;
  const auto conditions = StatusOf(scenario.Run(), "GatewayClass", "class").conditions;
  ASSERT_EQ(conditions.size(), 1u);
  EXPECT_EQ(conditions[0].observed_generation, 7);
}

TEST(GatewayClass, WithParametersIsRefusedAndItsGatewaysWait) {
  Scenario scenario;
  scenario.AddGateway();
  scenario.AddRoute();
  api::GatewayClass& refused = scenario.resources.gateway_classes["class"];
  refused.parameters_ref.emplace().kind = "Parameters";
  refused.unsupported = {{"spec.parametersRef", -1, "is not supported yet"}};
  EXPECT_EQ(ClassSaid(scenario), "False/InvalidParameters");
  const Translation translation = scenario.Run();
  EXPECT_EQ(GatewaySaid(translation, "Accepted"), "Unknown/Pending");
  EXPECT_EQ(GatewaySaid(translation, "Programmed"), "Unknown/Pending");
  EXPECT_EQ(Said(ParentConditions(translation, "HTTPRoute", "route"), "Accepted"),
            "Unknown/Pending");
  EXPECT_TRUE(translation.snapshot->listeners.empty());
}

TEST(Gateway, WithAnHttpListenerIsAcceptedAndProgrammed) {
  Scenario scenario;
  scenario.AddGateway();
  const Translation translation = scenario.Run();
  EXPECT_EQ(GatewaySaid(translation, "Accepted"), "True/Accepted");
  EXPECT_EQ(GatewaySaid(translation, "Programmed"), "True/Programmed");
  EXPECT_EQ(ListenerSaid(translation, "http", "Accepted"), "True/Accepted");
  EXPECT_EQ(ListenerSaid(translation, "http", "Programmed"), "True/Programmed");
  EXPECT_EQ(ListenerSaid(translation, "http", "ResolvedRefs"), "True/ResolvedRefs");
  EXPECT_EQ(ListenerSaid(translation, "http", "Conflicted"), "False/NoConflicts");
  EXPECT_EQ(ListenerOf(translation, "http").supported_kinds, kHttpRoute);
  ASSERT_EQ(translation.snapshot->listeners.size(), 1u);
  EXPECT_EQ(translation.snapshot->listeners[0].key.port, 80);
  EXPECT_EQ(translation.snapshot->listeners[0].names,
            std::vector<std::string>{"default/gateway/http"});
  EXPECT_EQ(Answer(translation), "404");
}

TEST(Gateway, WithoutItsClassIsRefusedInFilesAndLeftAloneOnACluster) {
  Scenario scenario;
  scenario.AddGateway().gateway_class_name = "other";
  Translation translation = scenario.Run();
  EXPECT_EQ(GatewaySaid(translation, "Accepted"), "False/Invalid");
  EXPECT_EQ(GatewaySaid(translation, "Programmed"), "False/Invalid");
  EXPECT_TRUE(translation.snapshot->listeners.empty());
  EXPECT_EQ(
      MessageOf(StatusOf(translation, "Gateway", "gateway").conditions, "Accepted"),
      "spec.gatewayClassName: GatewayClass other does not exist; --gateway-class other serves "
      "it without one");
  scenario.AddInvalid(api::kGatewayGroup, "GatewayClass", "other", "spec: is required");
  translation = scenario.Run();
  EXPECT_EQ(MessageOf(StatusOf(translation, "Gateway", "gateway").conditions, "Accepted"),
            "spec.gatewayClassName: GatewayClass other is invalid");
  scenario.options.gateway_classes = {"other"};
  EXPECT_EQ(GatewaySaid(scenario.Run(), "Accepted"), "False/Invalid") << "it may be another's";
  scenario.options.only_controller = false;
  EXPECT_EQ(GatewaySaid(scenario.Run(), "Accepted"), "none");
}

TEST(Gateway, OfAClassThatIsOursByNameNeedsNoGatewayClass) {
  for (const bool only_controller : {true, false}) {
    Scenario scenario;
    scenario.options.gateway_classes = {"other"};
    scenario.options.only_controller = only_controller;
    scenario.AddGateway().gateway_class_name = "other";
    scenario.AddRoute();
    Translation translation = scenario.Run();
    EXPECT_EQ(GatewaySaid(translation, "Accepted"), "True/Accepted");
    EXPECT_EQ(GatewaySaid(translation, "Programmed"), "True/Programmed");
    EXPECT_EQ(Said(ParentConditions(translation, "HTTPRoute", "route"), "Accepted"),
              "True/Accepted");
    // An object of that name says whose it is.
    api::GatewayClass& added = scenario.resources.gateway_classes["other"];
    added.meta.name = "other";
    added.controller_name = "example.com/other";
    EXPECT_TRUE(scenario.Run().snapshot->listeners.empty());
  }
}

TEST(Gateway, OfAnotherControllerIsNotServed) {
  Scenario scenario;
  scenario.resources.gateway_classes["class"].controller_name = "example.com/other";
  scenario.AddGateway();
  scenario.AddRoute();
  const Translation translation = scenario.Run();
  EXPECT_EQ(GatewaySaid(translation, "Accepted"), "False/Invalid");
  EXPECT_EQ(GatewaySaid(translation, "Programmed"), "False/Invalid");
  EXPECT_EQ(Said(ParentConditions(translation, "HTTPRoute", "route"), "Accepted"),
            "False/NoMatchingParent");
  EXPECT_TRUE(translation.snapshot->listeners.empty());
  // On a cluster it is another controller's.
  scenario.options.only_controller = false;
  EXPECT_TRUE(StatusOf(scenario.Run(), "HTTPRoute", "route").parents.empty());
  EXPECT_TRUE(translation.snapshot->listeners.empty());
}

TEST(Gateway, WithWhatIsNotBuiltIsRefusedWithTheFieldsReason) {
  const struct {
    const char* path;
    void (*change)(api::Gateway&);
    const char* said;
  } kCases[] = {
      {"spec.addresses[0].type",
       [](api::Gateway& g) { g.addresses.push_back({"Hostname", "a.example.com"}); },
       "False/UnsupportedAddress"},
      {"spec.infrastructure.parametersRef", [](api::Gateway& g) { g.parameters_ref.emplace(); },
       "False/InvalidParameters"},
      {"spec.backendTLS", [](api::Gateway&) {}, "False/Invalid"},
  };
  for (const auto& c : kCases) {
    Scenario scenario;
    api::Gateway& gateway = scenario.AddGateway();
    c.change(gateway);
    gateway.unsupported = {{c.path, -1, "is not supported yet"}};
    const Translation translation = scenario.Run();
    EXPECT_EQ(GatewaySaid(translation, "Accepted"), c.said) << c.path;
    EXPECT_EQ(GatewaySaid(translation, "Programmed"), "False/Invalid") << c.path;
    EXPECT_EQ(MessageOf(StatusOf(translation, "Gateway", "gateway").conditions, "Accepted"),
              std::string(c.path) + ": is not supported yet");
    EXPECT_TRUE(translation.snapshot->listeners.empty()) << c.path;
  }
}

TEST(Listener, OfAProtocolThatIsNotServedIsRefusedAndTakesNoRoutes) {
  for (const char* protocol : {"TLS", "TCP", "UDP", "example.com/own"}) {
    Scenario scenario;
    scenario.AddListener(scenario.AddGateway(), "other", 443, "", protocol);
    scenario.AddRoute();
    const Translation translation = scenario.Run();
    EXPECT_EQ(ListenerSaid(translation, "other", "Accepted"), "False/UnsupportedProtocol");
    EXPECT_EQ(ListenerSaid(translation, "other", "Programmed"), "False/Invalid");
    EXPECT_EQ(ListenerSaid(translation, "other", "ResolvedRefs"), "True/ResolvedRefs");
    EXPECT_TRUE(ListenerOf(translation, "other").supported_kinds.empty());
    EXPECT_EQ(ListenerOf(translation, "other").attached_routes, 0);
    EXPECT_EQ(ListenerOf(translation, "http").attached_routes, 1);
    EXPECT_EQ(GatewaySaid(translation, "Accepted"), "True/ListenersNotValid");
    EXPECT_EQ(GatewaySaid(translation, "Programmed"), "True/Programmed");
    EXPECT_EQ(translation.snapshot->FindListener({443}), nullptr) << protocol;
  }
}

TEST(Listener, WithoutAValidOneTheGatewayIsRefused) {
  Scenario scenario;
  scenario.AddGateway().listeners[0].protocol = "TLS";
  const Translation translation = scenario.Run();
  EXPECT_EQ(GatewaySaid(translation, "Accepted"), "False/ListenersNotValid");
  EXPECT_EQ(GatewaySaid(translation, "Programmed"), "False/Invalid");
}

TEST(Listener, WithWhatIsNotBuiltIsRefusedAlone) {
  Scenario scenario;
  api::Gateway& gateway = scenario.AddGateway();
  scenario.AddListener(gateway, "second", 81);
  gateway.unsupported = {{"spec.listeners[1].tls", 1, "is not supported yet"}};
  const Translation translation = scenario.Run();
  EXPECT_EQ(ListenerSaid(translation, "http", "Accepted"), "True/Accepted");
  EXPECT_EQ(ListenerSaid(translation, "second", "Accepted"), "False/UnsupportedValue");
  EXPECT_EQ(GatewaySaid(translation, "Accepted"), "True/ListenersNotValid");
  EXPECT_EQ(translation.snapshot->FindListener({81}), nullptr);
}

TEST(Listener, OnOnePortAreToldApartByHostnameAndOtherwiseConflict) {
  const struct {
    const char* what;
    int port;
    const char* hostname;
    const char* protocol;
    const char* said;
  } kCases[] = {
      {"the same", 80, "", "HTTP", "True/HostnameConflict"},
      {"another hostname", 80, "a.com", "HTTP", "False/NoConflicts"},
      {"another port", 81, "", "HTTP", "False/NoConflicts"},
      {"another protocol", 80, "a.com", "HTTPS", "True/ProtocolConflict"},
      {"TCP", 80, "", "TCP", "True/ProtocolConflict"},
      {"UDP", 80, "", "UDP", "False/NoConflicts"},
  };
  for (const auto& c : kCases) {
    Scenario scenario;
    scenario.AddListener(scenario.AddGateway(), "second", c.port, c.hostname, c.protocol);
    const Translation translation = scenario.Run();
    EXPECT_EQ(ListenerSaid(translation, "http", "Conflicted"), c.said) << c.what;
    EXPECT_EQ(ListenerSaid(translation, "second", "Conflicted"), c.said) << c.what;
    const bool conflicts = std::string(c.said).starts_with("True");
    EXPECT_EQ(translation.snapshot->FindListener({80}) == nullptr, conflicts) << c.what;
    EXPECT_EQ(ListenerSaid(translation, "http", "Programmed"),
              conflicts ? "False/Invalid" : "True/Programmed");
  }
}

TEST(Listener, OnePairInConflictLeavesOthersServed) {
  Scenario scenario;
  api::Gateway& gateway = scenario.AddGateway();
  scenario.AddListener(gateway, "same", 80);
  scenario.AddListener(gateway, "other", 80, "a.com");
  const Translation translation = scenario.Run();
  EXPECT_EQ(GatewaySaid(translation, "Accepted"), "True/ListenersNotValid");
  EXPECT_EQ(ListenerSaid(translation, "same", "Conflicted"), "True/HostnameConflict");
  EXPECT_EQ(ListenerSaid(translation, "other", "Conflicted"), "False/NoConflicts");
  ASSERT_NE(translation.snapshot->FindListener({80}), nullptr);
  EXPECT_EQ(translation.snapshot->FindListener({80})->names,
            std::vector<std::string>{"default/gateway/other"});
}

TEST(Listener, NamesTheRouteKindsItKnowsAndRefusesTheOthers) {
  Scenario scenario;
  api::Gateway& gateway = scenario.AddGateway();
  gateway.listeners[0].allowed_routes.kinds = {{api::kGatewayGroup, "HTTPRoute"},
                                               {api::kGatewayGroup, "GRPCRoute"}};
  api::Listener& none = scenario.AddListener(gateway, "none", 81);
  none.allowed_routes.kinds = {{"example.com", "HTTPRoute"}};
  api::HttpRoute& route = scenario.AddRoute();
  route.parent_refs[0].section_name = "http";
  scenario.AddParent(route, "gateway", "none");
  const Translation translation = scenario.Run();
  EXPECT_EQ(ListenerSaid(translation, "http", "ResolvedRefs"), "False/InvalidRouteKinds");
  EXPECT_EQ(ListenerOf(translation, "http").supported_kinds, kHttpRoute);
  EXPECT_EQ(ListenerOf(translation, "http").attached_routes, 1);
  EXPECT_EQ(ListenerSaid(translation, "none", "ResolvedRefs"), "False/InvalidRouteKinds");
  EXPECT_TRUE(ListenerOf(translation, "none").supported_kinds.empty());
  EXPECT_EQ(ListenerOf(translation, "none").attached_routes, 0);
  EXPECT_EQ(Said(ParentConditions(translation, "HTTPRoute", "route", 0), "Accepted"),
            "True/Accepted");
  EXPECT_EQ(Said(ParentConditions(translation, "HTTPRoute", "route", 1), "Accepted"),
            "False/NotAllowedByListeners");
}

TEST(Listener, OfSeveralGatewaysOnOnePortShareIt) {
  Scenario scenario;
  scenario.AddGateway("gateway").listeners[0].hostname = "a.com";
  scenario.AddGateway("second").listeners[0].hostname = "b.com";
  scenario.AddPool("a");
  scenario.AddPool("b");
  scenario.AddPoolRef(scenario.AddRoute("to-a").rules[0], "a");
  api::HttpRoute& to_b = scenario.AddRoute("to-b");
  to_b.parent_refs[0].name = "second";
  scenario.AddPoolRef(to_b.rules[0], "b");
  const Translation translation = scenario.Run();
  ASSERT_EQ(translation.snapshot->listeners.size(), 1u);
  EXPECT_EQ(translation.snapshot->listeners[0].names,
            (std::vector<std::string>{"default/gateway/http", "default/second/http"}));
  EXPECT_EQ(Answer(translation, "/", "a.com"), "default/a:1");
  EXPECT_EQ(Answer(translation, "/", "b.com"), "default/b:1");
  EXPECT_EQ(Answer(translation, "/", "c.com"), "404");
}

TEST(Listener, OfTheOldestGatewayIsServedWhereOthersAreTheSame) {
  const struct {
    const char* what;
    int64_t first_created;
    int64_t second_created;
    const char* served;
    const char* refused;
    const char* why;
    Holders held;
  } kCases[] = {
      {"by name", 0, 0, "first", "second", "whose name sorts first", {}},
      {"by age", 200, 100, "second", "first", "which is older", {}},
      {"as before",
       7,
       7,
       "second",
       "first",
       "which had it first",
       {{"address 0.0.0.0 port 80 hostname ", "default/second/http"}}},
      {"age before what was",
       1,
       7,
       "first",
       "second",
       "which is older",
       {{"address 0.0.0.0 port 80 hostname ", "default/second/http"}}},
  };
  for (const auto& c : kCases) {
    Scenario scenario;
    scenario.AddGateway("first").meta.creation_unix_s = c.first_created;
    scenario.AddGateway("second").meta.creation_unix_s = c.second_created;
    for (const char* name : {"first", "second"}) {
      scenario.AddPool(name);
      api::HttpRoute& route = scenario.AddRoute(std::string("to-") + name);
      route.parent_refs[0].name = name;
      scenario.AddPoolRef(route.rules[0], name);
    }
    const Translation translation =
        Translate(scenario.resources, scenario.options, scenario.endpoints, 1, c.held);
    EXPECT_EQ(translation.holders.at("address 0.0.0.0 port 80 hostname "),
              "default/" + std::string(c.served) + "/http");
    const auto served = ListenerOf(translation, "http", c.served).conditions;
    EXPECT_EQ(Said(served, "Conflicted"), "False/NoConflicts") << c.what;
    EXPECT_EQ(Said(served, "Programmed"), "True/Programmed") << c.what;
    const auto refused = ListenerOf(translation, "http", c.refused).conditions;
    EXPECT_EQ(Said(refused, "Conflicted"), "True/HostnameConflict") << c.what;
    EXPECT_EQ(Said(refused, "Programmed"), "False/Invalid") << c.what;
    EXPECT_EQ(MessageOf(refused, "Conflicted"),
              std::string("port 80 with hostname \"\" is listener default/") + c.served +
                  "/http's, " + c.why);
    EXPECT_FALSE(api::IsRefused(StatusOf(translation, "Gateway", c.served))) << c.what;
    const api::ObjectStatus loser = StatusOf(translation, "Gateway", c.refused);
    EXPECT_TRUE(api::IsRefused(loser)) << c.what;
    EXPECT_EQ(Said(loser.conditions, "Accepted"), "False/ListenersNotValid") << c.what;
    EXPECT_EQ(Said(loser.conditions, "Programmed"), "False/Invalid") << c.what;
    EXPECT_EQ(translation.snapshot->listeners[0].names,
              std::vector<std::string>{std::string("default/") + c.served + "/http"});
    EXPECT_EQ(Answer(translation), std::string("default/") + c.served + ":1") << c.what;
  }
}

TEST(Listener, WhosePortCannotBeOpenedIsNotProgrammed) {
  Scenario scenario;
  scenario.options.bind_ip = "127.0.0.1";
  api::Gateway& gateway = scenario.AddGateway();
  gateway.meta.generation = 7;
  scenario.AddListener(gateway, "second", 81);
  scenario.AddListener(gateway, "tls", 82, "", "TLS");
  Translation translation = scenario.Run();
  const api::StatusSet open = translation.status;
  const auto addresses = StatusOf(translation, "Gateway", "gateway").addresses;
  ASSERT_EQ(addresses.size(), 1u);
  EXPECT_EQ(addresses[0].type + " " + addresses[0].value, "IPAddress 127.0.0.1");
  const std::string error = "bind 127.0.0.1:80: Address already in use";
  const auto with_errors = [&](const std::vector<uint16_t>& ports) {
    ListenErrors errors;
    for (const uint16_t port : ports) errors[{port, "127.0.0.1"}].message = error;
    return WithListenErrors(open, *translation.snapshot, errors);
  };
  translation.status = with_errors({80, 82, 99});
  EXPECT_EQ(ListenerSaid(translation, "http", "Accepted"), "False/PortUnavailable");
  EXPECT_EQ(MessageOf(ListenerOf(translation, "http").conditions, "Accepted"), error);
  EXPECT_EQ(ListenerSaid(translation, "http", "Programmed"), "False/Invalid");
  EXPECT_EQ(ListenerOf(translation, "http").conditions[0].observed_generation, 7);
  EXPECT_EQ(ListenerSaid(translation, "second", "Programmed"), "True/Programmed");
  // A port that was never to be opened keeps its own reason.
  EXPECT_EQ(ListenerSaid(translation, "tls", "Accepted"), "False/UnsupportedProtocol");
  EXPECT_EQ(GatewaySaid(translation, "Accepted"), "True/ListenersNotValid");
  EXPECT_EQ(MessageOf(StatusOf(translation, "Gateway", "gateway").conditions, "Accepted"),
            "not valid: http, tls");
  EXPECT_EQ(GatewaySaid(translation, "Programmed"), "True/Programmed");

  translation.status = with_errors({80, 81});
  EXPECT_EQ(GatewaySaid(translation, "Accepted"), "False/ListenersNotValid");
  EXPECT_EQ(GatewaySaid(translation, "Programmed"), "False/Invalid");
  EXPECT_TRUE(StatusOf(translation, "Gateway", "gateway").addresses.empty());
  EXPECT_EQ(api::FormatStatus(with_errors({})), api::FormatStatus(open));
}

TEST(Listener, OfAGatewayThatIsNotServedTakesNoPortFromOthers) {
  Scenario scenario;
  scenario.AddGateway("first").unsupported = {{"spec.addresses", -1, "is not supported yet"}};
  api::Gateway& twice = scenario.AddGateway("second");
  scenario.AddListener(twice, "same", 80);
  scenario.AddGateway("third");
  const Translation translation = scenario.Run();
  EXPECT_EQ(Said(ListenerOf(translation, "http", "third").conditions, "Programmed"),
            "True/Programmed");
}

}  // namespace
}  // namespace gw
