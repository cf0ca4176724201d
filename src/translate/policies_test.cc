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

api::InferenceTrafficPolicy& AddPolicy(Scenario& scenario, const std::string& name = "policy") {
  api::InferenceTrafficPolicy& policy = scenario.resources.traffic_policies[{"default", name}];
  policy.meta.name = name;
  policy.pool_name = "pool";
  return policy;
}
api::Disaggregation& AddSplit(api::InferenceTrafficPolicy& policy, const std::string& runtime) {
  policy.runtime = runtime;
  api::Disaggregation& pd = policy.pd.emplace();
  pd.role_label = "role";
  if (runtime == "sglang") pd.bootstrap_port = 34000;
  return pd;
}
api::Pod& AddPart(Scenario& scenario, const std::string& name, const std::string& ip,
                  const std::string& role) {
  api::Pod& pod = scenario.AddPod(name, ip);
  pod.meta.labels["role"] = role;
  return pod;
}
std::string NamesOf(const Pool& pool) {
  std::string names;
  for (const Endpoint& endpoint : pool.endpoints) {
    names += (names.empty() ? "" : " ") + endpoint.name;
  }
  return names;
}
std::string KindSaid(const Translation& translation, const std::string& kind,
                     const std::string& name) {
  return Said(StatusOf(translation, kind, name).conditions, "Accepted");
}

TEST(TrafficPolicy, SplitsItsPool) {
  PolicyScenario scenario;
  AddSplit(AddPolicy(scenario), "sglang").prefill_policy_ref = "prefixCache";
  AddPart(scenario, "p0", "127.0.0.1", "prefill");
  AddPart(scenario, "d0", "127.0.0.2", "decode");
  AddPart(scenario, "b0", "127.0.0.3", "prefill-decode");
  AddPart(scenario, "x0", "127.0.0.4", "router");
  const Translation translation = scenario.Run();
  EXPECT_EQ(KindSaid(translation, "InferenceTrafficPolicy", "policy"), "True/Accepted");
  EXPECT_EQ(MessageOf(ParentConditions(translation, "InferencePool", "pool"), "Accepted"),
            "Pod x0: label role: must be prefill, decode or prefill-decode, got \"router\": not "
            "used");
  const PoolEntry& entry = *translation.snapshot->pools[0];
  EXPECT_EQ(NamesOf(entry.pool), "b0 d0 p0");
  ASSERT_NE(entry.disaggregation, nullptr);
  const Disaggregation& split = *entry.disaggregation;
  EXPECT_EQ(NamesOf(split.decode), "b0 d0");
  EXPECT_EQ(NamesOf(split.whole), "b0");
  ASSERT_NE(split.PrefillOf(Runtime::kSglang), nullptr);
  EXPECT_EQ(NamesOf(*split.PrefillOf(Runtime::kSglang)), "b0 p0");
  EXPECT_EQ(split.PrefillOf(Runtime::kVllm), nullptr);
  EXPECT_TRUE(split.prefill_uses_prefix && !split.decode_uses_prefix && entry.uses_prefix);
  EXPECT_EQ(split.prefill_profile->name(), "PREFIX_CACHE");
  EXPECT_EQ(split.decode_profile->name(), "DEFAULT");
  EXPECT_EQ(split.bootstrap_port, 34000);
  EXPECT_EQ(split.uncached_tokens_min, 512u);
}

TEST(TrafficPolicy, DecidesNothingWhereReplicasHaveOneRole) {
  PolicyScenario scenario;
  api::InferenceTrafficPolicy& policy = AddPolicy(scenario);
  AddSplit(policy, "vllm");
  AddPart(scenario, "p0", "127.0.0.1", "prefill");
  AddPart(scenario, "d0", "127.0.0.2", "decode");
  const auto min = [&scenario] {
    return scenario.Run().snapshot->pools[0]->disaggregation->uncached_tokens_min;
  };
  EXPECT_EQ(min(), 0u);
  policy.meta.annotations["penstock.dev/uncached-tokens-min"] = "99";
  EXPECT_EQ(min(), 99u);
  policy.meta.annotations["penstock.dev/bootstrap-timeout"] = "1500ms";
  EXPECT_EQ(scenario.Run().snapshot->pools[0]->disaggregation->bootstrap_timeout,
            std::chrono::milliseconds(1500));
}

