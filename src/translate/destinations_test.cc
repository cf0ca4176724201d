#include <gtest/gtest.h>

#include "translate/test_answers.h"
#include "translate/test_objects.h"

namespace gw {
namespace {

// One Gateway and one route whose rule the tests point somewhere.
struct RefScenario : Scenario {
  RefScenario() {
    AddGateway();
    rule = &AddRoute().rules[0];
  }
  api::RouteRule* rule;
};

std::string Refs(const Translation& translation) {
  return Said(ParentConditions(translation, "HTTPRoute", "route"), "ResolvedRefs");
}
std::string RefsMessage(const Translation& translation) {
  return MessageOf(ParentConditions(translation, "HTTPRoute", "route"), "ResolvedRefs");
}

TEST(Destination, APoolIsFoundInTheGroupOfTheReference) {
  RefScenario scenario;
  scenario.AddPool("pool", "default", api::kInferenceXGroup);
  api::BackendRef& ref = scenario.AddPoolRef(*scenario.rule, "pool");
  Translation translation = scenario.Run();
  EXPECT_EQ(Refs(translation), "False/BackendNotFound");
  EXPECT_EQ(RefsMessage(translation),
            "InferencePool default/pool of group inference.networking.k8s.io does not exist; one "
            "of group inference.networking.x-k8s.io does");
  EXPECT_EQ(Answer(translation), "500:1");
  EXPECT_EQ(Said(ParentConditions(translation, "HTTPRoute", "route"), "Accepted"), "True/Accepted");

  ref.group = api::kInferenceXGroup;
  translation = scenario.Run();
  EXPECT_EQ(Refs(translation), "True/ResolvedRefs");
  EXPECT_EQ(Answer(translation), "default/pool:1");
}

TEST(Destination, APoolThatDoesNotExistOrIsInvalidIsNotFound) {
  RefScenario scenario;
  scenario.AddPoolRef(*scenario.rule, "pool");
  EXPECT_EQ(RefsMessage(scenario.Run()),
            "InferencePool default/pool of group inference.networking.k8s.io does not exist");
  scenario.AddInvalid(api::kInferenceGroup, "InferencePool", "pool", "spec: is required");
  const Translation translation = scenario.Run();
  EXPECT_EQ(Refs(translation), "False/BackendNotFound");
  EXPECT_EQ(RefsMessage(translation),
            "InferencePool default/pool of group inference.networking.k8s.io is invalid");
}

TEST(Destination, ThePortOfAReferenceToAPoolIsNotLookedAt) {
  RefScenario scenario;
  scenario.AddPool();
  scenario.AddPoolRef(*scenario.rule, "pool").port = 1;
  EXPECT_EQ(Answer(scenario.Run()), "default/pool:1");
}

TEST(Destination, OtherKindsAreRefused) {
  RefScenario scenario;
  api::BackendRef& ref = scenario.AddServiceRef(*scenario.rule, "thing", 80);
  for (const auto& [group, kind] :
       {std::pair("", "ConfigMap"), std::pair("example.com", "Service"),
        std::pair(api::kInferenceGroup, "Service"), std::pair("", "InferencePool")}) {
    ref.group = group;
    ref.kind = kind;
    const Translation translation = scenario.Run();
    EXPECT_EQ(Refs(translation), "False/InvalidKind") << group << " " << kind;
    EXPECT_EQ(Answer(translation), "500:1");
  }
}

TEST(Destination, AcrossNamespacesAGrantIsNeeded) {
  RefScenario scenario;
  scenario.AddPool("pool", "team");
  scenario.AddService("web", "team");
  scenario.AddPoolRef(*scenario.rule, "pool", "team");
  Translation translation = scenario.Run();
  EXPECT_EQ(Refs(translation), "False/RefNotPermitted");
  EXPECT_EQ(Answer(translation), "500:1");
  EXPECT_EQ(StatusOf(translation, "InferencePool", "pool").parents[0].parent_ref.kind, "Status")
      << "a reference that is not permitted must not show at the pool";

  api::ReferenceGrant& grant = scenario.resources.reference_grants[{"team", "grant"}];
  grant.meta.ns = "team";
  grant.from = {{api::kGatewayGroup, "HTTPRoute", "default"}};
  grant.to = {{api::kInferenceGroup, "InferencePool", "pool"}};
  translation = scenario.Run();
  EXPECT_EQ(Refs(translation), "True/ResolvedRefs");
  EXPECT_EQ(Answer(translation), "team/pool:1");

  scenario.AddServiceRef(*scenario.rule, "web", 80, "team");
  EXPECT_EQ(Refs(scenario.Run()), "False/RefNotPermitted");
  grant.to.push_back({"", "Service", ""});
  EXPECT_EQ(Refs(scenario.Run()), "True/ResolvedRefs");
  grant.from[0].ns = "other";
  EXPECT_EQ(Refs(scenario.Run()), "False/RefNotPermitted");
}

TEST(Destination, NotToLearnWhatExistsElsewhereThePermissionIsAskedFirst) {
  RefScenario scenario;
  scenario.AddPoolRef(*scenario.rule, "missing", "team");
  EXPECT_EQ(Refs(scenario.Run()), "False/RefNotPermitted");
}

TEST(Destination, AnInvalidShareOfWeightedReferencesIsAnswered500) {
  RefScenario scenario;
  scenario.AddPool("a");
  scenario.AddPoolRef(*scenario.rule, "a").weight = 90;
  scenario.AddPoolRef(*scenario.rule, "missing").weight = 10;
  scenario.AddPoolRef(*scenario.rule, "missing-too").weight = 0;
  const Translation translation = scenario.Run();
  EXPECT_EQ(Answer(translation), "default/a:90 500:10 500:0");
  EXPECT_EQ(RuleFor(translation, 80, "a.com", "/")->total_weight, 100u);
  EXPECT_EQ(Refs(translation), "False/BackendNotFound");
  EXPECT_NE(RefsMessage(translation).find("missing-too"), std::string::npos);
}

TEST(Destination, WithoutReferencesOrWeightEveryRequestIsAnswered500) {
  RefScenario scenario;
  EXPECT_EQ(Answer(scenario.Run()), "500");
  EXPECT_EQ(Refs(scenario.Run()), "True/ResolvedRefs");
  scenario.AddPool();
  scenario.AddPoolRef(*scenario.rule, "pool").weight = 0;
  EXPECT_EQ(Answer(scenario.Run()), "500");
  EXPECT_EQ(Refs(scenario.Run()), "True/ResolvedRefs");
}

TEST(Destination, TheFirstProblemGivesTheReasonAndTheMessageHasAll) {
  RefScenario scenario;
  scenario.AddServiceRef(*scenario.rule, "thing", 80).kind = "Thing";
  scenario.AddPoolRef(*scenario.rule, "missing");
  const Translation translation = scenario.Run();
  EXPECT_EQ(Refs(translation), "False/InvalidKind");
  EXPECT_EQ(RefsMessage(translation),
            "backendRef thing: must be a Service, an InferencePool or a Backend of group "
            "penstock.dev, got Thing; InferencePool default/missing of group "
            "inference.networking.k8s.io does not exist");
}

TEST(Destination, AServiceLeadsToTheAddressesOfItsSlices) {
  RefScenario scenario;
  api::Service& service = scenario.AddService("web");
  service.ports[0].name = "http";
  api::EndpointSlice& slice = scenario.resources.endpoint_slices[{"default", "web-1"}];
  slice.meta.name = "web-1";
  slice.service_name = "web";
  slice.address_type = "IPv4";
  slice.ports = {{.name = "other", .port = 1, .protocol = "TCP", .app_protocol = ""},
                 {.name = "http", .port = 9000, .protocol = "TCP", .app_protocol = ""}};
  const auto add = [&slice](const char* address) -> api::SliceEndpoint& {
    slice.endpoints.emplace_back().addresses = {address};
    return slice.endpoints.back();
  };
  add("127.0.0.1").pod_name = "one";
  add("127.0.0.2").ready = false;
  add("127.0.0.3").terminating = true;
  add("127.0.0.4");
  // Pods do not count where there are slices.
  scenario.AddPod("one", "127.0.0.9", "web").meta.labels["llm-d.ai/engine-type"] = "sglang";
  scenario.AddServiceRef(*scenario.rule, "web", 80);
  const Translation translation = scenario.Run();
  EXPECT_EQ(Refs(translation), "True/ResolvedRefs");
  EXPECT_EQ(Answer(translation), "service default/web:80:1");
  EXPECT_EQ(Addresses(translation, "service default/web:80"), "127.0.0.1:9000 127.0.0.4:9000");
  const Pool& pool = translation.snapshot->pools.back()->pool;
  EXPECT_EQ(pool.kind, Pool::Kind::kService);
  EXPECT_EQ(pool.endpoints[0].name, "one");
  EXPECT_EQ(pool.endpoints[0].runtime, Runtime::kSglang);
  EXPECT_EQ(pool.endpoints[1].name, "127.0.0.4");
}

TEST(Destination, AServiceWithoutSlicesLeadsToThePodsItSelects) {
  RefScenario scenario;
  scenario.AddService("web");
  scenario.AddPod("b", "127.0.0.2", "web");
  scenario.AddPod("a", "::1", "web").target_port = 9000;
  scenario.AddPod("other", "127.0.0.3", "other");
  scenario.AddPod("elsewhere", "127.0.0.4", "web", "team");
  scenario.AddServiceRef(*scenario.rule, "web", 80);
  const Translation translation = scenario.Run();
  EXPECT_EQ(Addresses(translation, "service default/web:80"), "[::1]:9000 127.0.0.2:8000");
}

TEST(Destination, TwoReferencesToOneServicePortShareAPool) {
  RefScenario scenario;
  scenario.AddService("web");
  scenario.AddServiceRef(*scenario.rule, "web", 80);
  scenario.AddServiceRef(*scenario.rule, "web", 80);
  EXPECT_EQ(scenario.Run().snapshot->pools.size(), 1u);
}

TEST(Destination, AServiceThatCannotBeReachedIsToldWhy) {
  const struct {
    void (*change)(api::Service&);
    int port;
    const char* said;
    const char* message;
  } kCases[] = {
      {[](api::Service&) {}, 81, "False/BackendNotFound", "Service default/web has no port 81"},
      {[](api::Service& s) { s.type = "ExternalName"; }, 80, "False/BackendNotFound",
       "Service default/web is of type ExternalName, which is served with --allow-external-name "
       "only: whoever may write Services would reach whatever the gateway does (CVE-2021-25740)"},
      {[](api::Service& s) { s.ports[0].app_protocol = "kubernetes.io/h2c"; }, 80,
       "False/UnsupportedProtocol",
       "Service default/web port 80: protocol kubernetes.io/h2c is not supported yet, only http "
       "is"},
      {[](api::Service& s) { s.ports[0].protocol = "UDP"; }, 80, "False/UnsupportedProtocol",
       "Service default/web port 80: protocol UDP is not supported yet, only http is"},
      {[](api::Service& s) {
         s.ports[0].target_port = 0;
         s.ports[0].target_port_name = "http";
       },
       80, "False/BackendNotFound",
       "Service default/web port 80: nothing says which number targetPort \"http\" has; give an "
       "EndpointSlice, a number, or annotation penstock.dev/target-port on the Pods"},
  };
  for (const auto& c : kCases) {
    RefScenario scenario;
    c.change(scenario.AddService("web"));
    scenario.AddServiceRef(*scenario.rule, "web", c.port);
    const Translation translation = scenario.Run();
    EXPECT_EQ(Refs(translation), c.said);
    EXPECT_EQ(RefsMessage(translation), c.message);
    EXPECT_EQ(Answer(translation), "500:1");
  }
  RefScenario scenario;
  scenario.AddServiceRef(*scenario.rule, "web", 80);
  EXPECT_EQ(RefsMessage(scenario.Run()), "Service default/web does not exist");
}

TEST(Destination, AServiceWithoutEndpointsIsFound) {
  RefScenario scenario;
  scenario.AddService("web").ports[0].app_protocol = "http";
  scenario.AddServiceRef(*scenario.rule, "web", 80);
  const Translation translation = scenario.Run();
  EXPECT_EQ(Refs(translation), "True/ResolvedRefs");
  EXPECT_EQ(Answer(translation), "service default/web:80:1");
  EXPECT_EQ(Addresses(translation, "service default/web:80"), "");
}

}  // namespace
}  // namespace gw
