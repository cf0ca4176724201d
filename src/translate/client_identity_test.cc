// What Gateways show to endpoints that are spoken to by TLS, and what of it stays.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "translate/test_backend_tls.h"
#include "translate/translator.h"

namespace gw {
namespace {

using testing::HasSubstr;

constexpr char kNone[] = "nothing";

// Beside the Gateway a second one on port 81, of which either may show a certificate.
struct IdentityScenario : PolicyScenario {
  TestCertificate mine = MakeCertificate({.common_name = "mine", .issuer = &TestAuthority()});
  TestCertificate theirs = MakeCertificate(
      {.common_name = "theirs", .key = TestKey::kOtherP256, .issuer = &TestAuthority()});
  api::Gateway* first = &resources.gateways.at({"default", "gateway"});
  api::Gateway* second;

  IdentityScenario() {
    second = &AddGateway("second");
    second->listeners[0].port = 81;
    AddParent(resources.http_routes.at({"default", "route"}), "second");
    AddSecret("mine", mine.pem, mine.key_pem());
    AddSecret("theirs", theirs.pem, theirs.key_pem());
    AddPoolPolicy();
    AddPolicy("web", "abc.example.com", "https-1");
  }
  static void Show(api::Gateway* gateway, const std::string& secret) {
    gateway->backend.client_certificate = api::SecretRef{"", "Secret", "default", secret};
  }
};

std::string IdentityOf(const Translation& translation, const std::string& path, uint16_t port) {
  const PoolEntry& entry = EntryFor(translation, path, port);
  if (!entry.unservable.empty()) return entry.unservable;
  if (entry.pool.access == nullptr) return "plain";
  const auto& certificate = entry.pool.access->tls->options().certificate;
  return certificate == nullptr ? kNone : certificate->subject();
}

TEST(GatewayBackendClientCertificate, IsShownToEndpointsThatAreSpokenToByTls) {
  IdentityScenario scenario;
  scenario.Show(scenario.first, "mine");
  scenario.Show(scenario.second, "mine");
  const Translation translation = scenario.Run();
  for (const uint16_t port : {80, 81}) {
    EXPECT_EQ(IdentityOf(translation, "/", port), "CN=mine");
    EXPECT_EQ(IdentityOf(translation, "/web", port), "CN=mine");
    EXPECT_EQ(IdentityOf(translation, "/other", port), "plain");
  }
  EXPECT_EQ(translation.snapshot->pools.size(), 3u) << "one certificate, one entry of each";
  const auto conditions = StatusOf(translation, "Gateway", "gateway").conditions;
  EXPECT_EQ(Said(conditions, "ResolvedRefs"), "True/ResolvedRefs");
  EXPECT_THAT(MessageOf(conditions, "ResolvedRefs"), HasSubstr("Secret default/mine: CN=mine"));
}

TEST(GatewayBackendClientCertificate, IsThatOfTheGatewayOfTheRequest) {
  IdentityScenario scenario;
  scenario.Show(scenario.first, "mine");
  scenario.Show(scenario.second, "theirs");
  Translation translation = scenario.Run();
  EXPECT_EQ(IdentityOf(translation, "/", 80), "CN=mine");
  EXPECT_EQ(IdentityOf(translation, "/", 81), "CN=theirs");
  EXPECT_EQ(IdentityOf(translation, "/web", 80), "CN=mine");
  EXPECT_EQ(IdentityOf(translation, "/web", 81), "CN=theirs");
  EXPECT_EQ(EntryFor(translation, "/", 80).pool.id, "default/pool");
  EXPECT_EQ(EntryFor(translation, "/", 81).pool.id,
            "default/pool by client certificate Secret default/theirs");
  EXPECT_EQ(EntryFor(translation, "/", 81).pool.endpoints.size(), 1u);
  scenario.second->backend.client_certificate.reset();
  translation = scenario.Run();
  EXPECT_EQ(IdentityOf(translation, "/", 80), "CN=mine");
  EXPECT_EQ(IdentityOf(translation, "/", 81), kNone) << "a Gateway that shows none";
  scenario.Show(scenario.second, "theirs");
  scenario.first->backend.client_certificate.reset();
  translation = scenario.Run();
  EXPECT_EQ(IdentityOf(translation, "/", 80), kNone);
  EXPECT_EQ(IdentityOf(translation, "/", 81), "CN=theirs");
}

TEST(GatewayBackendClientCertificate, IsShownToAPoolThatAsksForTlsByItself) {
  IdentityScenario scenario;
  api::InferencePool& pool = scenario.resources.inference_pools.begin()->second;
  pool.meta.annotations["penstock.dev/endpoint-scheme"] = "https";
  scenario.Show(scenario.first, "mine");
  const Translation by_policy = scenario.Run();
  EXPECT_EQ(Spoken(by_policy, "/"), "models.internal");
  EXPECT_THAT(by_policy.warnings,
              testing::Contains(HasSubstr("a BackendTLSPolicy goes before it")));
  scenario.resources.backend_tls_policies.erase({"default", "tls"});
  const Translation translation = scenario.Run();
  EXPECT_EQ(Spoken(translation, "/"), "") << "the address";
  EXPECT_EQ(IdentityOf(translation, "/", 80), "CN=mine");
  EXPECT_EQ(IdentityOf(translation, "/", 81), kNone);
  EXPECT_THAT(translation.warnings,
              testing::Not(testing::Contains(HasSubstr("a BackendTLSPolicy goes before it"))));
}

TEST(GatewayInvalidTLSBackendConfiguration, IsToldAndItsRequestsFail) {
  const struct {
    api::SecretRef ref;
    std::string said;
    std::string message;
  } kCases[] = {
      {{"", "Secret", "default", "absent"}, "False/InvalidClientCertificateRef", "does not exist"},
      {{"x.example.com", "Secret", "default", "mine"},
       "False/InvalidClientCertificateRef",
       "must be a Secret, got x.example.com/Secret"},
      {{"", "ConfigMap", "default", "mine"},
       "False/InvalidClientCertificateRef",
       "must be a Secret, got ConfigMap"},
      {{"", "Secret", "default", "malformed"}, "False/InvalidClientCertificateRef", "tls.crt"},
      {{"", "Secret", "other", "mine"}, "False/RefNotPermitted", "no ReferenceGrant in namespace"},
  };
  for (const auto& c : kCases) {
    IdentityScenario scenario;
    scenario.AddSecret("malformed", "nothing", "nothing");
    scenario.AddSecret("mine", scenario.mine.pem, scenario.mine.key_pem(), "other");
    scenario.first->backend.client_certificate = c.ref;
    const Translation translation = scenario.Run();
    const auto conditions = StatusOf(translation, "Gateway", "gateway").conditions;
    EXPECT_EQ(Said(conditions, "ResolvedRefs"), c.said);
    EXPECT_THAT(MessageOf(conditions, "ResolvedRefs"),
                HasSubstr("spec.tls.backend.clientCertificateRef: "));
    EXPECT_THAT(MessageOf(conditions, "ResolvedRefs"), HasSubstr(c.message));
    EXPECT_EQ(Said(conditions, "Accepted"), "True/Accepted");
    EXPECT_THAT(IdentityOf(translation, "/", 80), HasSubstr(c.message));
    EXPECT_EQ(IdentityOf(translation, "/other", 80), "plain") << "where there is no TLS";
    EXPECT_EQ(IdentityOf(translation, "/", 81), kNone) << "the other Gateway's";
  }
  IdentityScenario granted;
  granted.AddSecret("mine", granted.mine.pem, granted.mine.key_pem(), "other");
  granted.first->backend.client_certificate = api::SecretRef{"", "Secret", "other", "mine"};
  granted.AddGrant("default", "other", "Secret");
  EXPECT_EQ(IdentityOf(granted.Run(), "/", 80), "CN=mine");
}

TEST(Translator, MakesThePoolsAnewWhenWhatTheirTlsIsMadeOfChanges) {
  IdentityScenario scenario;
  scenario.Show(scenario.first, "mine");
  Translator translator(scenario.options, scenario.endpoints);
  uint64_t generation = 0;
  const auto follow = [&](const auto& before, const auto& after) {
    const api::ObjectChange change{std::make_shared<const api::Object>(before),
                                   std::make_shared<const api::Object>(after)};
    Translation translation;
    translation.snapshot =
        translator.Follow(scenario.resources, {&change, 1}, ++generation).snapshot;
    return translation;
  };
  translator.TranslateAll(scenario.resources, ++generation);
  const auto tls_of = [](const Translation& translation, uint16_t port = 80) {
    return EntryFor(translation, "/", port).pool.access->tls;
  };
  // A Pod: all else stays, the sessions with it.
  api::Pod& pod = scenario.resources.pods.at({"default", "pod"});
  api::Pod moved = pod;
  moved.ip = "127.0.0.9";
  const api::Pod was = std::exchange(pod, moved);
  Translation translation = follow(was, moved);
  const auto tls = tls_of(translation);
  EXPECT_EQ(tls->options().certificate->subject(), "CN=mine");
  for (const uint16_t port : {80, 81}) {
    const PoolEntry& entry = EntryFor(translation, "/", port);
    ASSERT_EQ(entry.pool.endpoints.size(), 1u);
    EXPECT_EQ((*entry.pool.endpoints.begin()).address, "127.0.0.9:8000");
  }
  // The Secret.
  api::Secret& secret = scenario.resources.secrets.at({"default", "mine"});
  const api::Secret old_secret = secret;
  secret.data = {{"tls.crt", scenario.theirs.pem}, {"tls.key", scenario.theirs.key_pem()}};
  translation = follow(old_secret, secret);
  EXPECT_NE(tls_of(translation), tls);
  EXPECT_EQ(tls_of(translation)->options().certificate->subject(), "CN=theirs");
  // The ConfigMap.
  api::ConfigMap& map = scenario.resources.config_maps.at({"default", "ca"});
  const api::ConfigMap old_map = map;
  map.data["ca.crt"] += TestAuthority().pem;
  const auto before = tls_of(translation);
  translation = follow(old_map, map);
  EXPECT_EQ(tls_of(translation)->options().trust->size(), 2u);
  EXPECT_NE(tls_of(translation), before);
  // The policy, and the same again.
  api::BackendTlsPolicy& policy = scenario.resources.backend_tls_policies.at({"default", "tls"});
  const api::BackendTlsPolicy old_policy = policy;
  policy.hostname = "new.internal";
  translation = follow(old_policy, policy);
  EXPECT_EQ(tls_of(translation)->options().server_name, "new.internal");
  const auto last = tls_of(translation);
  EXPECT_EQ(tls_of(follow(policy, policy)), last) << "nothing of it has changed";
}

}  // namespace
}  // namespace gw
