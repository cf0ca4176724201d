#include "flowcontrol/api_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "translate/test_answers.h"
#include "translate/test_objects.h"
#include "translate/translator.h"

namespace gw {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

api::Secret& AddSecret(Scenario& scenario, const std::string& name, api::StringMap data,
                       const std::string& ns = "default") {
  api::Secret& added = scenario.resources.secrets[{ns, name}];
  added.meta.name = name;
  added.meta.ns = ns;
  added.meta.labels = {{"app", "keys"}};
  added.data = std::move(data);
  return added;
}

api::KeyAccess Keys() {
  api::KeyAccess access;
  access.labels = {{"app", "keys"}};
  return access;
}

// The owner that a key has on the route "/"; "nobody"; "open" where no keys are wanted.
std::string OwnerOf(const Translation& translation, const std::string& key,
                    const std::string& path = "/") {
  const RouteRule* const rule = RuleFor(translation, 80, "a.com", path);
  if (rule->api_keys == nullptr) return "open";
  const KeyOwner* const owner = rule->api_keys->Find(key);
  return owner == nullptr ? "nobody" : owner->name;
}

TEST(ApiKeysOf, ARouteAreTheEntriesOfTheSecretsItSelects) {
  Scenario scenario;
  scenario.AddGateway();
  scenario.AddRoute().access = Keys();
  AddSecret(scenario, "one", {{"alice", "sk-a\n"}, {"bob", "sk-b"}});
  AddSecret(scenario, "two", {{"carol", "sk-c"}});
  AddSecret(scenario, "other", {{"mallory", "sk-m"}}).meta.labels = {{"app", "else"}};
  AddSecret(scenario, "elsewhere", {{"mallory", "sk-n"}}, "other");
  const Translation translation = scenario.Run();
  EXPECT_EQ(OwnerOf(translation, "sk-a"), "alice") << "the line's end is not of the key";
  EXPECT_EQ(OwnerOf(translation, "sk-b"), "bob");
  EXPECT_EQ(OwnerOf(translation, "sk-c"), "carol");
  EXPECT_EQ(OwnerOf(translation, "sk-m"), "nobody");
  EXPECT_EQ(OwnerOf(translation, "sk-n"), "nobody");
  EXPECT_THAT(translation.warnings, IsEmpty());
}

TEST(ApiKeysOf, AGatewayCloseAllItsRoutesButThoseThatSayOtherwise) {
  Scenario scenario;
  scenario.AddGateway().access = Keys();
  scenario.AddRoute();
  api::HttpRoute& open = scenario.AddRoute("open");
  open.rules[0].matches[0].path = "/open";
  open.access = api::KeyAccess{};
  open.access->open = true;
  api::HttpRoute& own = scenario.AddRoute("own");
  own.rules[0].matches[0].path = "/own";
  own.access = Keys();
  own.access->labels = {{"app", "own"}};
  AddSecret(scenario, "one", {{"alice", "sk-a"}});
  AddSecret(scenario, "own", {{"bob", "sk-b"}}).meta.labels = {{"app", "own"}};
  const Translation translation = scenario.Run();
  EXPECT_EQ(OwnerOf(translation, "sk-a"), "alice");
  EXPECT_EQ(OwnerOf(translation, "sk-b"), "nobody");
  EXPECT_EQ(OwnerOf(translation, "sk-a", "/open"), "open");
  EXPECT_EQ(OwnerOf(translation, "sk-a", "/own"), "nobody");
  EXPECT_EQ(OwnerOf(translation, "sk-b", "/own"), "bob");
}

TEST(ApiKeysOf, ASelectorThatFindsNothingClosesTheRoute) {
  Scenario scenario;
  scenario.AddGateway();
  scenario.AddRoute().access = Keys();
  const Translation translation = scenario.Run();
  EXPECT_EQ(OwnerOf(translation, ""), "nobody");
  EXPECT_EQ(OwnerOf(translation, "sk-a"), "nobody");
  EXPECT_THAT(translation.warnings,
              ElementsAre(HasSubstr("HTTPRoute default/route: annotation penstock.dev/api-keys: no "
                                    "Secret in namespace default has these labels")));
}

TEST(ApiKeysOf, WhatCannotBeAKeyIsSaidWithoutShowingIt) {
  Scenario scenario;
  scenario.AddGateway();
  scenario.AddRoute().access = Keys();
  AddSecret(scenario, "one", {{"alice", "hush hush"}, {"bob", ""}, {"carol", "sk-c"}});
  AddSecret(scenario, "two", {{"dave", "sk-c"}});
  const Translation translation = scenario.Run();
  EXPECT_EQ(OwnerOf(translation, "hush hush"), "nobody");
  EXPECT_EQ(OwnerOf(translation, "sk-c"), "carol");
  EXPECT_THAT(translation.warnings,
              ElementsAre(HasSubstr("Secret default/one: data.alice: must be an API key"),
                          HasSubstr("Secret default/one: data.bob: must be an API key"),
                          HasSubstr("Secret default/two: data.dave: is the key of another owner")));
  for (const std::string& warning : translation.warnings) {
    EXPECT_EQ(warning.find("hush"), std::string::npos);
    EXPECT_EQ(warning.find("sk-c"), std::string::npos);
  }
}

TEST(ApiKeysOf, ASecretsLimitsGoBeforeTheRoutes) {
  Scenario scenario;
  scenario.AddGateway();
  api::HttpRoute& route = scenario.AddRoute();
  route.access = Keys();
  route.access->limits = {.requests_per_minute = 10, .tokens_per_minute = 1000};
  AddSecret(scenario, "one", {{"alice", "sk-a"}}).limits.requests_per_minute = 99;
  AddSecret(scenario, "two", {{"bob", "sk-b"}});
  const Translation translation = scenario.Run();
  const ApiKeys& keys = *RuleFor(translation, 80, "a.com", "/")->api_keys;
  EXPECT_EQ(keys.Find("sk-a")->meter->requests(TimePoint{})->limit, 99);
  EXPECT_EQ(keys.Find("sk-a")->meter->tokens(TimePoint{})->limit, 1000);
  EXPECT_EQ(keys.Find("sk-b")->meter->requests(TimePoint{})->limit, 10);
}

TEST(ApiKeysOf, WhatWasUsedSurvivesAReload) {
  Scenario scenario;
  scenario.AddGateway();
  scenario.AddRoute().access = Keys();
  AddSecret(scenario, "one", {{"alice", "sk-a"}}).limits.requests_per_minute = 2;
  Translator translator(scenario.options, scenario.endpoints);
  const auto first = translator.TranslateAll(scenario.resources, 1).snapshot;
  const auto meter_of = [](const Snapshot& snapshot) {
    return snapshot.listeners[0].routes->entries()[0].rule->api_keys->Find("sk-a")->meter;
  };
  ASSERT_TRUE(meter_of(*first)->Reserve(0, TimePoint{}).admitted());
  scenario.resources.secrets[{"default", "one"}].data["bob"] = "sk-b";
  const auto second = translator.TranslateAll(scenario.resources, 2).snapshot;
  EXPECT_EQ(meter_of(*second)->requests(TimePoint{})->remaining, 1);
}

}  // namespace
}  // namespace gw
