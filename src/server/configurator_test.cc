#include "server/configurator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/log.h"

namespace gw {
namespace {

class ConfiguratorTest : public ::testing::Test {
 protected:
  ConfiguratorTest() {
    SetLogLevel(LogLevel::kError);
    api::GatewayClass gateway_class;
    gateway_class.meta.ns.clear();
    gateway_class.meta.name = "class";
    gateway_class.controller_name = "penstock.dev/gateway-controller";
    api::Gateway gateway;
    gateway.meta.name = "gateway";
    gateway.gateway_class_name = "class";
    gateway.listeners.push_back({.name = "http", .port = 80, .protocol = "HTTP"});
    api::InferencePool pool;
    pool.meta.name = "pool";
    pool.selector = {{"app", "pool"}};
    pool.target_ports = {8000};
    for (const api::Object& object : {api::Object(gateway_class), api::Object(gateway),
                                      api::Object(pool), Endpoint("a", "127.0.0.1")}) {
      all_.objects.push_back({nullptr, std::make_shared<api::Object>(object)});
    }
  }
  ~ConfiguratorTest() override { SetLogLevel(LogLevel::kInfo); }

  static api::Object Endpoint(const std::string& name, const std::string& ip) {
    api::Pod object;
    object.meta.name = name;
    object.meta.labels = {{"app", "pool"}};
    object.ip = ip;
    return object;
  }
  // Its weight is its generation.
  static api::Object RouteTo(const std::string& pool, int generation) {
    api::HttpRoute route;
    route.meta.name = "route";
    route.meta.generation = generation;
    route.parent_refs.emplace_back().name = "gateway";
    route.parent_refs[0].ns = "default";
    api::RouteRule& rule = route.rules.emplace_back();
    rule.matches.emplace_back();
    api::BackendRef& ref = rule.backend_refs.emplace_back();
    ref.group = api::kInferenceGroup;
    ref.kind = "InferencePool";
    ref.ns = "default";
    ref.name = pool;
    ref.weight = generation;
    return route;
  }
  static config::Change Came(api::Object object) {
    config::Change change;
    change.objects.push_back({nullptr, std::make_shared<api::Object>(std::move(object))});
    return change;
  }
  static config::Change Went(config::Change came) {
    std::swap(came.objects[0].before, came.objects[0].after);
    return came;
  }

