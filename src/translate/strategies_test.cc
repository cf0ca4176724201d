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
