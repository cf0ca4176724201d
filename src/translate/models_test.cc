#include <gtest/gtest.h>

#include "translate/test_answers.h"
#include "translate/test_objects.h"

namespace gw {
namespace {

std::string ModelSaid(const Translation& translation, const std::string& name) {
  return Said(StatusOf(translation, "InferenceModel", name).conditions, "Accepted");
}
std::string ModelMessage(const Translation& translation, const std::string& name) {
  return MessageOf(StatusOf(translation, "InferenceModel", name).conditions, "Accepted");
}

TEST(Model, IsBoundToItsPool) {
  Scenario scenario;
  scenario.AddPool();
  scenario.AddPool("other");
  api::InferenceModel& model = scenario.AddModel("m", "qwen");
  model.criticality = api::InferenceModel::Criticality::kSheddable;
  model.target_models.emplace_back() = {.name = "qwen-a", .weight = 10};
  model.target_models.emplace_back() = {.name = "qwen-b", .weight = 90};
  model.meta.generation = 2;
  const Translation translation = scenario.Run();
  EXPECT_EQ(ModelSaid(translation, "m"), "True/Accepted");
  EXPECT_EQ(StatusOf(translation, "InferenceModel", "m").conditions[0].observed_generation, 2);
  ASSERT_EQ(translation.snapshot->pools.size(), 2u);
  EXPECT_TRUE(translation.snapshot->pools[0]->models.takes_any_name());
  const ModelTable& models = translation.snapshot->pools[1]->models;
  EXPECT_FALSE(models.takes_any_name());
  const ModelBinding* binding = models.Find("qwen");
  ASSERT_NE(binding, nullptr);
  EXPECT_EQ(binding->criticality, Criticality::kSheddable);
  ASSERT_EQ(binding->targets.size(), 2u);
  EXPECT_EQ(binding->targets[1].name, "qwen-b");
  EXPECT_EQ(binding->targets[1].weight, 90u);
}

TEST(Model, WithoutCriticalityIsStandardAndWithoutWeightsEvenlySpread) {
  using Given = api::InferenceModel::Criticality;
  Scenario scenario;
  scenario.AddPool();
  scenario.AddModel("a", "plain");
  scenario.AddModel("b", "critical").criticality = Given::kCritical;
  api::InferenceModel& model = scenario.AddModel("c", "standard");
  model.criticality = Given::kStandard;
  model.target_models.emplace_back().name = "x";
  model.target_models.emplace_back().name = "y";
  const Translation translation = scenario.Run();
  const ModelTable& models = translation.snapshot->pools[0]->models;
  EXPECT_EQ(models.Find("plain")->criticality, Criticality::kStandard);
  EXPECT_TRUE(models.Find("plain")->targets.empty());
  EXPECT_EQ(models.Find("critical")->criticality, Criticality::kCritical);
  EXPECT_EQ(models.Find("standard")->criticality, Criticality::kStandard);
  EXPECT_EQ(models.Find("standard")->targets[0].weight, 1u);
  EXPECT_EQ(models.Find("standard")->targets[1].weight, 1u);
  EXPECT_EQ(models.names(), (std::vector<std::string>{"plain", "critical", "standard"}));
}

TEST(Model, OfSeveralWithOneNameTheOldestIsBound) {
  Scenario scenario;
  scenario.AddPool();
  scenario.AddPool("other");
  scenario.AddModel("a", "qwen").meta.creation_unix_s = 200;
  scenario.AddModel("b", "qwen").meta.creation_unix_s = 100;
  scenario.AddModel("c", "qwen", "other").meta.creation_unix_s = 300;
  Translation translation = scenario.Run();
  EXPECT_EQ(ModelSaid(translation, "a"), "False/ModelNameInUse");
  EXPECT_EQ(ModelMessage(translation, "a"),
            "InferenceModel b holds model name \"qwen\" in this pool");
  EXPECT_EQ(ModelSaid(translation, "b"), "True/Accepted");
  EXPECT_EQ(ModelSaid(translation, "c"), "True/Accepted");
  // Of one age: the first by name.
  scenario.resources.inference_models[{"default", "a"}].meta.creation_unix_s = 100;
  translation = scenario.Run();
  EXPECT_EQ(ModelSaid(translation, "a"), "True/Accepted");
  EXPECT_EQ(ModelSaid(translation, "b"), "False/ModelNameInUse");
}

TEST(Model, WithoutItsPoolIsToldInFilesAndWaitsOnACluster) {
  Scenario scenario;
  scenario.AddPool("pool", "default", api::kInferenceXGroup);
  scenario.AddModel("m", "qwen");
  Translation translation = scenario.Run();
  EXPECT_EQ(ModelSaid(translation, "m"), "False/PoolNotFound");
  EXPECT_EQ(ModelMessage(translation, "m"),
            "spec.poolRef: InferencePool default/pool of group inference.networking.k8s.io does "
            "not exist; one of group inference.networking.x-k8s.io does");
  scenario.options.only_controller = false;
  EXPECT_EQ(ModelSaid(scenario.Run(), "m"), "Unknown/Pending");
  scenario.options.only_controller = true;
  scenario.resources.inference_pools.clear();
  scenario.AddInvalid(api::kInferenceGroup, "InferencePool", "pool", "spec: is required");
  EXPECT_EQ(ModelMessage(scenario.Run(), "m"),
            "spec.poolRef: InferencePool default/pool of group inference.networking.k8s.io is "
            "invalid");
}

}  // namespace
}  // namespace gw
