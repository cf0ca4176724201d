#include "translate/managed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "api/annotations.h"
#include "translate/shared_service.h"
#include "translate/test_answers.h"
#include "translate/test_objects.h"
#include "translate/translator.h"

namespace gw {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

// Gateways that have a Deployment each, in namespace "gateways".
struct ManagedScenario : Scenario {
  ManagedScenario() {
    options.managed_from = api::ObjectKey{"gateways", "own"};
    options.only_controller = false;
    options.managed_admin_port = 9909;
  }
  static std::string NameOf(const std::string& gateway) {
    return api::ManagedName({"default", gateway});
  }
  api::Pod& AddPodOf(const std::string& gateway, bool ready = true) {
    api::Pod& pod = AddPod(gateway + "-pod", "10.0.0.9", "", "gateways");
    pod.meta.labels = api::ManagedLabels({"default", gateway});
    pod.ready = ready;
    return pod;
  }
  api::Service& AddServiceOf(const std::string& gateway, const std::string& ip = "") {
    api::Service& service = AddService(NameOf(gateway), "gateways");
    service.type = "LoadBalancer";
    if (!ip.empty()) service.load_balancer = {{ip, ""}};
    return service;
  }
};

std::string Programmed(const Translation& translation, const std::string& gateway = "gateway") {
  return Said(StatusOf(translation, "Gateway", gateway).conditions, "Programmed");
}
std::string Why(const Translation& translation, const std::string& gateway = "gateway",
                const std::string& type = "Programmed") {
  return MessageOf(StatusOf(translation, "Gateway", gateway).conditions, type);
}
std::string ListenerSays(const Translation& translation, const std::string& listener,
                         const std::string& type = "Programmed") {
  return Said(ListenerOf(translation, listener).conditions, type);
}
std::vector<std::string> AddressesTold(const Translation& translation,
                                       const std::string& gateway = "gateway") {
  std::vector<std::string> out;
  for (const auto& each : StatusOf(translation, "Gateway", gateway).addresses) {
    out.push_back(each.type + " " + each.value);
  }
  return out;
}
std::vector<std::string> MadeFor(const Translation& translation) {
  std::vector<std::string> out;
  for (const api::ManagedGateway& each : translation.managed->made) {
    std::string text = each.gateway.name;
    for (const uint16_t port : each.ports) text += " " + std::to_string(port);
    out.push_back(text);
  }
  return out;
}

TEST(ManagedGateway, IsProgrammedOnceAPodIsReadyAndItsServiceHasAnAddress) {
  ManagedScenario scenario;
  scenario.AddGateway();
  scenario.AddRoute();
  Translation translation = scenario.Run();
  const std::string name = "gateways/" + ManagedScenario::NameOf("gateway");
  EXPECT_EQ(Said(StatusOf(translation, "Gateway", "gateway").conditions, "Accepted"),
            "True/Accepted");
  EXPECT_EQ(Programmed(translation), "False/NoResources");
  EXPECT_EQ(Why(translation), "Deployment " + name + " has no Pod that is Ready");
  EXPECT_EQ(ListenerSays(translation, "http"), "False/Pending");
  EXPECT_EQ(ListenerSays(translation, "http", "Accepted"), "True/Accepted");
  EXPECT_EQ(ListenerOf(translation, "http").attached_routes, 1);
  EXPECT_THAT(MadeFor(translation), ElementsAre("gateway 80"));

  api::Pod& pod = scenario.AddPodOf("gateway", /*ready=*/false);
  EXPECT_EQ(Programmed(scenario.Run()), "False/NoResources");
  pod.ready = true;
  translation = scenario.Run();
  EXPECT_EQ(Programmed(translation), "False/AddressNotAssigned");
  EXPECT_EQ(Why(translation), "Service " + name + " does not exist");
  EXPECT_EQ(ListenerSays(translation, "http"), "True/Programmed") << "requests are taken there";

  api::Service& service = scenario.AddServiceOf("gateway");
  EXPECT_EQ(Why(scenario.Run()), "Service " + name + " of type LoadBalancer has no address yet");
  service.load_balancer = {{"192.0.2.7", ""}, {"", "lb.example.com"}};
  translation = scenario.Run();
  EXPECT_EQ(Programmed(translation), "True/Programmed");
  EXPECT_THAT(AddressesTold(translation),
              ElementsAre("IPAddress 192.0.2.7", "Hostname lb.example.com"));

  service.type = "ClusterIP";
  service.cluster_ip = "10.96.0.7";
  EXPECT_THAT(AddressesTold(scenario.Run()), ElementsAre("IPAddress 10.96.0.7"));
  pod.meta.terminating = true;
  translation = scenario.Run();
  EXPECT_EQ(Programmed(translation), "False/NoResources") << "its last Pod goes";
  EXPECT_THAT(AddressesTold(translation), IsEmpty());
}

TEST(ManagedGateway, CountsNoPodsButItsOwn) {
  ManagedScenario scenario;
  scenario.AddGateway();
  scenario.AddGateway("other");
  scenario.AddPodOf("other");
  api::Pod& elsewhere = scenario.AddPod("p", "10.0.0.1", "", "default");
  elsewhere.meta.labels = api::ManagedLabels({"default", "gateway"});
  api::Pod& helms = scenario.AddPod("h", "10.0.0.2", "", "gateways");
  helms.meta.labels = api::ManagedLabels({"default", "gateway"});
  helms.meta.labels[api::kManagedByLabel] = "Helm";
  const Translation translation = scenario.Run();
  EXPECT_EQ(Programmed(translation), "False/NoResources");
  EXPECT_EQ(Programmed(translation, "other"), "False/AddressNotAssigned");
}

TEST(ManagedGateway, OfTheSamePortAndHostnameIsNoConflict) {
  ManagedScenario scenario;
  for (const char* name : {"a", "b"}) {
    scenario.AddGateway(name);
    scenario.AddPodOf(name);
    scenario.AddServiceOf(name, "192.0.2.1");
  }
  const Translation translation = scenario.Run();
  for (const char* name : {"a", "b"}) {
    EXPECT_EQ(Programmed(translation, name), "True/Programmed");
    EXPECT_EQ(Said(ListenerOf(translation, "http", name).conditions, "Conflicted"),
              "False/NoConflicts");
  }
  EXPECT_THAT(MadeFor(translation), ElementsAre("a 80", "b 80"));
}

TEST(ManagedGateway, HasAPortForEachOfItsListenersThatCanBeServed) {
  ManagedScenario scenario;
  api::Gateway& gateway = scenario.AddGateway();
  Scenario::AddListener(gateway, "again", 80, "a.example.com");
  Scenario::AddListener(gateway, "low", 8);
  Scenario::AddListener(gateway, "tcp", 81, "", "TCP");
  Scenario::AddListener(gateway, "admin", 9909);
  Scenario::AddHttps(gateway, "tls", "missing");
  const Translation translation = scenario.Run();
  EXPECT_THAT(MadeFor(translation), ElementsAre("gateway 8 80"));
  EXPECT_EQ(ListenerSays(translation, "admin", "Accepted"), "False/PortUnavailable");
  EXPECT_EQ(MessageOf(ListenerOf(translation, "admin").conditions, "Accepted"),
            "port 9909 is the admin port of the Gateway's Pods (--admin)");
}

TEST(ManagedGateway, ThatNamesAnAddressIsToldThatItCannot) {
  ManagedScenario scenario;
  scenario.AddGateway().addresses = {{"IPAddress", "192.0.2.1"}};
  Translation translation = scenario.Run();
  EXPECT_EQ(Programmed(translation), "False/AddressNotUsable");
  EXPECT_THAT(Why(translation), HasSubstr("spec.addresses: 192.0.2.1 cannot be chosen"));
  EXPECT_EQ(ListenerSays(translation, "http"), "False/Pending");
  EXPECT_THAT(MadeFor(translation), IsEmpty());
  scenario.resources.gateways.begin()->second.addresses = {{"IPAddress", ""}};
  EXPECT_THAT(MadeFor(scenario.Run()), ElementsAre("gateway 80")) << "any will do";
}

TEST(ManagedGateway, WhoseDeploymentHasTheNameOfAnOldersIsNotServedByThatOnes) {
  ManagedScenario scenario;
  // Whoever may choose names finds two of one hash among a million.
  const std::string younger = std::string(60, 'x') + "549599";
  const std::string older = std::string(60, 'x') + "712382";
  ASSERT_EQ(ManagedScenario::NameOf(younger), ManagedScenario::NameOf(older));
  scenario.AddGateway(younger).meta.creation_unix_s = 20;
  scenario.AddGateway(older).meta.creation_unix_s = 10;
  scenario.AddPodOf(older);
  scenario.AddServiceOf(older, "192.0.2.1");
  const Translation translation = scenario.Run();
  EXPECT_EQ(Programmed(translation, older), "True/Programmed");
  EXPECT_EQ(Programmed(translation, younger), "False/NoResources");
  EXPECT_THAT(Why(translation, younger), HasSubstr("is that of Gateway default/" + older));
  EXPECT_THAT(AddressesTold(translation, younger), IsEmpty());
  EXPECT_THAT(MadeFor(translation), ElementsAre(older + " 80"));
}

TEST(ManagedGateway, LabelsThatAreOursAreNotTakenAndItSaysSo) {
  ManagedScenario scenario;
  api::Gateway& gateway = scenario.AddGateway();
  gateway.infrastructure.labels = {{"team", "a"}};
  EXPECT_EQ(Why(scenario.Run(), "gateway", "Accepted"), "");
  gateway.infrastructure.labels[api::kGatewayNameLabel] = "x";
  EXPECT_EQ(Why(scenario.Run(), "gateway", "Accepted"),
            "spec.infrastructure.labels: gateway.networking.k8s.io/gateway-name is the gateway's "
            "own and not taken over");
}

TEST(ManagedGateway, ThatExistsAndCannotBeServedAtTheMomentKeepsWhatItHas) {
  ManagedScenario scenario;
  scenario.AddGateway("good");
  scenario.AddGateway("classless").gateway_class_name = "gone";
  scenario.AddGateway("refused").unsupported.push_back({"spec.x", -1, "is not supported yet"});
  api::Gateway& deaf = scenario.AddGateway("deaf");
  deaf.listeners[0].protocol = "UDP";
  api::GatewayClass& foreign = scenario.resources.gateway_classes["foreign"];
  foreign.meta.name = "foreign";
  foreign.controller_name = "example.com/other";
  scenario.AddGateway("theirs").gateway_class_name = "foreign";
  scenario.AddInvalid(api::kGatewayGroup, "Gateway", "broken", "spec: is required");
  scenario.AddInvalid(api::kGatewayGroup, "HTTPRoute", "route", "spec: is required");
  const Translation translation = scenario.Run();
  EXPECT_THAT(MadeFor(translation), ElementsAre("good 80"));
  EXPECT_THAT(
      translation.managed->kept,
      UnorderedElementsAre(ManagedScenario::NameOf("classless"), ManagedScenario::NameOf("refused"),
                           ManagedScenario::NameOf("deaf"), ManagedScenario::NameOf("broken")));
}

TEST(ManagedGateway, FollowsItsPodsAndOthersPodsMakeNothingAnew) {
  ManagedScenario scenario;
  scenario.AddGateway();
  scenario.AddPool();
  Translator translator(scenario.options, scenario.endpoints);
  translator.TranslateAll(scenario.resources, 1);
  const auto follow = [&](const api::Pod& pod) {
    const api::ObjectChange change{.before = nullptr,
                                   .after = std::make_shared<const api::Object>(pod)};
    return translator.Follow(scenario.resources, {&change, 1}, 2);
  };
  EXPECT_FALSE(follow(scenario.AddPod("p", "10.0.0.1")).whole);
  const Translator::Update update = follow(scenario.AddPodOf("gateway"));
  EXPECT_TRUE(update.whole);
  EXPECT_EQ(update.managed->made.size(), 1u);
}

TEST(ManagedGateway, TheClassDoesNotPromiseAddressesThatAreChosen) {
  ManagedScenario scenario;
  const auto has_static = [&] {
    return StatusOf(scenario.Run(), "GatewayClass", "class").supported_features;
  };
  EXPECT_THAT(has_static(), testing::Not(testing::Contains("GatewayStaticAddresses")));
  scenario.options.managed_from.reset();
  EXPECT_THAT(has_static(), testing::Contains("GatewayStaticAddresses"));
}

TEST(ServiceType, WhereNoServiceIsMadeIsWarnedOf) {
  Scenario scenario;
  api::Gateway& gateway = scenario.AddGateway();
  scenario.AddRoute();
  EXPECT_FALSE(scenario.Run().managed);
  EXPECT_THAT(scenario.Run().warnings, IsEmpty());
  gateway.meta.annotations[api::kServiceTypeAnnotation] = "ClusterIP";
  EXPECT_THAT(scenario.Run().warnings,
              ElementsAre(HasSubstr("Gateway default/gateway: annotation penstock.dev/service-type "
                                    "has no effect")));
  scenario.options.only_gateway = api::ObjectKey{"default", "gateway"};
  EXPECT_THAT(scenario.Run().warnings, IsEmpty()) << "whoever makes it is another process";
}

TEST(OnlyGateway, OthersAreAsIfTheyWereAnotherControllers) {
  Scenario scenario;
  scenario.options.only_controller = false;
  scenario.options.only_gateway = api::ObjectKey{"default", "b"};
  scenario.AddGateway("a");
  scenario.AddGateway("b");
  scenario.AddRoute().parent_refs[0].name = "a";
  const Translation translation = scenario.Run();
  ASSERT_EQ(translation.snapshot->listeners.size(), 1u);
  EXPECT_THAT(translation.snapshot->listeners[0].names, ElementsAre("default/b/http"));
  EXPECT_EQ(Programmed(translation, "a"), "none");
  EXPECT_THAT(ParentConditions(translation, "HTTPRoute", "route"), IsEmpty());
}

TEST(ManagedGatewaysIn, CountsTheReadyPodsOfAllGatewaysOfTheNamespace) {
  ManagedScenario scenario;
  scenario.AddPodOf("a");
  scenario.AddPodOf("b");
  scenario.AddPodOf("c", /*ready=*/false);
  scenario.AddPod("other", "10.0.0.1", "x", "gateways");
  scenario.AddPod("elsewhere", "10.0.0.2").meta.labels = api::ManagedLabels({"default", "d"});
  EXPECT_EQ(ManagedGatewaysIn(scenario.resources, "gateways"), 2);
  EXPECT_EQ(ManagedGatewaysIn(scenario.resources, "nowhere"), 0);
}

}  // namespace
}  // namespace gw
