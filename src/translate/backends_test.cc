#include "translate/backends.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/annotations.h"
#include "pool/endpoint_access.h"
#include "translate/test_tls.h"
#include "translate/translator.h"

namespace gw {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// A route to Backend "far" at models.example.com.
struct BackendScenario : Scenario {
  BackendScenario() {
    AddGateway();
    backend = &resources.backends[{"default", "far"}];
    backend->meta.name = "far";
    backend->host = backend->authority = "models.example.com";
    backend->port = 443;
    api::BackendRef& ref = AddRoute().rules[0].backend_refs.emplace_back();
    ref.group = api::kPenstockGroup;
    ref.kind = "Backend";
    ref.ns = "default";
    ref.name = "far";
  }
  void SetName(ResolvedName known, const std::string& name = "models.example.com") {
    known.asked = true;
    NameTable table = *options.names;
    table[name] = std::move(known);
    options.names = std::make_shared<const NameTable>(std::move(table));
  }
  api::Secret& AddToken(const std::string& name, const std::string& token) {
    api::Secret& secret = resources.secrets[{"default", name}];
    secret.meta.name = name;
    secret.data = {{"token", token}};
    return secret;
  }

  api::Backend* backend;
};

const PoolEntry& FarOf(const Translation& translation) {
  for (const auto& pool : translation.snapshot->pools) {
    if (pool->pool.id == "backend default/far") return *pool;
  }
  ADD_FAILURE() << "there is no such pool";
  return *translation.snapshot->pools.at(0);
}
std::string BackendSaid(const Translation& translation, const std::string& type) {
  return Said(StatusOf(translation, "Backend", "far").conditions, type);
}
std::string BackendMessage(const Translation& translation, const std::string& type) {
  return MessageOf(StatusOf(translation, "Backend", "far").conditions, type);
}
std::vector<std::string> AddressesOf(const PoolEntry& entry) {
  std::vector<std::string> addresses;
  for (const Endpoint& endpoint : entry.pool.endpoints) addresses.push_back(endpoint.address);
  return addresses;
}

TEST(Backend, IsServedAtTheAddressesOfItsName) {
  BackendScenario scenario;
  Translation translation = scenario.Run();
  EXPECT_EQ(Answer(translation), "backend default/far:1");
  EXPECT_THAT(translation.hosts, ElementsAre("models.example.com"));
  EXPECT_TRUE(FarOf(translation).pool.endpoints.empty());
  EXPECT_EQ(BackendSaid(translation, "HostResolved"), "Unknown/Pending");

  scenario.SetName({.ips = {"192.0.2.1", "2001:db8::1"}});
  translation = scenario.Run();
  EXPECT_THAT(AddressesOf(FarOf(translation)), ElementsAre("192.0.2.1:443", "[2001:db8::1]:443"));
  EXPECT_EQ(FarOf(translation).pool.access->authority, "models.example.com");
  EXPECT_EQ(BackendSaid(translation, "Accepted"), "True/Accepted");
  EXPECT_EQ(BackendSaid(translation, "HostResolved"), "True/Resolved");
}

TEST(Backend, AnAddressNeedsNoName) {
  BackendScenario scenario;
  scenario.backend->host = "192.0.2.7";
  const Translation translation = scenario.Run();
  EXPECT_THAT(AddressesOf(FarOf(translation)), ElementsAre("192.0.2.7:443"));
  EXPECT_TRUE(translation.hosts.empty());
  EXPECT_EQ(BackendSaid(translation, "HostResolved"), "none");
}

TEST(Backend, ANameThatStandsForNothingIsToldByAConditionAndServedNoMore) {
  BackendScenario scenario;
  scenario.SetName({.error = "Domain name not found"});
  Translation translation = scenario.Run();
  EXPECT_EQ(BackendSaid(translation, "HostResolved"), "False/HostNotFound");
  EXPECT_EQ(BackendMessage(translation, "HostResolved"),
            "spec.host: models.example.com: Domain name not found: requests are answered 503");
  scenario.SetName({.ips = {"192.0.2.1"}, .error = "Timeout"});
  translation = scenario.Run();
  EXPECT_EQ(BackendSaid(translation, "HostResolved"), "True/LastKnown");
  EXPECT_EQ(FarOf(translation).pool.endpoints.size(), 1u);
}

TEST(Backend, CredentialsComeFromASecretAndAreNeverLeftOut) {
  BackendScenario scenario;
  scenario.backend->credentials.emplace().secret = "key";
  scenario.backend->credentials->prefix = "Bearer ";
  Translation translation = scenario.Run();
  EXPECT_EQ(BackendSaid(translation, "ResolvedRefs"), "False/InvalidCredentialsRef");
  EXPECT_EQ(BackendMessage(translation, "ResolvedRefs"),
            "spec.credentials.secretRef: Secret default/key does not exist");
  EXPECT_THAT(FarOf(translation).unservable, HasSubstr("Secret default/key does not exist"));

  scenario.AddToken("key", "");
  EXPECT_EQ(BackendMessage(scenario.Run(), "ResolvedRefs"),
            "spec.credentials.secretRef: Secret default/key: data.token: must be 1 to 8000 visible "
            "ASCII characters, got 0 bytes");
  scenario.AddToken("key", "sk two\n");
  EXPECT_THAT(BackendMessage(scenario.Run(), "ResolvedRefs"), HasSubstr("got 7 bytes"));

  scenario.AddToken("key", "sk-123\n");
  translation = scenario.Run();
  EXPECT_EQ(BackendSaid(translation, "ResolvedRefs"), "True/ResolvedRefs");
  EXPECT_EQ(FarOf(translation).unservable, "");
  EXPECT_EQ(FarOf(translation).pool.access->credential->field, "authorization");
  EXPECT_EQ(FarOf(translation).pool.access->credential->value, "Bearer sk-123");
}

TEST(Backend, TlsIsMadeOnceAndIsNeverLeftOut) {
  BackendScenario scenario;
  scenario.backend->tls.emplace().hostname = "models.example.com";
  scenario.backend->tls->ca_refs.push_back({"", "ConfigMap", "default", "ca"});
  Translation translation = scenario.Run();
  EXPECT_EQ(BackendSaid(translation, "ResolvedRefs"), "False/InvalidCACertificateRef");
  EXPECT_THAT(FarOf(translation).unservable, HasSubstr("ConfigMap default/ca does not exist"));
  EXPECT_EQ(FarOf(translation).pool.access, nullptr);

  scenario.AddAuthorities("ca", TestAuthority().pem);
  Translator translator(scenario.options, scenario.endpoints);
  const auto tls_of = [&](const Translator::Update& update) {
    for (const auto& pool : update.snapshot->pools) {
      if (pool->pool.access != nullptr) return pool->pool.access->tls;
    }
    return std::shared_ptr<const ClientTls>();
  };
  const auto first = tls_of(translator.TranslateAll(scenario.resources, 1));
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(first->options().server_name, "models.example.com");
  EXPECT_NE(first->options().trust, nullptr);
  EXPECT_EQ(tls_of(translator.TranslateAll(scenario.resources, 2)), first);
  scenario.backend->tls->insecure_skip_verify = true;
  scenario.backend->tls->ca_refs.clear();
  EXPECT_EQ(tls_of(translator.TranslateAll(scenario.resources, 3))->options().trust, nullptr);
}

TEST(Backend, ModelsAreMappedAndAllOthersStayAsTheyAre) {
  BackendScenario scenario;
  scenario.backend->models = {{"near", "far"}};
  const Translation named = scenario.Run();
  EXPECT_EQ(FarOf(named).rewrites.Find("near")->front().name, "far");
  EXPECT_EQ(FarOf(named).rewrites.Find("other"), nullptr);
  scenario.backend->models.push_back({"*", "any"});
  const Translation any = scenario.Run();
  EXPECT_EQ(FarOf(any).rewrites.Find("other")->front().name, "any");
  EXPECT_EQ(FarOf(any).rewrites.Find("near")->front().name, "far");
}

TEST(Fallback, IsABackendOfThePoolsNamespace) {
  BackendScenario scenario;
  api::InferencePool& pool = scenario.AddPool();
  pool.meta.annotations[api::kFallbackAnnotation] = "far";
  Translation translation = scenario.Run();
  const auto& pools = translation.snapshot->pools;
  ASSERT_EQ(pools.size(), 2u);
  ASSERT_TRUE(pools[1]->fallback);
  EXPECT_EQ(pools[pools[1]->fallback.value()]->pool.id, "backend default/far");

  pool.meta.annotations[api::kFallbackAnnotation] = "farther";
  translation = scenario.Run();
  EXPECT_EQ(translation.snapshot->pools[1]->fallback, std::nullopt);
  EXPECT_EQ(translation.snapshot->pools[1]->unservable, "") << "the pool itself can be served";
  const auto conditions = ParentConditions(translation, "InferencePool", "pool");
  EXPECT_EQ(Said(conditions, "ResolvedRefs"), "False/InvalidFallbackRef");
  EXPECT_EQ(MessageOf(conditions, "ResolvedRefs"),
            "annotation penstock.dev/fallback: Backend default/farther does not exist");
}

TEST(ExternalName, IsServedWhereItIsAllowed) {
  BackendScenario scenario;
  api::Service& service = scenario.AddService("web");
  service.type = "ExternalName";
  service.external_name = "web.example.com";
  service.ports.clear();
  scenario.resources.http_routes.clear();
  scenario.AddServiceRef(scenario.AddRoute().rules[0], "web", 8080);
  EXPECT_EQ(Answer(scenario.Run()), "500:1");
  scenario.options.allow_external_name = true;
  scenario.SetName({.ips = {"192.0.2.9"}}, "web.example.com");
  const Translation translation = scenario.Run();
  EXPECT_EQ(Answer(translation), "service default/web:8080:1");
  EXPECT_THAT(AddressesOf(*translation.snapshot->pools.back()), ElementsAre("192.0.2.9:8080"));
  service.external_name.clear();
  EXPECT_EQ(Answer(scenario.Run()), "500:1");
}

// What comes of a change of addresses alone is what Translate makes of it.
TEST(Names, AnotherAddressMakesThePoolAnewAndLeavesTheRest) {
  BackendScenario scenario;
  scenario.AddPool();
  scenario.AddPod("p", "10.0.0.1");
  scenario.SetName({.ips = {"192.0.2.1"}});
  Translator translator(scenario.options, scenario.endpoints);
  const auto first = translator.TranslateAll(scenario.resources, 1);
  scenario.SetName({.ips = {"192.0.2.2"}});
  translator.SetNames(scenario.options.names);
  auto update = translator.Follow(scenario.resources, {}, 2);
  EXPECT_FALSE(update.whole);
  EXPECT_THAT(AddressesOf(*update.snapshot->pools[0]), ElementsAre("192.0.2.2:443"));
  EXPECT_EQ(update.snapshot->pools[1], first.snapshot->pools[1]);
  EXPECT_EQ(update.snapshot->listeners[0].routes, first.snapshot->listeners[0].routes);

  // What a condition says of it is another, too.
  scenario.SetName({.error = "Domain name not found"});
  translator.SetNames(scenario.options.names);
  update = translator.Follow(scenario.resources, {}, 3);
  EXPECT_TRUE(update.whole);
  EXPECT_TRUE(update.snapshot->pools[0]->pool.endpoints.empty());
}

}  // namespace
}  // namespace gw
