#include "pool/endpoint_access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tls/test_certificates.h"
#include "translate/test_answers.h"
#include "translate/test_objects.h"
#include "translate/translator.h"

namespace gw {
namespace {

using testing::HasSubstr;
using testing::Not;

// A Gateway and a route to InferencePool default/pool, whose Secret "key" has a token.
struct AccessScenario : Scenario {
  AccessScenario() {
    options.read_system_trust = [] { return Trust::Parse(TestAuthority().pem); };
    AddGateway();
    AddPoolRef(AddRoute().rules[0], "pool");
    pool = &AddPool();
    AddPod("a", "10.0.0.1");
    secret = &resources.secrets[{"default", "key"}];
    secret->meta.name = "key";
    secret->meta.ns = "default";
    secret->data = {{"token", "sk-1"}};
  }
  void Annotate(const std::string& name, const std::string& value) {
    pool->meta.annotations["penstock.dev/" + name] = value;
  }
  std::shared_ptr<const EndpointAccess> Access() { return Run().snapshot->pools[0]->pool.access; }
  // The pool is not served, and nobody asks its endpoints for anything.
  void ExpectRefused(const std::string& type, const std::string& reason,
                     const std::string& message) {
    const Translation translation = Run();
    const auto conditions = ParentConditions(translation, "InferencePool", "pool");
    EXPECT_EQ(Said(conditions, type), "False/" + reason);
    EXPECT_THAT(MessageOf(conditions, type), HasSubstr(message));
    const PoolEntry& entry = *translation.snapshot->pools[0];
    EXPECT_THAT(entry.unservable, HasSubstr(message));
    ASSERT_NE(entry.pool.access, nullptr);
    EXPECT_TRUE(entry.pool.access->closed);
    EXPECT_EQ(entry.pool.access->tls, nullptr);
    EXPECT_FALSE(entry.pool.access->credential);
  }
  void ExpectNotAccepted(const std::string& message) {
    ExpectRefused("Accepted", "NotSupportedByParent", message);
  }
  void ExpectUnresolved(const std::string& message) {
    ExpectRefused("ResolvedRefs", "InvalidEndpointCredentials", message);
  }