TEST(TrafficPolicy, PairsLikeWithLike) {
  PolicyScenario scenario;
  AddSplit(AddPolicy(scenario), "vllm");
  AddPart(scenario, "vp", "127.0.0.1", "prefill");
  AddPart(scenario, "vd", "127.0.0.2", "decode");
  AddPart(scenario, "sd", "127.0.0.3", "decode").meta.labels["llm-d.ai/engine-type"] = "sglang";
  Translation translation = scenario.Run();
  const auto split = [&translation] { return translation.snapshot->pools[0]->disaggregation; };
  EXPECT_EQ(NamesOf(split()->decode), "vd");
  EXPECT_EQ(MessageOf(ParentConditions(translation, "InferencePool", "pool"), "Accepted"),
            "Pod sd: no ready prefill endpoint runs sglang: not used");
  AddPart(scenario, "sp", "127.0.0.4", "prefill")
      .meta.labels["inference.networking.k8s.io/engine-type"] = "sglang";
  translation = scenario.Run();
  EXPECT_EQ(NamesOf(split()->decode), "sd vd");
  EXPECT_EQ(NamesOf(*split()->PrefillOf(Runtime::kSglang)), "sp");
  EXPECT_EQ(NamesOf(*split()->PrefillOf(Runtime::kVllm)), "vp");
}

TEST(TrafficPolicy, ThatCannotBeServedKeepsItsPoolFromBeingServed) {
  PolicyScenario scenario;
  api::InferenceTrafficPolicy& policy = AddPolicy(scenario);
  AddSplit(policy, "sglang").bootstrap_port.reset();
  Translation translation = scenario.Run();
  EXPECT_EQ(KindSaid(translation, "InferenceTrafficPolicy", "policy"), "False/Unsupported");
  EXPECT_EQ(
      MessageOf(StatusOf(translation, "InferenceTrafficPolicy", "policy").conditions, "Accepted"),
      "spec.profile.pd.kvTransfer.bootstrapPort: is required for sglang; requests to "
      "InferencePool default/pool are answered 500");
  EXPECT_EQ(Said(ParentConditions(translation, "InferencePool", "pool"), "Accepted"),
            "False/NotSupportedByParent");
  EXPECT_EQ(Answer(translation), "500:1");
  const auto refused = [&](const std::string& text) {
    translation = scenario.Run();
    EXPECT_EQ(Answer(translation), "500:1") << text;
    EXPECT_NE(translation.snapshot->pools[0]->unservable.find(text), std::string::npos)
        << translation.snapshot->pools[0]->unservable;
  };
  policy.runtime = "trt-llm";
  refused("spec.modelServerRuntime: trt-llm cannot be disaggregated");
  policy.runtime = "vllm";
  policy.meta.annotations = {{"penstock.dev/bootstrap-timeout", "soon"}};
  refused("annotation penstock.dev/bootstrap-timeout: must be a duration");
  policy.meta.annotations = {{"penstock.dev/uncached-tokens-min", "-1"}};
  refused("annotation penstock.dev/uncached-tokens-min: must be 0..");
  policy.meta.annotations = {{"penstock.dev/other", "1"}};
  refused("annotation penstock.dev/other: unknown");
  policy.meta.annotations.clear();
  policy.unsupported = {{"spec.x", -1, "is not supported yet"}};
  refused("spec.x: is not supported yet");
}

TEST(TrafficPolicy, OfTwoTheOlderWinsAndTheOtherSaysSo) {
  PolicyScenario scenario;
  AddSplit(AddPolicy(scenario, "a"), "vllm");
  AddSplit(AddPolicy(scenario, "b"), "sglang");
  scenario.resources.traffic_policies.at({"default", "a"}).meta.creation_unix_s = 2;
  scenario.resources.traffic_policies.at({"default", "b"}).meta.creation_unix_s = 1;
  Translation translation = scenario.Run();
  EXPECT_EQ(KindSaid(translation, "InferenceTrafficPolicy", "a"), "False/Conflicted");
  EXPECT_EQ(KindSaid(translation, "InferenceTrafficPolicy", "b"), "True/Accepted");
  EXPECT_EQ(translation.snapshot->pools[0]->pool.runtime, Runtime::kSglang);
  scenario.resources.traffic_policies.at({"default", "b"}).meta.creation_unix_s = 2;
  translation = scenario.Run();
  EXPECT_EQ(KindSaid(translation, "InferenceTrafficPolicy", "a"), "True/Accepted");
  EXPECT_EQ(KindSaid(translation, "InferenceTrafficPolicy", "b"), "False/Conflicted");
}