  config::Change all_;
  MetricRegistry metrics_;
  PrefixIndex index_{PrefixIndex::Options{.bytes_max = 16u << 20}};
  SnapshotStore store_;
  Configurator configurator_{store_, index_, metrics_, {}, {"config_files"}};
};

TEST_F(ConfiguratorTest, AChangeOfOneEndpointLeavesListenersAsTheyAre) {
  EXPECT_TRUE(configurator_.Apply(all_));
  const auto before = store_.Load();
  EXPECT_FALSE(configurator_.Apply(Came(Endpoint("b", "127.0.0.2"))));
  const auto after = store_.Load();
  EXPECT_EQ(after->generation, 2u);
  EXPECT_EQ(after->pools[0]->pool.endpoints.size(), 2u);
  EXPECT_EQ(after->listeners[0].routes, before->listeners[0].routes);
  EXPECT_EQ(configurator_.generation(), 2u);
  EXPECT_EQ(configurator_.resources()->pods.size(), 2u);
}

TEST_F(ConfiguratorTest, WhatIsRefusedIsTranslatedAnew) {
  configurator_.Apply(all_);
  config::Change change = Came(Endpoint("b", "127.0.0.2"));
  auto remarks = std::make_shared<config::Remarks>();
  remarks->invalid.push_back({.ref = {"", "v1", "Pod", "default", "c"}, .errors = {"no"}});
  change.remarks = remarks;
  EXPECT_TRUE(configurator_.Apply(change));
  EXPECT_EQ(configurator_.refused(), 1u);
  // The same again is none.
  change = Went(Came(Endpoint("b", "127.0.0.2")));
  change.remarks = std::make_shared<config::Remarks>(*remarks);
  EXPECT_FALSE(configurator_.Apply(change));
  EXPECT_EQ(configurator_.refused(), 1u);
}

TEST_F(ConfiguratorTest, AReleaseStatusThatComesBackIsNoOtherGeneration) {
  Releases releases(store_, metrics_, RealClock(), "");
  configurator_.UseReleases(releases);
  api::ModelRelease release;
  release.meta.name = "release";
  config::Change change = Came(release);
  change.objects.insert(change.objects.end(), all_.objects.begin(), all_.objects.end());
  configurator_.Apply(change);
  const uint64_t generation = configurator_.generation();
  api::ModelRelease told = release;
  told.status = R"({"phase":"Waiting"})";
  config::Change echo = Came(told);
  echo.objects[0].before = change.objects[0].after;
  EXPECT_FALSE(configurator_.Apply(echo));
  EXPECT_EQ(configurator_.generation(), generation);
  EXPECT_EQ(configurator_.resources()->model_releases.begin()->second.status, told.status);
  echo.objects.push_back(Came(Endpoint("b", "127.0.0.2")).objects[0]);
  configurator_.Apply(echo);
  EXPECT_EQ(configurator_.generation(), generation + 1);
}

TEST_F(ConfiguratorTest, OfOneChangeOnlyTheStatusesItChangesAreTold) {
  EXPECT_EQ(configurator_.TakeOutcome(), std::nullopt);
  configurator_.Apply(all_);
  std::optional<config::Outcome> outcome = configurator_.TakeOutcome();
  ASSERT_TRUE(outcome);
  EXPECT_TRUE(outcome->whole);
  EXPECT_EQ(outcome->status, configurator_.status());
  EXPECT_EQ(configurator_.TakeOutcome(), std::nullopt);

  configurator_.Apply(Came(Endpoint("b", "127.0.0.2")));  // of which nobody is told
  EXPECT_EQ(configurator_.TakeOutcome(), std::nullopt);

  config::Change route = Came(RouteTo("pool", 1));
  EXPECT_TRUE(configurator_.Apply(route));
  outcome = configurator_.TakeOutcome();
  EXPECT_TRUE(outcome && outcome->whole);

  config::Change weight = Came(RouteTo("pool", 2));
  weight.objects[0].before = route.objects[0].after;
  EXPECT_FALSE(configurator_.Apply(weight));
  outcome = configurator_.TakeOutcome();
  ASSERT_TRUE(outcome);
  EXPECT_FALSE(outcome->whole);
  ASSERT_EQ(outcome->status.size(), 1u);
  const auto [ref, status] = *outcome->status.begin();  // copies: another outcome follows
  EXPECT_EQ(ref.kind, "HTTPRoute");
  EXPECT_EQ(status.parents.at(0).conditions.at(0).observed_generation, 2);
  EXPECT_EQ(status, configurator_.status().find(ref)->second);

  // All is told again where more has changed meanwhile, whatever else had before.
  config::Change again = Came(RouteTo("pool", 3));
  again.objects[0].before = weight.objects[0].after;
  EXPECT_FALSE(configurator_.Apply(again));
  config::Change gone;
  gone.objects.push_back({again.objects[0].after, nullptr});
  EXPECT_TRUE(configurator_.Apply(gone));
  outcome = configurator_.TakeOutcome();
  ASSERT_TRUE(outcome && outcome->whole);
  EXPECT_EQ(outcome->status, configurator_.status());
  EXPECT_FALSE(outcome->status.contains(ref));
}

TEST_F(ConfiguratorTest, WhereEachGatewayHasPodsOfItsOwnNothingIsServedAndItSaysWhatIsToBeMade) {
  TranslateOptions options;
  options.managed_from = api::ObjectKey{"gateways", "own"};
  MetricRegistry metrics;
  SnapshotStore store;
  Configurator configurator(store, index_, metrics, options, {});
  configurator.Apply(all_);
  EXPECT_EQ(store.Load()->generation, 1u);
  EXPECT_TRUE(store.Load()->listeners.empty());
  EXPECT_TRUE(store.Load()->pools.empty());
  const std::optional<config::Outcome> outcome = configurator.TakeOutcome();
  ASSERT_TRUE(outcome && outcome->managed);
  ASSERT_EQ(outcome->managed->made.size(), 1u);
  EXPECT_EQ(outcome->managed->made[0].gateway, (api::ObjectKey{"default", "gateway"}));
  EXPECT_TRUE(outcome->shared_ports.empty());
  configurator.Apply(Came(Endpoint("b", "127.0.0.2")));
  EXPECT_EQ(store.Load()->generation, 2u);
  EXPECT_TRUE(store.Load()->pools.empty());
  EXPECT_EQ(configurator.TakeOutcome(), std::nullopt) << "a change of one pool alone changes none";
  configurator_.Apply(all_);
  EXPECT_FALSE(configurator_.TakeOutcome()->managed);
}

TEST_F(ConfiguratorTest, WhoReadsTheObjectsSeesThemAsTheyWere) {
  configurator_.Apply(all_);
  const auto held = configurator_.resources();
  configurator_.Apply(Came(Endpoint("b", "127.0.0.2")));
  EXPECT_EQ(held->pods.size(), 1u);
  EXPECT_EQ(configurator_.resources()->pods.size(), 2u);
}

TEST_F(ConfiguratorTest, ReadersAndChangesGoOnBesideEachOther) {
  configurator_.Apply(all_);
  std::atomic<bool> over{false};
  std::atomic<int> odd{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      while (!over) {
        const auto resources = configurator_.resources();
        if (!resources->pods.contains({"default", "a"})) ++odd;
        if (configurator_.status().size() != 3) ++odd;
      }
    });
  }
  const config::Change came = Came(Endpoint("b", "127.0.0.2"));
  for (int i = 0; i < 300; ++i) configurator_.Apply(i % 2 == 0 ? came : Went(came));
  over = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(odd, 0);
  EXPECT_EQ(configurator_.resources()->pods.size(), 1u);
}

}  // namespace
}  // namespace gw
