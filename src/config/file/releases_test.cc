// ModelReleases out of YAML.

#include <absl/strings/strip.h>

#include "config/file/test_objects.h"

namespace gw::config {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;
using Release = api::ModelRelease;

constexpr char kHead[] =
    "apiVersion: penstock.dev/v1alpha1\nkind: ModelRelease\nmetadata: {name: r, namespace: n}\n";

Release One(const std::string& spec) {
  const api::ResourceSet set = Good(kHead + spec);
  EXPECT_EQ(set.model_releases.size(), 1u);
  const auto found = set.model_releases.find({"n", "r"});
  return found == set.model_releases.end() ? Release() : found->second;
}

TEST(GoodObjects, ModelReleaseWithEveryField) {
  const Release release = One(R"(
spec:
  route: {name: chat, rule: v1}
  stable: {name: qwen, kind: InferencePool, group: inference.networking.x-k8s.io}
  candidate: {name: elsewhere, kind: Backend, group: penstock.dev}
  steps:
  - {weight: 0.5, pause: 1h30m, samplesMin: 200}
  - {weight: 100}
  criteria: {errorRate: 0.01, ttft: 1.2, tpot: 2, finishReasons: 0}
  falseAlarmRate: 0.05
  onBreach: Hold
  paused: true
  request: Promote
status: {phase: Progressing}
)");
  EXPECT_EQ(release.route, "chat");
  EXPECT_EQ(release.rule, "v1");
  EXPECT_EQ(release.model, "");
  EXPECT_EQ(release.stable,
            (Release::Destination{"qwen", "InferencePool", "inference.networking.x-k8s.io"}));
  EXPECT_EQ(release.candidate, (Release::Destination{"elsewhere", "Backend", "penstock.dev"}));
  EXPECT_THAT(release.steps, ElementsAre(Release::Step{0.5, std::chrono::minutes(90), 200},
                                         Release::Step{100, Duration(0), 0}));
  EXPECT_EQ(release.criteria, (Release::Criteria{0.01, 1.2, 2, 0}));
  EXPECT_EQ(release.false_alarm_rate, 0.05);
  EXPECT_EQ(release.on_breach, Release::OnBreach::kHold);
  EXPECT_TRUE(release.paused);
  EXPECT_EQ(release.request, Release::Request::kPromote);
  EXPECT_EQ(release.status, "") << "how far it came is not for a file to say";
  EXPECT_EQ(release.meta.Where("spec.steps[1].weight"), " (a.yaml:11)");
  EXPECT_EQ(release.meta.Where("spec.criteria.ttft"), " (a.yaml:12)");
  EXPECT_EQ(release.meta.Where("spec.candidate"), " (a.yaml:8)");
}

TEST(GoodObjects, ModelReleaseThatLeavesOutWhatItMay) {
  const Release release =
      One("spec: {route: {name: chat}, stable: {name: a}, candidate: {name: b, kind: Service, "
          "group: \"\"}, steps: [{weight: +5, pause: 10m}], criteria: {}}");
  EXPECT_EQ(release.rule, "");
  EXPECT_EQ(release.stable, (Release::Destination{"a", "InferencePool", std::nullopt}));
  EXPECT_EQ(release.candidate, (Release::Destination{"b", "Service", ""}));
  EXPECT_THAT(release.steps, ElementsAre(Release::Step{5, std::chrono::minutes(10), 0}));
  EXPECT_EQ(release.criteria, Release::Criteria());
  EXPECT_EQ(release.false_alarm_rate, 0.01);
  EXPECT_EQ(release.on_breach, Release::OnBreach::kRollBack);
  EXPECT_FALSE(release.paused);
  EXPECT_EQ(release.request, Release::Request::kNone);
}

TEST(GoodObjects, ModelReleaseBetweenTargetsOfAModel) {
  const Release release =
      One("spec: {model: {name: chat}, stable: {name: org/v1}, candidate: {name: org/v2}, steps: "
          "[{weight: 1e1, samplesMin: 1}], request: Abort}");
  EXPECT_EQ(release.model, "chat");
  EXPECT_EQ(release.route, "");
  EXPECT_EQ(release.stable, (Release::Destination{"org/v1", "", std::nullopt}));
  EXPECT_EQ(release.candidate, (Release::Destination{"org/v2", "", std::nullopt}));
  EXPECT_EQ(release.steps[0].weight_percent, 10);
  EXPECT_EQ(release.request, Release::Request::kAbort);
}

// The error of a spec whose route, destinations and steps are good but for what is written.
std::vector<std::string> ErrorsWith(const std::string& fields,
                                    const std::string& steps = "[{weight: 5, pause: 1m}]") {
  std::vector<std::string> errors = ErrorsOf(
      kHead + ("spec: {route: {name: c}, stable: {name: a}, candidate: {name: b}, steps: " + steps +
               (fields.empty() ? "" : ", ") + fields + "}"));
  for (std::string& error : errors) {
    const std::string_view prefix = "ModelRelease n/r: ";
    const std::string_view suffix = " (a.yaml:4)";
    EXPECT_TRUE(error.starts_with(prefix) && error.ends_with(suffix)) << error;
    error = error.substr(prefix.size(), error.size() - prefix.size() - suffix.size());
  }
  return errors;
}

TEST(BadObjects, StepsOfAModelRelease) {
  for (const auto& [steps, error] : std::vector<std::pair<std::string, std::string>>{
           {"[]", "spec.steps: must have 1..50 entries, got 0"},
           {"{weight: 5}", "spec.steps: must be a list, got a map"},
           {"[5]", "spec.steps[0]: must be a map, got the number 5"},
           {"[{pause: 1m}]", "spec.steps[0].weight: is required"},
           {"[{weight: 5}, {weight: 0}]",
            "spec.steps[1].weight: must be above 0 and at most 100, got 0"},
           {"[{weight: 100.5}]",
            "spec.steps[0].weight: must be above 0 and at most 100, got 100.5"},
           {"[{weight: \"5\"}]", "spec.steps[0].weight: must be a number, got \"5\""},
           {"[{weight: 5%}]", "spec.steps[0].weight: must be a number, got \"5%\""},
           {"[{weight: true}]", "spec.steps[0].weight: must be a number, got the boolean true"},
           {"[{weight: [5]}]", "spec.steps[0].weight: must be a number, got a list"},
           {"[{weight: .nan}]",
            "spec.steps[0].weight: must be a decimal number, got the number .nan"},
           {"[{weight: 0x10}]",
            "spec.steps[0].weight: must be a decimal number, got the number 0x10"},
           {"[{weight: 010}]",
            "spec.steps[0].weight: must be a decimal number, got the number 010"},
           {"[{weight: 1_0}]",
            "spec.steps[0].weight: must be a decimal number, got the number 1_0"},
           {"[{weight: 1e999}]",
            "spec.steps[0].weight: must be a decimal number, got the number 1e999"},
           {"[{weight: 5, pause: soon}]",
            "spec.steps[0].pause: must be a duration such as \"10s\", \"1h30m\" or \"500ms\", got "
            "\"soon\""},
           {"[{weight: 5, pause: 10}]",
            "spec.steps[0].pause: must be text, got the number 10: put it in quotes"},
           {"[{weight: 5, samplesMin: -1}]",
            "spec.steps[0].samplesMin: must be at least 0, got -1"},
           {"[{weight: 5, samplesMin: 0.5}]",
            "spec.steps[0].samplesMin: must be an integer, got the number 0.5"},
           {"[{weight: 5, pauze: 1m}]",
            "spec.steps[0].pauze: unknown field, did you mean \"pause\"?"}}) {
    EXPECT_THAT(ErrorsWith("", steps), ElementsAre(error)) << steps;
  }
  std::string many = "[";
  for (size_t i = 0; i <= api::kReleaseStepsMax; ++i) many += "{weight: 5},";
  EXPECT_THAT(ErrorsWith("", many + "]"),
              ElementsAre("spec.steps: must have 1..50 entries, got 51"));
}

TEST(BadObjects, WhatAModelReleaseComparesAndDoes) {
  for (const auto& [fields, error] : std::vector<std::pair<std::string, std::string>>{
           {"criteria: [ttft]", "spec.criteria: must be a map, got a list"},
           {"criteria: {errorRate: 1}",
            "spec.criteria.errorRate: must be at least 0 and below 1, got 1"},
           {"criteria: {errorRate: -0.1}",
            "spec.criteria.errorRate: must be at least 0 and below 1, got -0.1"},
           {"criteria: {finishReasons: 2}",
            "spec.criteria.finishReasons: must be at least 0 and below 1, got 2"},
           {"criteria: {ttft: 0.9}", "spec.criteria.ttft: must be a ratio of at least 1, got 0.9"},
           {"criteria: {tpot: 0}", "spec.criteria.tpot: must be a ratio of at least 1, got 0"},
           {"criteria: {tpot: fast}", "spec.criteria.tpot: must be a number, got \"fast\""},
           {"criteria: {itl: 1.2}", "spec.criteria.itl: unknown field"},
           {"falseAlarmRate: 0", "spec.falseAlarmRate: must be above 0 and at most 0.5, got 0"},
           {"falseAlarmRate: 0.6", "spec.falseAlarmRate: must be above 0 and at most 0.5, got 0.6"},
           {"onBreach: Rollback",
            "spec.onBreach: must be one of RollBack, Hold, got \"Rollback\", did you mean "
            "\"RollBack\"?"},
           {"paused: \"true\"", "spec.paused: must be true or false, got \"true\""},
           {"request: promote",
            "spec.request: must be one of None, Promote, Abort, got \"promote\", did you mean "
            "\"Promote\"?"},
           {"reqest: Abort", "spec.reqest: unknown field, did you mean \"request\"?"}}) {
    EXPECT_THAT(ErrorsWith(fields), ElementsAre(error)) << fields;
  }
}

TEST(BadObjects, WhatAModelReleaseShifts) {
  const std::string rest = ", steps: [{weight: 5, pause: 1m}]}";
  const std::string both = ", stable: {name: a}, candidate: {name: b}" + rest;
  const std::string of = "ModelRelease n/r: ";
  for (const auto& [spec, error] : std::vector<std::pair<std::string, std::string>>{
           {"{stable: {name: a}, candidate: {name: b}" + rest,
            "spec: must have exactly one of route and model, got none"},
           {"{route: {name: c}, model: {name: m}" + both,
            "spec: must have exactly one of route and model, got both"},
           {"{route: c" + both, "spec.route: must be a map, got \"c\""},
           {"{route: {}" + both, "spec.route.name: is required"},
           {"{route: {name: c, rule: 0}" + both,
            "spec.route.rule: must be text, got the number 0: put it in quotes"},
           {"{route: {name: c, rule: \"\"}" + both, "spec.route.rule: must not be empty"},
           {"{model: {name: m, rule: a}" + both, "spec.model.rule: unknown field"},
           {"{route: {name: c}, candidate: {name: b}" + rest, "spec.stable: is required"},
           {"{route: {name: c}, stable: {name: a}" + rest, "spec.candidate: is required"},
           {"{route: {name: c}, stable: {name: a}, candidate: {}" + rest,
            "spec.candidate.name: is required"},
           {"{route: {name: c}, stable: {name: a}, candidate: {name: b, kind: 7}" + rest,
            "spec.candidate.kind: must be text, got the number 7: put it in quotes"},
           {"{route: {name: c}, stable: {name: a}, candidate: {name: b, group: A_b}" + rest,
            "spec.candidate.group: must be an API group, got \"A_b\""},
           {"{route: {name: c}, stable: {name: a, namespace: x}, candidate: {name: b}" + rest,
            "spec.stable.namespace: unknown field"},
           {"{model: {name: m}, stable: {name: a, kind: InferencePool}, candidate: {name: b}" +
                rest,
            "spec.stable.kind: must not be given beside model, whose targets have none"},
           {"{model: {name: m}, stable: {name: a}, candidate: {name: b, group: g}" + rest,
            "spec.candidate.group: must not be given beside model, whose targets have none"},
           {"{route: {name: c}, stable: {name: a}, candidate: {name: b}}",
            "spec.steps: is required"}}) {
    EXPECT_THAT(ErrorsOf(kHead + ("spec: " + spec)), ElementsAre(of + error + " (a.yaml:4)"))
        << spec;
  }
  EXPECT_THAT(ErrorsOf(kHead), ElementsAre(of + "spec: is required (a.yaml:1)"));
  EXPECT_THAT(ErrorsOf(kHead + std::string("spec: [a]")),
              ElementsAre(of + "spec: must be a map, got a list (a.yaml:4)"));
  EXPECT_THAT(
      ErrorsOf(kHead + std::string("spec: {}")),
      UnorderedElementsAre(
          of + "spec: must have exactly one of route and model, got none (a.yaml:4)",
          of + "spec.stable: is required (a.yaml:4)", of + "spec.candidate: is required (a.yaml:4)",
          of + "spec.steps: is required (a.yaml:4)"));
}

}  // namespace
}  // namespace gw::config