TEST(TrafficPolicy, WithoutASplitSetsTheRuntime) {
  PolicyScenario scenario;
  AddPolicy(scenario).runtime = "sglang";
  scenario.AddPod("a", "127.0.0.1");
  const Translation translation = scenario.Run();
  EXPECT_EQ(KindSaid(translation, "InferenceTrafficPolicy", "policy"), "True/Accepted");
  EXPECT_EQ(translation.snapshot->pools[0]->disaggregation, nullptr);
  EXPECT_EQ(translation.snapshot->pools[0]->pool.endpoints[0].runtime, Runtime::kSglang);
  EXPECT_EQ(Answer(translation), "default/pool:1");
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

api::InferenceModelRewrite& AddRewrite(Scenario& scenario, const std::string& name,
                                       const std::string& group = api::kLlmdGroup) {
  api::InferenceModelRewrite& added =
      scenario.resources.inference_model_rewrites[{group, "default", name}];
  added.group = group;
  added.meta.name = name;
  added.pool_ref = {.group = api::kInferenceGroup, .name = "pool"};
  return added;
}

// The first target of the rule for that name: "a:90" by weight; "" if the name stays.
std::string FirstTarget(const Translation& translation, const std::string& model) {
  const std::vector<TargetModel>* targets = translation.snapshot->pools[0]->rewrites.Find(model);
  if (targets == nullptr) return "";
  return targets->front().name + ":" + std::to_string(targets->front().weight);
}

TEST(ModelRewrite, AnExactNameGoesBeforeAnyNameAndTheFirstRuleBeforeTheNext) {
  PolicyScenario scenario;
  api::InferenceModelRewrite& rewrite = AddRewrite(scenario, "rewrite");
  rewrite.rules = {{.models = {}, .targets = {{"any", 7}}},
                   {.models = {"a", "b"}, .targets = {{"first", 5}}},
                   {.models = {"b", "c"}, .targets = {{"second", 6}}},
                   {.models = {}, .targets = {{"never", 1}}}};
  const Translation translation = scenario.Run();
  EXPECT_EQ(KindSaid(translation, "InferenceModelRewrite", "rewrite"), "True/Accepted");
  EXPECT_EQ(
      MessageOf(StatusOf(translation, "InferenceModelRewrite", "rewrite").conditions, "Accepted"),
      "spec.rules[2]: model \"b\" has a rule that goes before; "
      "spec.rules[3]: another rule for all models goes before");
  EXPECT_EQ(FirstTarget(translation, "a"), "first:5");
  EXPECT_EQ(FirstTarget(translation, "b"), "first:5");
  EXPECT_EQ(FirstTarget(translation, "c"), "second:6");
  EXPECT_EQ(FirstTarget(translation, "d"), "any:7");
  EXPECT_EQ(Answer(translation), "default/pool:1");
}

TEST(ModelRewrite, TheOlderObjectGoesBeforeWhateverItsGroup) {
  PolicyScenario scenario;
  api::InferenceModelRewrite& young = AddRewrite(scenario, "a");
  young.meta.creation_unix_s = 200;
  young.rules = {{.models = {"m"}, .targets = {{"young", 1}}}, {.targets = {{"any", 1}}}};
  api::InferenceModelRewrite& old = AddRewrite(scenario, "z", api::kInferenceXGroup);
  old.meta.creation_unix_s = 100;
  old.rules = {{.models = {"m"}, .targets = {{"old", 1}}}};
  const Translation translation = scenario.Run();
  EXPECT_EQ(FirstTarget(translation, "m"), "old:1");
  EXPECT_EQ(FirstTarget(translation, "other"), "any:1");
}

TEST(ModelRewrite, WithoutWeightsAllTargetsCountAlikeAndBesideWeightsOneWithoutIsNeverChosen) {
  PolicyScenario scenario;
  api::InferenceModelRewrite& rewrite = AddRewrite(scenario, "rewrite");
  rewrite.rules = {{.models = {"even"}, .targets = {{"x", {}}, {"y", {}}}},
                   {.models = {"mixed"}, .targets = {{"x", {}}, {"y", 3}}}};
  const Translation translation = scenario.Run();
  const ModelRewrites& rewrites = translation.snapshot->pools[0]->rewrites;
  ASSERT_EQ(rewrites.Find("even")->size(), 2u);
  EXPECT_EQ(rewrites.Find("even")->at(0).weight, rewrites.Find("even")->at(1).weight);
  ASSERT_EQ(rewrites.Find("mixed")->size(), 1u);
  EXPECT_EQ(FirstTarget(translation, "mixed"), "y:3");
  EXPECT_EQ(FirstTarget(translation, "other"), "");
}

TEST(ModelRewrite, WithoutItsPoolIsTold) {
  PolicyScenario scenario;
  api::InferenceModelRewrite& rewrite = AddRewrite(scenario, "rewrite");
  rewrite.rules = {{.models = {"m"}, .targets = {{"x", {}}}}};
  rewrite.pool_ref.group = api::kInferenceXGroup;
  Translation translation = scenario.Run();
  EXPECT_EQ(KindSaid(translation, "InferenceModelRewrite", "rewrite"), "False/PoolNotFound");
  EXPECT_EQ(
      MessageOf(StatusOf(translation, "InferenceModelRewrite", "rewrite").conditions, "Accepted"),
      "spec.poolRef: InferencePool default/pool of group inference.networking.x-k8s.io does "
      "not exist; one of group inference.networking.k8s.io does");
  EXPECT_EQ(Answer(translation), "default/pool:1");
  rewrite.pool_ref.kind = "Service";
  EXPECT_EQ(KindSaid(scenario.Run(), "InferenceModelRewrite", "rewrite"), "False/InvalidKind");
}

api::InferenceObjective& AddObjective(Scenario& scenario, const std::string& name,
                                      std::optional<int> priority,
                                      const std::string& group = api::kLlmdGroup) {
  api::InferenceObjective& added =
      scenario.resources.inference_objectives[{group, "default", name}];
  added.group = group;
  added.meta.name = name;
  added.priority = priority;
  added.pool_ref = {.group = api::kInferenceGroup, .name = "pool"};
  return added;
}

TEST(Objective, ItsPriorityIsKnownToItsPool) {
  PolicyScenario scenario;
  AddObjective(scenario, "batch", -10);
  AddObjective(scenario, "chat", 100, api::kInferenceXGroup);
  AddObjective(scenario, "plain", std::nullopt);
  AddObjective(scenario, "elsewhere", -1).pool_ref.name = "missing";
  const Translation translation = scenario.Run();
  const auto& priorities = translation.snapshot->pools[0]->priorities;
  EXPECT_EQ(priorities.size(), 3u);
  EXPECT_EQ(priorities.at("batch"), -10);
  EXPECT_EQ(priorities.at("chat"), 100);
  EXPECT_EQ(priorities.at("plain"), 0);
  EXPECT_EQ(KindSaid(translation, "InferenceObjective", "batch"), "True/Accepted");
  EXPECT_EQ(KindSaid(translation, "InferenceObjective", "elsewhere"), "False/PoolNotFound");
}

TEST(Objective, OfOneNameInBothGroupsTheNewerGroupsIsInForce) {
  PolicyScenario scenario;
  AddObjective(scenario, "batch", -10, api::kInferenceXGroup);
  AddObjective(scenario, "batch", 5, api::kLlmdGroup);
  const Translation translation = scenario.Run();
  EXPECT_EQ(translation.snapshot->pools[0]->priorities.at("batch"), 5);
  std::vector<std::string> said;
  for (const auto& [ref, status] : api::OfKind(translation.status, "InferenceObjective")) {
    said.push_back(ref.group + " " + Said(status.conditions, "Accepted"));
  }
  EXPECT_EQ(said, (std::vector<std::string>{"inference.networking.x-k8s.io False/Conflicted",
                                            "llm-d.ai True/Accepted"}));
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
  // Each has its own entry, also where names are the same.
  std::vector<std::string> messages;
  for (const auto& [ref, status] : api::OfKind(translation.status, "Pod")) {
    messages.push_back(MessageOf(status.conditions, "Accepted"));
  }
  EXPECT_EQ(messages, (std::vector<std::string>{"metadata.name: is required",
                                                "metadata.name: must be a name"}));
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
