// How the endpoints of a pool are chosen, by its annotation and its policy.

#include <gtest/gtest.h>

#include "api/annotations.h"
#include "scheduling/registry.h"
#include "translate/test_answers.h"
#include "translate/test_objects.h"
#include "translate/translator.h"

namespace gw {
namespace {

struct StrategyScenario : Scenario {
  StrategyScenario() {
    AddGateway();
    AddPoolRef(AddRoute().rules[0], "pool");
    pool = &AddPool();
  }
  std::string& own() { return pool->meta.annotations[api::kRoutingStrategyAnnotation]; }

  api::InferencePool* pool;
};

TEST(Strategy, OurOwnAnnotationNamesAnyAndGoesFirst) {
  StrategyScenario scenario;
  scenario.pool->meta.annotations[api::kStrategyAnnotation] = "PREFIX_CACHE";
  for (const std::string_view name : StrategyNames()) {
    scenario.own() = name;
    const Translation translation = scenario.Run();
    const PoolEntry& entry = *translation.snapshot->pools[0];
    EXPECT_EQ(entry.unservable, "");
    EXPECT_EQ(entry.pool.strategy, name);
    EXPECT_EQ(entry.profile->name(), name);
    EXPECT_EQ(entry.uses_prefix, ProfileNamed(name)->reads_prefix());
    EXPECT_EQ(entry.memory != nullptr, entry.profile->rule() != nullptr) << name;
    EXPECT_EQ(entry.load_profile->name(), "LOAD");
  }
}

TEST(Strategy, AWrongOneIsRefusedWithTheKnownOnes) {
  StrategyScenario scenario;
  scenario.own() = "cost";
  const Translation translation = scenario.Run();
  EXPECT_EQ(translation.snapshot->pools[0]->unservable,
            "InferencePool default/pool: annotation penstock.dev/routing-strategy: must be one of "
            "DEFAULT, PREFIX_CACHE, COST, inference-extension-3-2-2, inference-extension-1-1-1, "
            "llm-d-2026, sglang-cache-aware, aibrix-prefix, dynamo, lmetric, lmetric-gate, lpwl, "
            "preble, token-cost, power-of-two, least-request, round-robin, random, vllm-dp, "
            "bailian, got \"cost\", did you mean \"COST\"?");
}

TEST(Strategy, ConstantsOfItsOwnMayBeGiven) {
  StrategyScenario scenario;
  scenario.own() = "COST(busy=0.5, evict=2)";
  Translation translation = scenario.Run();
  const PoolEntry& rule = *translation.snapshot->pools[0];
  EXPECT_EQ(rule.unservable, "");
  EXPECT_EQ(rule.profile->name(), "COST(busy=0.5, evict=2)");
  EXPECT_NE(rule.memory, nullptr);
  scenario.own() = "DEFAULT(prefix-cache=1)";
  translation = scenario.Run();
  EXPECT_EQ(translation.snapshot->pools[0]->profile->scorers().size(), 5u);
  EXPECT_TRUE(translation.snapshot->pools[0]->uses_prefix);
}

TEST(Strategy, AnUnknownConstantIsRefusedWithTheKnownOnes) {
  StrategyScenario scenario;
  scenario.own() = "token-cost(busy=1)";
  EXPECT_EQ(scenario.Run().snapshot->pools[0]->unservable,
            "InferencePool default/pool: annotation penstock.dev/routing-strategy: token-cost has "
            "no constant \"busy\", known are evict, stall, context, request, preempt, "
            "usable-cache");
}

TEST(Strategy, ARuleChoosesBothHalvesOfAPair) {
  StrategyScenario scenario;
  api::InferenceTrafficPolicy& policy = scenario.resources.traffic_policies[{"default", "policy"}];
  policy.meta.name = "policy";
  policy.pool_name = "pool";
  policy.runtime = "vllm";
  policy.pd.emplace().role_label = "role";
  scenario.AddPod("p0", "127.0.0.1").meta.labels["role"] = "prefill";
  scenario.AddPod("d0", "127.0.0.2").meta.labels["role"] = "decode";
  const auto split = [&] { return scenario.Run().snapshot->pools[0]->disaggregation; };
  EXPECT_EQ(split()->prefill_profile->name(), "DEFAULT");
  scenario.own() = "COST";
  EXPECT_EQ(split()->prefill_profile->name(), "COST");
  EXPECT_EQ(split()->decode_profile->name(), "COST");
  EXPECT_TRUE(split()->prefill_uses_prefix && split()->decode_uses_prefix);
  scenario.own() = "COST(busy=2)";
  EXPECT_EQ(split()->prefill_profile->name(), "COST(busy=2)");
  scenario.own() = "least-request";
  EXPECT_EQ(split()->decode_profile->name(), "least-request");
  EXPECT_FALSE(split()->prefill_uses_prefix || split()->decode_uses_prefix);
}

TEST(Strategy, WhatAPoolHasLearnedIsKeptOverReloads) {
  StrategyScenario scenario;
  scenario.own() = "COST";
  Translator translator(scenario.options, scenario.endpoints);
  const auto first = translator.TranslateAll(scenario.resources, 1).snapshot->pools[0]->memory;
  ASSERT_NE(first, nullptr);
  scenario.own() = "token-cost";
  EXPECT_EQ(translator.TranslateAll(scenario.resources, 2).snapshot->pools[0]->memory, first);
}

}  // namespace
}  // namespace gw
