// BackendTLSPolicies and spec.tls.backend out of YAML.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "config/file/test_objects.h"

namespace gw::config {
namespace {

using testing::ElementsAre;

std::string Policy(const std::string& spec, const std::string& version = "v1") {
  return "apiVersion: gateway.networking.k8s.io/" + version +
         "\nkind: BackendTLSPolicy\nmetadata: {name: t, namespace: n}\nspec: " + spec + "\n";
}

std::string WithValidation(const std::string& validation) {
  return Policy("{targetRefs: [{group: '', kind: Service, name: s}], validation: " + validation +
                "}");
}

constexpr char kRefs[] = "caCertificateRefs: [{group: '', kind: ConfigMap, name: ca}]";

TEST(GoodObjects, BackendTlsPolicyOfBothVersions) {
  for (const char* version : {"v1", "v1alpha3"}) {
    const api::ResourceSet set = Good(Policy(
        "{targetRefs: [{group: '', kind: Service, name: s, sectionName: https}, {group: "
        "inference.networking.k8s.io, kind: InferencePool, name: p}], validation: {hostname: "
        "a.example.com, caCertificateRefs: [{group: '', kind: ConfigMap, name: ca}, {group: '', "
        "kind: ConfigMap, name: cb}], subjectAltNames: [{type: Hostname, hostname: "
        "'*.example.com'}, {type: URI, uri: 'spiffe://example.com/ns/a'}]}}",
        version));
    const api::BackendTlsPolicy& policy = set.backend_tls_policies.at({"n", "t"});
    EXPECT_EQ(policy.version, version);
    EXPECT_THAT(policy.targets,
                ElementsAre(api::BackendTlsPolicy::Target{"", "Service", "s", "https"},
                            api::BackendTlsPolicy::Target{"inference.networking.k8s.io",
                                                          "InferencePool", "p", ""}));
    EXPECT_THAT(policy.ca_refs, ElementsAre(api::CaRef{"", "ConfigMap", "n", "ca"},
                                            api::CaRef{"", "ConfigMap", "n", "cb"}));
    EXPECT_EQ(policy.hostname, "a.example.com");
    using AltName = api::BackendTlsPolicy::AltName;
    EXPECT_THAT(policy.alt_names,
                ElementsAre(AltName{AltName::Type::kHostname, "*.example.com"},
                            AltName{AltName::Type::kUri, "spiffe://example.com/ns/a"}));
    EXPECT_FALSE(policy.system_cas);
    EXPECT_TRUE(policy.unsupported.empty());
  }
}

TEST(GoodObjects, BackendTlsPolicyOfWhatTheMachineTrusts) {
  const api::ResourceSet set =
      Good(WithValidation("{hostname: a.b, wellKnownCACertificates: System}"));
  EXPECT_TRUE(set.backend_tls_policies.at({"n", "t"}).system_cas);
}

TEST(GoodObjects, OptionsOfABackendTlsPolicyAreNotPassedOver) {
  const api::ResourceSet set = Good(
      Policy("{targetRefs: [{group: '', kind: Service, name: s}], validation: {hostname: a.b, " +
             std::string(kRefs) + "}, options: {example.com/min: '1.3'}}"));
  const auto& unsupported = set.backend_tls_policies.at({"n", "t"}).unsupported;
  ASSERT_EQ(unsupported.size(), 1u);
  EXPECT_EQ(unsupported[0].path, "spec.options[\"example.com/min\"]");
}

TEST(BadObjects, BackendTlsPolicy) {
  const std::string refs = kRefs;
  const std::string name = "BackendTLSPolicy n/t: ";
  ExpectErrors(
      {
          {Policy("{targetRefs: [{group: '', kind: Service, name: s}]}"),
           name + "spec.validation: is required (a.yaml:4)"},
          {Policy("{validation: {hostname: a.b, " + refs + "}}"),
           name + "spec.targetRefs: is required (a.yaml:4)"},
          {WithValidation("{" + refs + "}"),
           name + "spec.validation.hostname: is required (a.yaml:4)"},
          {WithValidation("{hostname: a.b}"), name +
                                                  "spec.validation.caCertificateRefs: is required "
                                                  "where wellKnownCACertificates is not "
                                                  "given (a.yaml:4)"},
          {WithValidation("{hostname: a.b, wellKnownCACertificates: System, " + refs + "}"),
           name + "spec.validation.wellKnownCACertificates: must not be given beside "
                  "caCertificateRefs "
                  "(a.yaml:4)"},
          {WithValidation("{hostname: a.b, wellKnownCACertificates: Mine}"),
           name + "spec.validation.wellKnownCACertificates: must be one of System, got \"Mine\" "
                  "(a.yaml:4)"},
          {WithValidation("{hostname: '*.b', " + refs + "}"),
           name + "spec.validation.hostname: must be a host name such as \"models.internal\", got "
                  "\"*.b\" (a.yaml:4)"},
          {WithValidation("{hostname: 10.0.0.1, " + refs + "}"),
           name + "spec.validation.hostname: must be a host name such as \"models.internal\", got "
                  "\"10.0.0.1\" (a.yaml:4)"},
          {WithValidation("{hostname: a.b, " + refs + ", subjectAltNames: [{type: URI}]}"),
           name + "spec.validation.subjectAltNames[0].uri: is required for type URI (a.yaml:4)"},
          {WithValidation("{hostname: a.b, " + refs +
                          ", subjectAltNames: [{type: URI, uri: nothing}]}"),
           name + "spec.validation.subjectAltNames[0].uri: must be a URI such as "
                  "\"spiffe://example.com/ns/a\", got \"nothing\" (a.yaml:4)"},
          {WithValidation("{hostname: a.b, " + refs +
                          ", subjectAltNames: [{type: Hostname, hostname: a.b, uri: 'x://y'}]}"),
           name + "spec.validation.subjectAltNames[0].uri: must not be given for type Hostname "
                  "(a.yaml:4)"},
          {Policy("{targetRefs: [{group: '', kind: Service, name: s}, {group: '', kind: Service, "
                  "name: "
                  "s, sectionName: a}], validation: {hostname: a.b, " +
                  refs + "}}"),
           name + "spec.targetRefs[1]: names what another entry names: those of one object must "
                  "have a "
                  "sectionName each, and different ones (a.yaml:4)"},
          {Policy(
               "{targetRefs: [{group: '', kind: Service, name: s}], validation: {hostname: a.b, " +
                   refs + "}}",
               "v1alpha2"),
           name + "apiVersion: must be gateway.networking.k8s.io/v1 or v1alpha3, got "
                  "\"gateway.networking.k8s.io/v1alpha2\" (a.yaml:1)"},
      },
      "");
}

// What it names must not be served without it.
TEST(BadObjects, ABrokenBackendTlsPolicyKeepsItsTargets) {
  for (const char* version : {"v1", "v1alpha2"}) {
    const api::ResourceSet set = ObjectsOf(
        Policy("{targetRefs: [{group: '', kind: Service, name: s, sectionName: https}]}", version));
    ASSERT_EQ(set.invalid.size(), 1u);
    ASSERT_EQ(set.invalid[0].targets.size(), 1u);
    const api::ForeignObject::Target& target = set.invalid[0].targets[0];
    EXPECT_EQ(target.kind, "Service");
    EXPECT_EQ(target.ns, "n");
    EXPECT_EQ(target.name, "s");
    EXPECT_EQ(target.section, "https");
  }
}

TEST(GoodObjects, GatewayWithAClientCertificate) {
  const std::string head =
      "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: g, namespace: n}\n"
      "spec: {gatewayClassName: c, listeners: [{name: l, port: 80, protocol: HTTP}], tls: ";
  api::ResourceSet set = Good(head + "{backend: {clientCertificateRef: {name: me}}}}\n");
  const api::Gateway& gateway = set.gateways.at({"n", "g"});
  EXPECT_EQ(gateway.backend.client_certificate, (api::SecretRef{"", "Secret", "n", "me"}));
  EXPECT_TRUE(gateway.unsupported.empty());
  set = Good(head + "{backend: {clientCertificateRef: {name: me, namespace: other}}}}\n");
  EXPECT_EQ(set.gateways.at({"n", "g"}).backend.client_certificate->ns, "other");
}

}  // namespace
}  // namespace gw::config
