#include <gtest/gtest.h>

#include "translate/test_answers.h"
#include "translate/test_objects.h"

namespace gw {
namespace {

struct PolicyScenario : Scenario {
  PolicyScenario() {
    AddGateway();
    AddPoolRef(AddRoute().rules[0], "pool");
    AddPool();
  }
};

api::InferenceTrafficPolicy& AddPolicy(Scenario& scenario) {
  api::InferenceTrafficPolicy& policy = scenario.resources.traffic_policies[{"default", "policy"}];
  policy.meta.name = "policy";
  policy.pool_name = "pool";
  policy.unsupported = {{"spec", -1, "is not supported yet"}};
  return policy;
}
std::string KindSaid(const Translation& translation, const std::string& kind,
                     const std::string& name) {
  return Said(StatusOf(translation, kind, name).conditions, "Accepted");
}

TEST(TrafficPolicy, ThatAsksForDisaggregationKeepsItsPoolFromBeingServed) {
  PolicyScenario scenario;
  AddPolicy(scenario).pd.emplace();
  const Translation translation = scenario.Run();
  EXPECT_EQ(KindSaid(translation, "InferenceTrafficPolicy", "policy"), "False/Unsupported");
  EXPECT_EQ(
      MessageOf(StatusOf(translation, "InferenceTrafficPolicy", "policy").conditions, "Accepted"),
      "spec.profile.pd: disaggregated serving is not supported yet; requests to InferencePool "
      "default/pool are answered 500");
  EXPECT_EQ(Said(ParentConditions(translation, "InferencePool", "pool"), "Accepted"),
            "False/NotSupportedByParent");
  EXPECT_EQ(translation.snapshot->pools[0]->unservable,
            "InferencePool default/pool: InferenceTrafficPolicy policy: spec.profile.pd: "
            "disaggregated serving is not supported yet");
  EXPECT_EQ(Answer(translation), "500:1");
}

TEST(TrafficPolicy, OfAnyOtherContentIsNotBuiltEither) {
  PolicyScenario scenario;
  AddPolicy(scenario).runtime = "sglang";
  const Translation translation = scenario.Run();
  EXPECT_EQ(KindSaid(translation, "InferenceTrafficPolicy", "policy"), "False/Unsupported");
  EXPECT_EQ(Answer(translation), "500:1");
}

TEST(TrafficPolicy, WithoutItsPoolIsTold) {
  PolicyScenario scenario;
  AddPolicy(scenario).pool_name = "missing";
  const Translation translation = scenario.Run();
  EXPECT_EQ(KindSaid(translation, "InferenceTrafficPolicy", "policy"), "False/TargetNotFound");
  EXPECT_EQ(Answer(translation), "default/pool:1");
  scenario.options.only_controller = false;
  EXPECT_EQ(KindSaid(scenario.Run(), "InferenceTrafficPolicy", "policy"), "Unknown/Pending");
}

TEST(ModelRewrite, KeepsItsPoolFromBeingServedWithoutIt) {
  PolicyScenario scenario;
  api::InferenceModelRewrite& rewrite =
      scenario.resources.inference_model_rewrites[{api::kLlmdGroup, "default", "rewrite"}];
  rewrite.group = api::kLlmdGroup;
  rewrite.meta.name = "rewrite";
  rewrite.pool_ref = {.group = api::kInferenceGroup, .name = "pool"};
  Translation translation = scenario.Run();
  EXPECT_EQ(KindSaid(translation, "InferenceModelRewrite", "rewrite"), "False/Unsupported");
  EXPECT_EQ(Answer(translation), "500:1");
  rewrite.pool_ref.name = "other";
  translation = scenario.Run();
  EXPECT_EQ(KindSaid(translation, "InferenceModelRewrite", "rewrite"), "False/Unsupported");
  EXPECT_EQ(Answer(translation), "default/pool:1");
}

TEST(Objective, IsRefusedAndItsPoolServed) {
  PolicyScenario scenario;
  api::InferenceObjective& objective =
      scenario.resources.inference_objectives[{api::kInferenceXGroup, "default", "objective"}];
  objective.group = api::kInferenceXGroup;
  objective.meta.name = "objective";
  objective.pool_ref = {.group = api::kInferenceGroup, .name = "pool"};
  const Translation translation = scenario.Run();
  EXPECT_EQ(KindSaid(translation, "InferenceObjective", "objective"), "False/Unsupported");
  EXPECT_EQ(Answer(translation), "default/pool:1");
}

TEST(InvalidObject, GetsItsErrorsAsAConditionAndTakesNothingDown) {
  PolicyScenario scenario;
  scenario.AddInvalid(api::kGatewayGroup, "HTTPRoute", "broken", "spec.rules: is required");
  scenario.resources.invalid.back().errors.push_back("spec.x: is unknown");
  scenario.resources.invalid.back().generation = 9;
  scenario.AddInvalid("", "Pod", "", "metadata.name: is required");
  scenario.AddInvalid("", "Pod", "", "metadata.name: must be a name");
  const Translation translation = scenario.Run();
  const auto conditions = StatusOf(translation, "HTTPRoute", "broken").conditions;
  EXPECT_EQ(Said(conditions, "Accepted"), "False/Invalid");
  EXPECT_EQ(MessageOf(conditions, "Accepted"), "spec.rules: is required; spec.x: is unknown");
  EXPECT_EQ(conditions[0].observed_generation, 9);
  EXPECT_EQ(MessageOf(StatusOf(translation, "Pod", "").conditions, "Accepted"),
            "metadata.name: is required; metadata.name: must be a name");
  EXPECT_EQ(Answer(translation), "default/pool:1");
}

TEST(Translate, OfNothingIsAnEmptySnapshot) {
  EndpointTable endpoints;
  const Translation translation = Translate({}, {}, endpoints, 42);
  EXPECT_EQ(translation.snapshot->generation, 42u);
  EXPECT_TRUE(translation.snapshot->listeners.empty());
  EXPECT_TRUE(translation.snapshot->pools.empty());
  EXPECT_TRUE(translation.status.empty());
}

}  // namespace
}  // namespace gw