  api::InferencePool* pool;
  api::Secret* secret;
};

TEST(EndpointAccess, IsPlainWhereNothingIsSaid) {
  AccessScenario scenario;
  EXPECT_EQ(scenario.Access(), nullptr);
  scenario.Annotate("endpoint-scheme", "http");
  EXPECT_EQ(scenario.Access(), nullptr);
}

TEST(EndpointAccess, HttpsBelievesWhatTheMachineTrusts) {
  AccessScenario scenario;
  scenario.Annotate("endpoint-scheme", "https");
  auto access = scenario.Access();
  ASSERT_NE(access->tls, nullptr);
  ASSERT_NE(access->tls->options().trust, nullptr);
  EXPECT_EQ(access->tls->options().trust->size(), 1u);
  EXPECT_EQ(access->tls->options().server_name, "");
  EXPECT_FALSE(access->closed);
  scenario.Annotate("endpoint-tls-verify", "true");
  scenario.Annotate("endpoint-tls-server-name", "models.example.com");
  access = scenario.Access();
  EXPECT_NE(access->tls->options().trust, nullptr);
  EXPECT_EQ(access->tls->options().server_name, "models.example.com");
  scenario.Annotate("endpoint-tls-verify", "false");
  EXPECT_EQ(scenario.Access()->tls->options().trust, nullptr);
}

TEST(EndpointAccess, OtherValuesAreRefused) {
  struct Case {
    std::string name, value, message;
  };
  for (const Case& each : {
           Case{"endpoint-scheme", "HTTPS", "must be http or https, got \"HTTPS\""},
           Case{"endpoint-tls-verify", "no", "must be \"true\" or \"false\", got \"no\""},
           Case{"endpoint-tls-verify", "", "must be \"true\" or \"false\", got \"\""},
           Case{"endpoint-tls-server-name", "a b", "must be a DNS name or an IP address"},
           Case{"endpoint-credentials", "a/b", "must be the name of a Secret"},
       }) {
    AccessScenario scenario;
    scenario.Annotate("endpoint-scheme", "https");
    scenario.Annotate(each.name, each.value);
    scenario.ExpectNotAccepted("annotation penstock.dev/" + each.name + ": " + each.message);
  }
}

TEST(EndpointAccess, WhatSaysHowToVerifyIsRefusedWithoutHttps) {
  for (const char* name : {"endpoint-tls-verify", "endpoint-tls-server-name"}) {
    for (const char* scheme : {"", "http"}) {
      AccessScenario scenario;
      if (*scheme != '\0') scenario.Annotate("endpoint-scheme", scheme);
      scenario.Annotate(name, "false");
      scenario.ExpectNotAccepted("says something only beside penstock.dev/endpoint-scheme: https");
    }
  }
}

TEST(EndpointAccess, WithoutAnythingToBelieveNothingIsServed) {
  AccessScenario scenario;
  scenario.options.read_system_trust = []() -> absl::StatusOr<std::shared_ptr<const Trust>> {
    return absl::NotFoundError("no certificates in /etc/ssl/certs");
  };
  scenario.Annotate("endpoint-scheme", "https");
  scenario.ExpectNotAccepted("no certificates in /etc/ssl/certs");
  scenario.Annotate("endpoint-tls-verify", "false");
  EXPECT_FALSE(scenario.Access()->closed);
}

TEST(EndpointAccess, ATokenIsABearersAndAnApiKeyIsAFieldOfThatName) {
  AccessScenario scenario;
  scenario.Annotate("endpoint-credentials", "key");
  EXPECT_EQ(scenario.Access()->credential->field, "authorization");
  EXPECT_EQ(scenario.Access()->credential->value, "Bearer sk-1");
  scenario.secret->data = {{"api-key", "k\n"}, {"note", "of others"}};
  EXPECT_EQ(scenario.Access()->credential->field, "x-api-key");
  EXPECT_EQ(scenario.Access()->credential->value, "k");
  EXPECT_EQ(scenario.Access()->tls, nullptr);
}

TEST(EndpointAccess, ASecretThatIsNoneServesNothing) {
  AccessScenario scenario;
  scenario.Annotate("endpoint-credentials", "other");
  scenario.ExpectUnresolved(
      "annotation penstock.dev/endpoint-credentials: Secret default/other does not exist");
  scenario.Annotate("endpoint-credentials", "key");
  const auto with = [&](const api::StringMap& data) {
    scenario.secret->data = data;
    scenario.ExpectUnresolved("Secret default/key ");
    return MessageOf(ParentConditions(scenario.Run(), "InferencePool", "pool"), "ResolvedRefs");
  };
  EXPECT_THAT(with({}), HasSubstr("one of the keys token and api-key, and has neither"));
  EXPECT_THAT(with({{"Token", "a"}}), HasSubstr("and has neither"));
  EXPECT_THAT(with({{"token", "a"}, {"api-key", "a"}}), HasSubstr("and has both"));
  EXPECT_THAT(with({{"token", ""}}), HasSubstr("data.token: must be 1 to 8000 visible ASCII"));
  EXPECT_THAT(with({{"token", "\n"}}), HasSubstr("got 1 bytes"));
  const std::string split = with({{"api-key", "a\r\nx-evil: hush"}});
  EXPECT_THAT(split, HasSubstr("data.api-key: must be"));
  EXPECT_THAT(split, Not(HasSubstr("hush")));
  EXPECT_THAT(with({{"token", "hush hush"}}), Not(HasSubstr("hush")));
  EXPECT_THAT(with({{"token", std::string(8001, 'a')}}), HasSubstr("got 8001 bytes"));
}

TEST(EndpointAccess, ASecretOfAnotherNamespaceIsNone) {
  AccessScenario scenario;
  api::Secret& other = scenario.resources.secrets[{"other", "theirs"}];
  other.meta.name = "theirs";
  other.meta.ns = "other";
  other.data = {{"token", "a"}};
  scenario.Annotate("endpoint-credentials", "theirs");
  scenario.ExpectUnresolved("Secret default/theirs does not exist");
}

TEST(EndpointAccess, StaysWhileItSaysTheSameAndFollowsItsSecret) {
  AccessScenario scenario;
  scenario.Annotate("endpoint-scheme", "https");
  scenario.Annotate("endpoint-credentials", "key");
  Translator translator(scenario.options, scenario.endpoints);
  const auto first = translator.TranslateAll(scenario.resources, 1).snapshot->pools[0];
  const auto before = std::make_shared<const api::Object>(*scenario.secret);
  scenario.secret->data["token"] = "sk-2";
  const auto after = std::make_shared<const api::Object>(*scenario.secret);
  const api::ObjectChange of_secret{before, after};
  const auto second = translator.Follow(scenario.resources, {&of_secret, 1}, 2).snapshot->pools[0];
  EXPECT_EQ(first->pool.access->credential->value, "Bearer sk-1");
  EXPECT_EQ(second->pool.access->credential->value, "Bearer sk-2");
  EXPECT_EQ(first->pool.access->tls, second->pool.access->tls) << "connections and sessions stay";
  // A Pod more is a pool of the same access.
  const api::Pod& pod = scenario.AddPod("b", "10.0.0.2");
  const api::ObjectChange of_pod{nullptr, std::make_shared<const api::Object>(pod)};
  const auto third = translator.Follow(scenario.resources, {&of_pod, 1}, 3);
  EXPECT_FALSE(third.whole);
  EXPECT_EQ(third.snapshot->pools[0]->pool.endpoints.size(), 2u);
  EXPECT_EQ(third.snapshot->pools[0]->pool.access, second->pool.access);
  // Without its Secret it is closed, and comes back with it.
  scenario.resources.secrets.clear();
  const auto gone = translator.TranslateAll(scenario.resources, 4).snapshot->pools[0];
  EXPECT_TRUE(gone->pool.access->closed);
}

}  // namespace
}  // namespace gw
