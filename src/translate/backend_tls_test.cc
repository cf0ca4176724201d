// BackendTLSPolicies: what endpoints are spoken to by, and what is said of it. The names are those
// of the Gateway API's conformance tests where there is one.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "translate/test_backend_tls.h"

namespace gw {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

std::string PolicySaid(const Translation& translation, const std::string& name,
                       const std::string& type) {
  return Said(ParentConditions(translation, "BackendTLSPolicy", name), type);
}
std::string PolicyMessage(const Translation& translation, const std::string& name,
                          const std::string& type) {
  return MessageOf(ParentConditions(translation, "BackendTLSPolicy", name), type);
}

TEST(BackendTLSPolicy, SaysWhomToAskForAndWhatToBelieve) {
  PolicyScenario scenario;
  scenario.AddPolicy("web", "abc.example.com");
  scenario.AddPoolPolicy();
  const Translation translation = scenario.Run();
  EXPECT_EQ(Spoken(translation, "/"), "models.internal");
  EXPECT_EQ(Spoken(translation, "/web"), "abc.example.com");
  EXPECT_EQ(Spoken(translation, "/other"), "abc.example.com");
  const ClientTls::Options& options = EntryFor(translation, "/web").pool.access->tls->options();
  ASSERT_NE(options.trust, nullptr);
  EXPECT_EQ(options.trust->size(), 1u);
  EXPECT_EQ(options.certificate, nullptr);
  EXPECT_THAT(options.alt_names, IsEmpty());
  for (const char* name : {"web", "tls"}) {
    EXPECT_EQ(PolicySaid(translation, name, "Accepted"), "True/Accepted");
    EXPECT_EQ(PolicySaid(translation, name, "ResolvedRefs"), "True/ResolvedRefs");
    const api::ObjectStatus status = StatusOf(translation, "BackendTLSPolicy", name);
    ASSERT_EQ(status.parents.size(), 1u);
    EXPECT_EQ(status.parents[0].parent_ref.kind, "Gateway");
    EXPECT_EQ(status.parents[0].parent_ref.ns, "default");
    EXPECT_EQ(status.parents[0].parent_ref.name, "gateway");
    EXPECT_EQ(status.parents[0].controller_name, "penstock.dev/gateway-controller");
    EXPECT_THAT(status.conditions, IsEmpty());
  }
  EXPECT_EQ(api::RefusedCount(translation.status), 0u);
}

TEST(BackendTLSPolicy, WithoutOneAllIsPlain) {
  PolicyScenario scenario;
  const Translation translation = scenario.Run();
  for (const char* path : {"/", "/web", "/other"}) EXPECT_EQ(Spoken(translation, path), "plain");
}

TEST(BackendTLSPolicy, LetsAPortSayHttps) {
  for (const char* protocol : {"https", "HTTPS"}) {
    PolicyScenario scenario;
    scenario.service->ports[0].app_protocol = protocol;
    EXPECT_EQ(Answer(scenario.Run(), "/web"), "500:1") << "whom to ask for is not known";
    scenario.AddPolicy("web", "abc.example.com");
    EXPECT_EQ(Spoken(scenario.Run(), "/web"), "abc.example.com");
  }
}

TEST(BackendTLSPolicy, TrustsTheMachinesAuthoritiesIfAsked) {
  PolicyScenario scenario;
  api::BackendTlsPolicy& policy = scenario.AddPoolPolicy();
  policy.ca_refs.clear();
  policy.system_cas = true;
  Translation translation = scenario.Run();
  EXPECT_EQ(Spoken(translation, "/"), "models.internal");
  EXPECT_EQ(PolicySaid(translation, "tls", "Accepted"), "True/Accepted");
  scenario.options.read_system_trust = [] { return absl::NotFoundError("none can be read"); };
  translation = scenario.Run();
  EXPECT_EQ(PolicySaid(translation, "tls", "Accepted"), "False/Invalid");
  EXPECT_EQ(Spoken(translation, "/"),
            "InferencePool default/pool: BackendTLSPolicy default/tls: "
            "spec.validation.wellKnownCACertificates: none can be read");
}

TEST(BackendTLSPolicySANValidation, NamesTakeThePlaceOfTheHostname) {
  using Type = api::BackendTlsPolicy::AltName::Type;
  PolicyScenario scenario;
  scenario.AddPolicy("web", "abc.example.com").alt_names = {
      {Type::kUri, "spiffe://abc.example.com/test-identity"}, {Type::kHostname, "def.example.com"}};
  const Translation translation = scenario.Run();
  const ClientTls::Options& options = EntryFor(translation, "/web").pool.access->tls->options();
  EXPECT_EQ(options.server_name, "abc.example.com") << "it is what is asked for all the same";
  ASSERT_EQ(options.alt_names.size(), 2u);
  EXPECT_EQ(options.alt_names[0].type, ClientTls::AltName::Type::kUri);
  EXPECT_EQ(options.alt_names[0].value, "spiffe://abc.example.com/test-identity");
  EXPECT_EQ(options.alt_names[1].type, ClientTls::AltName::Type::kHostname);
  EXPECT_EQ(options.alt_names[1].value, "def.example.com");
}

TEST(BackendTLSPolicyInvalidCACertificateRef, RequestsFailAndTheConditionsSayWhy) {
  const struct {
    std::vector<std::string> maps;
    std::string data;
    std::string said;
  } kCases[] = {
      {{"absent"}, "", "ConfigMap default/absent does not exist"},
      {{"ca"}, "nothing", "ConfigMap default/ca: ca.crt: must have a certificate in PEM, has none"},
  };
  for (const auto& c : kCases) {
    PolicyScenario scenario;
    api::BackendTlsPolicy& policy = scenario.AddPolicy("web", "abc.example.com");
    policy.ca_refs = {{"", "ConfigMap", "default", c.maps[0]}};
    policy.meta.lines["spec.validation.caCertificateRefs[0]"] = 9;
    scenario.AddAuthorities("ca", c.data);
    const Translation translation = scenario.Run();
    const std::string said = "spec.validation.caCertificateRefs[0]: " + c.said + " (policy.yaml:9)";
    EXPECT_EQ(PolicySaid(translation, "web", "Accepted"), "False/NoValidCACertificate");
    EXPECT_EQ(PolicySaid(translation, "web", "ResolvedRefs"), "False/InvalidCACertificateRef");
    EXPECT_EQ(PolicyMessage(translation, "web", "ResolvedRefs"), said);
    EXPECT_EQ(Spoken(translation, "/web"),
              "BackendTLSPolicy default/web: spec.validation.caCertificateRefs: there is no "
              "authority to check endpoints by: " +
                  said);
    EXPECT_EQ(Said(ParentConditions(translation, "HTTPRoute", "route"), "ResolvedRefs"),
              "True/ResolvedRefs")
        << "the route is right";
  }
}

TEST(BackendTLSPolicyInvalidCACertificateRef, OfSeveralTheOthersAreUsed) {
  PolicyScenario scenario;
  scenario.AddPolicy("web", "abc.example.com").ca_refs = {{"", "ConfigMap", "default", "absent"},
                                                          {"", "ConfigMap", "default", "ca"}};
  const Translation translation = scenario.Run();
  EXPECT_EQ(PolicySaid(translation, "web", "Accepted"), "True/Accepted");
  EXPECT_EQ(PolicySaid(translation, "web", "ResolvedRefs"), "False/InvalidCACertificateRef");
  EXPECT_EQ(Spoken(translation, "/web"), "abc.example.com");
}

TEST(BackendTLSPolicyInvalidKind, RequestsFailAndTheConditionsSayWhy) {
  PolicyScenario scenario;
  scenario.AddPolicy("web", "abc.example.com").ca_refs = {{"", "Secret", "default", "ca"}};
  const Translation translation = scenario.Run();
  EXPECT_EQ(PolicySaid(translation, "web", "Accepted"), "False/NoValidCACertificate");
  EXPECT_EQ(PolicySaid(translation, "web", "ResolvedRefs"), "False/InvalidKind");
  EXPECT_THAT(PolicyMessage(translation, "web", "ResolvedRefs"),
              HasSubstr("must be a ConfigMap, got Secret"));
  EXPECT_THAT(Spoken(translation, "/web"), HasSubstr("BackendTLSPolicy default/web"));
}

TEST(BackendTLSPolicyObservedGenerationBump, ConditionsAreOfTheNewestGeneration) {
  PolicyScenario scenario;
  api::BackendTlsPolicy& policy = scenario.AddPolicy("web", "abc.example.com");
  for (const int64_t generation : {1, 2, 7}) {
    policy.meta.generation = generation;
    policy.hostname = "foo.example.com";
    const Translation translation = scenario.Run();
    const auto conditions = ParentConditions(translation, "BackendTLSPolicy", "web");
    EXPECT_EQ(conditions.size(), 2u);
    for (const api::Condition& condition : conditions) {
      EXPECT_EQ(condition.observed_generation, generation);
    }
  }
}

TEST(BackendTLSPolicyConflictResolution, OfOneTargetTheOlderThenTheFirstNameIsInForce) {
  for (const char* port : {"", "https-1"}) {
    PolicyScenario scenario;
    scenario.AddPolicy("one", "one.example.com", port).meta.creation_unix_s = 5;
    api::BackendTlsPolicy& two = scenario.AddPolicy("two", "two.example.com", port);
    two.meta.creation_unix_s = 5;
    Translation translation = scenario.Run();
    EXPECT_EQ(Spoken(translation, "/web"), "one.example.com");
    EXPECT_EQ(PolicySaid(translation, "one", "Accepted"), "True/Accepted");
    EXPECT_EQ(PolicySaid(translation, "two", "Accepted"), "False/Conflicted");
    EXPECT_THAT(PolicyMessage(translation, "two", "Accepted"),
                HasSubstr("already has BackendTLSPolicy one, whose name sorts first"));
    two.meta.creation_unix_s = 4;
    translation = scenario.Run();
    EXPECT_EQ(Spoken(translation, "/web"), "two.example.com");
    EXPECT_EQ(PolicySaid(translation, "one", "Accepted"), "False/Conflicted");
    EXPECT_THAT(PolicyMessage(translation, "one", "Accepted"), HasSubstr("which is older"));
  }
}

TEST(BackendTLSPolicyConflictResolution, ThatOfAPortGoesBeforeThatOfTheService) {
  PolicyScenario scenario;
  scenario.AddPolicy("port", "port.example.com", "https-1").meta.creation_unix_s = 9;
  scenario.AddPolicy("whole", "whole.example.com").meta.creation_unix_s = 1;
  const Translation translation = scenario.Run();
  EXPECT_EQ(PolicySaid(translation, "port", "Accepted"), "True/Accepted");
  EXPECT_EQ(PolicySaid(translation, "whole", "Accepted"), "True/Accepted");
  EXPECT_EQ(Spoken(translation, "/web"), "port.example.com");
  EXPECT_EQ(Spoken(translation, "/other"), "whole.example.com");
}

TEST(BackendTLSPolicyConflictResolution, OneThatIsBrokenDoesNotGiveWay) {
  PolicyScenario scenario;
  scenario.AddPolicy("a", "a.example.com").ca_refs = {{"", "ConfigMap", "default", "absent"}};
  scenario.AddPolicy("b", "b.example.com");
  const Translation translation = scenario.Run();
  EXPECT_THAT(Spoken(translation, "/web"), HasSubstr("BackendTLSPolicy default/a"));
  EXPECT_EQ(PolicySaid(translation, "b", "Accepted"), "False/Conflicted");
}

TEST(BackendTLSPolicy, NamesWhatDoesNotExist) {
  const struct {
    api::BackendTlsPolicy::Target target;
    std::string said;
    std::string message;
  } kCases[] = {
      {{"", "Service", "absent", ""}, "False/TargetNotFound", "Service default/absent does not"},
      {{"", "Service", "web", "x"}, "False/TargetNotFound", "Service default/web has no port"},
      {{api::kInferenceXGroup, "InferencePool", "pool", ""}, "False/TargetNotFound", "not exist"},
      {{"apps", "Deployment", "web", ""}, "False/Invalid", "got apps/Deployment"},
      {{"", "InferencePool", "pool", ""}, "False/Invalid", "got InferencePool"},
  };
  for (const auto& c : kCases) {
    PolicyScenario scenario;
    api::BackendTlsPolicy& policy = scenario.AddPolicy("web", "abc.example.com");
    policy.targets = {c.target};
    Translation translation = scenario.Run();
    // No Gateway leads to it, but for the Service.
    const api::ObjectStatus status = StatusOf(translation, "BackendTLSPolicy", "web");
    const auto& conditions =
        status.parents.empty() ? status.conditions : status.parents[0].conditions;
    EXPECT_EQ(Said(conditions, "Accepted"), c.said);
    EXPECT_THAT(MessageOf(conditions, "Accepted"), HasSubstr(c.message));
    // Beside one that does exist, which is spoken to as it says.
    policy.targets.push_back({api::kInferenceGroup, "InferencePool", "pool", ""});
    translation = scenario.Run();
    EXPECT_EQ(PolicySaid(translation, "web", "Accepted"), c.said);
    EXPECT_EQ(Spoken(translation, "/"), "abc.example.com");
  }
}

TEST(BackendTLSPolicy, WhatCannotBeHonouredFailsItsTargetAndNoOther) {
  PolicyScenario scenario;
  scenario.AddPolicy("web", "abc.example.com", "https-1").unsupported = {
      {"spec.options.example.com/ciphers", -1, "is not supported yet"}};
  api::BackendTlsPolicy& of_pool = scenario.AddPoolPolicy();
  of_pool.targets[0].section = "http";
  Translation translation = scenario.Run();
  EXPECT_EQ(Spoken(translation, "/web"),
            "BackendTLSPolicy default/web: spec.options.example.com/ciphers: is not supported yet");
  EXPECT_EQ(Spoken(translation, "/other"), "plain");
  EXPECT_EQ(PolicySaid(translation, "web", "Accepted"), "False/Invalid");
  EXPECT_THAT(Spoken(translation, "/"), HasSubstr("an InferencePool has no sections"));
  EXPECT_EQ(PolicySaid(translation, "tls", "Accepted"), "False/Invalid");
}

TEST(BackendTLSPolicy, OneThatBreaksTheRulesFailsItsTarget) {
  PolicyScenario scenario;
  scenario.AddInvalid(api::kGatewayGroup, "BackendTLSPolicy", "bad",
                      "spec.validation: is required");
  scenario.resources.invalid.back().targets = {
      {"", "Service", "default", "web", "https-2", {}},
      {api::kInferenceGroup, "InferencePool", "default", "pool", "", {}}};
  Translation translation = scenario.Run();
  EXPECT_EQ(Spoken(translation, "/other"),
            "BackendTLSPolicy default/bad: spec.validation: is required");
  EXPECT_THAT(Spoken(translation, "/"), HasSubstr("spec.validation: is required"));
  EXPECT_EQ(Spoken(translation, "/web"), "plain");
  scenario.AddPoolPolicy();
  EXPECT_EQ(Spoken(scenario.Run(), "/"), "models.internal") << "a whole one is in force";
}

TEST(BackendTLSPolicy, WithoutAGatewayIsTold) {
  PolicyScenario scenario;
  scenario.AddPolicy("web", "abc.example.com");
  scenario.resources.http_routes.clear();
  Translation translation = scenario.Run();
  api::ObjectStatus status = StatusOf(translation, "BackendTLSPolicy", "web");
  EXPECT_THAT(status.parents, IsEmpty());
  EXPECT_EQ(Said(status.conditions, "Accepted"), "Unknown/Pending");
  EXPECT_EQ(Said(status.conditions, "ResolvedRefs"), "True/ResolvedRefs");
  scenario.options.only_controller = false;
  status = StatusOf(scenario.Run(), "BackendTLSPolicy", "web");
  EXPECT_THAT(status.conditions, IsEmpty()) << "on a cluster it is not ours";
}

}  // namespace
}  // namespace gw
