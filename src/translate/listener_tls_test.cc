// HTTPS listeners: their certificates, their clients' and what is said of them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "translate/test_tls.h"

namespace gw {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(HTTPRouteHTTPSListener, IsServedWithItsCertificateAndItsRoutes) {
  TlsScenario scenario;
  scenario.AddPoolRef(scenario.AddRoute().rules[0], "pool");
  scenario.AddPool();
  const Translation translation = scenario.Run();
  for (const char* type : {"Accepted", "Programmed", "ResolvedRefs"}) {
    EXPECT_EQ(ListenerSaid(translation, "https", type), std::string("True/") + type);
  }
  EXPECT_EQ(ListenerSaid(translation, "https", "Conflicted"), "False/NoConflicts");
  EXPECT_EQ(ListenerSaid(translation, "https", "OverlappingTLSConfig"), "none");
  EXPECT_EQ(ListenerMessage(translation, "https", "ResolvedRefs"),
            "Secret default/cert: CN=a.example.com, names a.example.com, until "
            "2049-12-31T23:59:59Z");
  EXPECT_EQ(Shown(*translation.snapshot), "*: CN=a.example.com");
  EXPECT_EQ(Answer(translation, "/", "a.example.com", 443), "default/pool:1");
  EXPECT_THAT(translation.warnings, Not(testing::Contains(HasSubstr("certificate"))));
  ASSERT_EQ(translation.certificates.size(), 1u);
  EXPECT_EQ(translation.certificates[0].listener, "default/gateway/https");
  EXPECT_EQ(translation.certificates[0].from, "Secret default/cert");
  EXPECT_EQ(translation.next_change_unix_s, translation.certificates[0].not_after_unix_s + 1);
}

TEST(HttpsListener, IsRefusedWhereNobodyTerminatesTls) {
  TlsScenario scenario;
  scenario.options.tickets = nullptr;
  const Translation translation = scenario.Run();
  EXPECT_EQ(ListenerSaid(translation, "https", "Accepted"), "False/UnsupportedProtocol");
  EXPECT_EQ(Shown(*translation.snapshot), "none");
}

TEST(GatewayInvalidTLSConfiguration, ASecretThatDoesNotExist) {
  TlsScenario scenario;
  scenario.resources.secrets.clear();
  scenario.ExpectRefused("InvalidCertificateRef",
                         "spec.listeners[1].tls.certificateRefs[0]: Secret default/cert does not "
                         "exist (gateway.yaml:12)");
  TlsScenario invalid;
  invalid.resources.secrets.clear();
  invalid.AddInvalid("", "Secret", "cert", "data: must be a map");
  invalid.ExpectRefused("InvalidCertificateRef",
                        "spec.listeners[1].tls.certificateRefs[0]: Secret default/cert is invalid "
                        "(gateway.yaml:12)");
}

TEST(GatewayInvalidTLSConfiguration, AnUnsupportedGroup) {
  TlsScenario scenario;
  scenario.https->tls->certificate_refs[0].group = "wrong.group.company.io";
  scenario.ExpectRefused("InvalidCertificateRef",
                         "spec.listeners[1].tls.certificateRefs[0]: must be a Secret, got "
                         "wrong.group.company.io/Secret (gateway.yaml:12)");
}

TEST(GatewayInvalidTLSConfiguration, AnUnsupportedKind) {
  TlsScenario scenario;
  scenario.https->tls->certificate_refs[0].kind = "WrongKind";
  scenario.ExpectRefused("InvalidCertificateRef",
                         "spec.listeners[1].tls.certificateRefs[0]: must be a Secret, got "
                         "WrongKind (gateway.yaml:12)");
}

TEST(GatewayInvalidTLSConfiguration, AMalformedSecret) {
  TlsScenario scenario;
  scenario.secret->data = {{"tls.crt", "Hello world\n"}, {"tls.key", "Hello world\n"}};
  scenario.ExpectRefused("InvalidCertificateRef",
                         "spec.listeners[1].tls.certificateRefs[0]: Secret default/cert "
                         "(cert.yaml:3): tls.crt: must be a certificate in PEM, has none "
                         "(gateway.yaml:12)");
}

// What is wrong with a certificate, and what of it is said.
TEST(HttpsListener, SaysWhatIsWrongWithACertificate) {
  const auto named = [](TestKey key, const char* from, const char* until) {
    return MakeCertificate({.common_name = "a",
                            .names = "DNS:a.example.com",
                            .key = key,
                            .issuer = &TestAuthority(),
                            .not_before = from,
                            .not_after = until});
  };
  const struct {
    TestCertificate made;
    std::string key_pem;
    const char* said;
  } kCases[] = {
      {named(TestKey::kP256, "20200101000000Z", "20260101000000Z"), KeyPemForTest(TestKey::kP256),
       "tls.crt: expired on 2026-01-01T00:00:00Z"},
      {named(TestKey::kP256, "20280101000000Z", "20300101000000Z"), KeyPemForTest(TestKey::kP256),
       "tls.crt: not valid before 2028-01-01T00:00:00Z"},
      {named(TestKey::kP256, "20200101000000Z", "20300101000000Z"),
       KeyPemForTest(TestKey::kOtherP256),
       "tls.key: must be the key of the first certificate of tls.crt"},
      {named(TestKey::kRsa1024, "20200101000000Z", "20300101000000Z"),
       KeyPemForTest(TestKey::kRsa1024),
       "tls.key: must be an RSA key of at least 2048 bits, has 1024"},
      {named(TestKey::kP256, "20200101000000Z", "20300101000000Z"), "",
       "tls.key: must be a private key in PEM, has none"},
  };
  for (const auto& c : kCases) {
    TlsScenario scenario;
    scenario.secret->data = {{"tls.crt", c.made.pem}, {"tls.key", c.key_pem}};
    scenario.ExpectRefused("InvalidCertificateRef",
                           std::string("spec.listeners[1].tls.certificateRefs[0]: Secret "
                                       "default/cert (cert.yaml:3): ") +
                               c.said + " (gateway.yaml:12)");
  }
  TlsScenario opaque;
  opaque.secret->type = "Opaque";
  opaque.ExpectRefused("InvalidCertificateRef",
                       "spec.listeners[1].tls.certificateRefs[0]: Secret default/cert "
                       "(cert.yaml:3): type: must be kubernetes.io/tls, got \"Opaque\" "
                       "(gateway.yaml:12)");
}

TEST(HttpsListener, WithoutTlsIsRefused) {
  TlsScenario scenario;
  scenario.https->tls.reset();
  scenario.ExpectRefused("InvalidCertificateRef",
                         "spec.listeners[1].tls.certificateRefs: is required for protocol HTTPS");
}

TEST(HttpsListener, ServesTheGoodOnesOfItsCertificates) {
  TlsScenario scenario;
  const TestCertificate rsa = ServerCertificate("a.example.com", TestKey::kRsa2048);
  scenario.AddSecret("rsa", rsa.pem, rsa.key_pem());
  scenario.https->tls->certificate_refs.push_back({"", "Secret", "default", "missing"});
  scenario.https->tls->certificate_refs.push_back({"", "Secret", "default", "rsa"});
  scenario.https->tls->certificate_refs.push_back({"", "Secret", "default", "cert"});
  const Translation translation = scenario.Run();
  EXPECT_EQ(Shown(*translation.snapshot), "*: CN=a.example.com CN=a.example.com");
  EXPECT_EQ(ListenerSaid(translation, "https", "Programmed"), "True/Programmed");
  EXPECT_EQ(ListenerMessage(translation, "https", "ResolvedRefs"),
            "spec.listeners[1].tls.certificateRefs[1]: Secret default/missing does not exist");
}

TEST(GatewaySecretMissingReferenceGrant, TheReferenceIsNotPermitted) {
  TlsScenario scenario;
  scenario.resources.secrets.clear();
  scenario.AddSecret("cert", scenario.certificate.pem, scenario.certificate.key_pem(), "certs");
  scenario.https->tls->certificate_refs[0].ns = "certs";
  scenario.ExpectRefused("RefNotPermitted",
                         "spec.listeners[1].tls.certificateRefs[0]: no ReferenceGrant in namespace "
                         "certs lets a Gateway of namespace default refer to Secret certs/cert "
                         "(gateway.yaml:12)");
}

TEST(GatewaySecretInvalidReferenceGrant, OfOthersDoesNotPermitIt) {
  using Change = void (*)(api::ReferenceGrant&);
  const Change kWrong[] = {
      [](api::ReferenceGrant& grant) { grant.from[0].ns = "other"; },
      [](api::ReferenceGrant& grant) { grant.from[0].kind = "HTTPRoute"; },
      [](api::ReferenceGrant& grant) { grant.from[0].group = ""; },
      [](api::ReferenceGrant& grant) { grant.to[0].kind = "Service"; },
      [](api::ReferenceGrant& grant) { grant.to[0].name = "another"; },
  };
  for (const Change& change : kWrong) {
    TlsScenario scenario;
    scenario.AddSecret("cert", scenario.certificate.pem, scenario.certificate.key_pem(), "certs");
    scenario.https->tls->certificate_refs[0].ns = "certs";
    scenario.AddGrant("default", "certs", "Secret");
    change(scenario.resources.reference_grants.begin()->second);
    EXPECT_EQ(ListenerSaid(scenario.Run(), "https", "ResolvedRefs"), "False/RefNotPermitted");
  }
}

TEST(GatewaySecretReferenceGrantAllInNamespace, PermitsTheReference) {
  TlsScenario scenario;
  scenario.AddSecret("cert", scenario.certificate.pem, scenario.certificate.key_pem(), "certs");
  scenario.https->tls->certificate_refs[0].ns = "certs";
  scenario.AddGrant("default", "certs", "Secret");
  const Translation translation = scenario.Run();
  EXPECT_EQ(ListenerSaid(translation, "https", "ResolvedRefs"), "True/ResolvedRefs");
  EXPECT_EQ(ListenerSaid(translation, "https", "Programmed"), "True/Programmed");
}

TEST(GatewaySecretReferenceGrantSpecific, PermitsTheReference) {
  TlsScenario scenario;
  scenario.AddSecret("cert", scenario.certificate.pem, scenario.certificate.key_pem(), "certs");
  scenario.https->tls->certificate_refs[0].ns = "certs";
  scenario.AddGrant("default", "certs", "Secret", "cert");
  const Translation translation = scenario.Run();
  EXPECT_EQ(ListenerSaid(translation, "https", "ResolvedRefs"), "True/ResolvedRefs");
  EXPECT_EQ(Shown(*translation.snapshot), "*: CN=a.example.com");
}

TEST(GatewayWithAttachedRoutes, CountsThemOnAListenerWithABadCertificate) {
  TlsScenario scenario;
  scenario.resources.secrets.clear();
  scenario.AddRoute("first");
  scenario.AddRoute("second");
  const Translation translation = scenario.Run();
  EXPECT_EQ(ListenerOf(translation, "https").attached_routes, 2);
  EXPECT_EQ(ListenerSaid(translation, "https", "ResolvedRefs"), "False/InvalidCertificateRef");
}

TEST(HttpsListener, SharesAPortWithOthersOfOtherHostnamesAndOverlapsAreTold) {
  TlsScenario scenario;
  scenario.https->hostname = "a.example.com";
  const TestCertificate wide = ServerCertificate("*.example.com");
  scenario.AddSecret("wide", wide.pem, wide.key_pem());
  scenario.AddHttps(*scenario.gateway, "wide", "wide", "*.example.com");
  scenario.AddHttps(*scenario.gateway, "other", "wide", "b.example.org");
  const Translation translation = scenario.Run();
  EXPECT_EQ(Shown(*translation.snapshot),
            "a.example.com: CN=a.example.com; *.example.com: CN=*.example.com; b.example.org: "
            "CN=*.example.com");
  EXPECT_EQ(ListenerSaid(translation, "https", "OverlappingTLSConfig"),
            "True/OverlappingHostnames");
  EXPECT_EQ(ListenerSaid(translation, "wide", "OverlappingTLSConfig"), "True/OverlappingHostnames");
  EXPECT_EQ(ListenerSaid(translation, "other", "OverlappingTLSConfig"), "none");
  EXPECT_EQ(Said(StatusOf(translation, "Gateway", "gateway").conditions, "Accepted"),
            "True/Accepted")
      << "an overlap is no fault";
  EXPECT_THAT(
      translation.warnings,
      ElementsAre("Gateway default/gateway: listener other: none of its certificates is for "
                  "the hostname b.example.org"));
}

TEST(HttpsListener, OfAnotherGatewayDoesNotTakeAPlainOnesPort) {
  TlsScenario scenario;
  scenario.AddHttps(scenario.AddGateway("later"), "own", "cert", "a.example.com", 80);
  const Translation translation = scenario.Run();
  EXPECT_EQ(Shown(*translation.snapshot, 80), "plain");
  EXPECT_EQ(ListenerSaid(translation, "own", "Conflicted", "later"), "True/ProtocolConflict");
}

TEST(HttpsListener, OfTwoGatewaysSharesAPortIfClientsShowTheSameCertificates) {
  for (const bool same : {true, false}) {
    TlsScenario scenario;
    scenario.AddAuthorities("ca", TestAuthority().pem);
    const api::FrontendValidation validation = {.ca_refs = {{"", "ConfigMap", "default", "ca"}},
                                                .path = "spec.tls.frontend.default.validation"};
    api::Gateway& second = scenario.AddGateway("second");
    scenario.AddHttps(second, "https", "cert", "b.example.com");
    scenario.gateway->frontend.validation = validation;
    if (same) second.frontend.validation = validation;
    const Translation translation = scenario.Run();
    EXPECT_EQ(ListenerSaid(translation, "https", "Conflicted", "second"),
              same ? "False/NoConflicts" : "True/ProtocolConflict");
    EXPECT_EQ(
        Shown(*translation.snapshot),
        same ? "*: CN=a.example.com; b.example.com: CN=a.example.com" : "*: CN=a.example.com");
  }
}

TEST(GatewayFrontendClientCertificateValidation, IsAskedForAsTheGatewaySaysForThePort) {
  ClientScenario scenario;
  scenario.AddHttps(*scenario.gateway, "open", "cert", "", 8443);
  scenario.AddHttps(*scenario.gateway, "lax", "cert", "", 9443);
  scenario.gateway->frontend.by_port[8443] = std::nullopt;
  scenario.gateway->frontend.by_port[9443] = scenario.gateway->frontend.validation;
  scenario.gateway->frontend.by_port[9443]->mode =
      api::FrontendValidation::Mode::kAllowInsecureFallback;
  scenario.gateway->frontend.by_port[9443]->path = "spec.tls.frontend.perPort[1].tls.validation";
  const Translation translation = scenario.Run();
  EXPECT_EQ(scenario.Clients(translation).mode, ClientValidation::Mode::kAllowValidOnly);
  EXPECT_EQ(scenario.Clients(translation).trust->size(), 1u);
  EXPECT_EQ(scenario.Clients(translation, 8443).mode, ClientValidation::Mode::kNone);
  EXPECT_EQ(scenario.Clients(translation, 9443).mode,
            ClientValidation::Mode::kAllowInsecureFallback);
  EXPECT_EQ(Said(StatusOf(translation, "Gateway", "gateway").conditions,
                 "InsecureFrontendValidationMode"),
            "True/ConfigurationChanged");
  EXPECT_EQ(Said(StatusOf(translation, "Gateway", "gateway").conditions, "Accepted"),
            "True/Accepted");
}

TEST(GatewayFrontendInvalidDefaultClientCertificateValidation, SaysWhatIsWrongWithAReference) {
  const struct {
    api::CaRef ref;
    const char* reason;
    const char* message;
  } kCases[] = {
      {{"", "ConfigMap", "default", "none"},
       "InvalidCACertificateRef",
       "ConfigMap default/none does not exist"},
      {{"", "ConfigMap", "default", "bad"},
       "InvalidCACertificateRef",
       "ConfigMap default/bad: ca.crt: must have a certificate in PEM, has none"},
      {{"", "Secret", "default", "cert"},
       "InvalidCACertificateKind",
       "must be a ConfigMap, got Secret"},
      {{"x.io", "ConfigMap", "default", "ca"},
       "InvalidCACertificateKind",
       "must be a ConfigMap, got x.io/ConfigMap"},
      {{"", "ConfigMap", "certs", "ca"},
       "RefNotPermitted",
       "no ReferenceGrant in namespace certs lets a Gateway of namespace default refer to "
       "ConfigMap certs/ca"},
  };
  for (const auto& c : kCases) {
    ClientScenario scenario;
    scenario.AddAuthorities("bad", "no certificate");
    scenario.AddAuthorities("ca", TestAuthority().pem, "certs");
    scenario.gateway->frontend.validation->ca_refs.push_back(c.ref);
    Translation translation = scenario.Run();
    EXPECT_EQ(ListenerSaid(translation, "https", "ResolvedRefs"), std::string("False/") + c.reason);
    EXPECT_EQ(
        ListenerMessage(translation, "https", "ResolvedRefs"),
        std::string("spec.tls.frontend.default.validation.caCertificateRefs[1]: ") + c.message);
    EXPECT_EQ(ListenerSaid(translation, "https", "Accepted"), "True/Accepted");
    EXPECT_EQ(scenario.Clients(translation).trust->size(), 1u) << "the other one is left";
    // Nobody gets in where there is nothing to check clients by.
    auto& refs = scenario.gateway->frontend.validation->ca_refs;
    refs.erase(refs.begin());
    translation = scenario.Run();
    EXPECT_EQ(ListenerSaid(translation, "https", "ResolvedRefs"), std::string("False/") + c.reason);
    EXPECT_EQ(ListenerSaid(translation, "https", "Accepted"), "False/NoValidCACertificate");
    EXPECT_EQ(ListenerSaid(translation, "https", "Programmed"), "False/Invalid");
    EXPECT_EQ(Shown(*translation.snapshot), "none");
    EXPECT_EQ(ListenerSaid(translation, "http", "Accepted"), "True/Accepted");
  }
}

TEST(GatewayFrontendClientCertificateValidation, TakesAuthoritiesOfAnotherNamespaceByGrant) {
  ClientScenario scenario;
  scenario.AddAuthorities("ca", TestAuthority().pem, "certs");
  scenario.gateway->frontend.validation->ca_refs[0].ns = "certs";
  scenario.AddGrant("default", "certs", "ConfigMap", "ca");
  EXPECT_EQ(ListenerSaid(scenario.Run(), "https", "ResolvedRefs"), "True/ResolvedRefs");
}

}  // namespace
}  // namespace gw
