// Objects of which the newest version cannot be served: what is said, and to whom.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "translate/test_answers.h"
#include "translate/test_objects.h"
#include "translate/translator.h"

namespace gw {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr int64_t kSince = 1767323045;  // 2026-01-02T03:04:05Z

// A Gateway, a route and a pool on a cluster, with whatever is broken beside them.
struct ClusterScenario : Scenario {
  ClusterScenario() {
    options.only_controller = false;
    AddGateway();
    AddPool();
    AddPoolRef(AddRoute().rules[0], "pool");
  }
  void Break(api::ObjectRef ref, std::vector<api::ForeignObject::Target> targets = {}) {
    resources.invalid.push_back({.ref = std::move(ref),
                                 .generation = 7,
                                 .errors = {"spec.a: must be 1", "spec.b: must be 2"},
                                 .targets = std::move(targets)});
  }
  void MakeStale(api::ObjectRef ref) {
    resources.stale.push_back(
        {.ref = std::move(ref), .generation = 7, .since_unix_s = kSince, .why = "spec.x: no"});
  }
};

const api::ObjectRef kRoute{api::kGatewayGroup, "v1", "HTTPRoute", "default", "route"};
const api::ObjectRef kPool{api::kInferenceGroup, "v1", "InferencePool", "default", "pool"};

// "gateway/listener Accepted=False/Reason@7 ..." of each parent.
std::vector<std::string> ParentsTold(const api::StatusSet& statuses, const api::ObjectRef& ref) {
  std::vector<std::string> told;
  for (const api::ParentStatus& parent : statuses.find(ref)->second.parents) {
    EXPECT_EQ(parent.controller_name, "penstock.dev/gateway-controller");
    std::string text = parent.parent_ref.name + "/" + parent.parent_ref.section_name;
    for (const api::Condition& condition : parent.conditions) {
      text += " " + condition.type + "=" + std::string(NameOf(condition.status)) + "/" +
              condition.reason + "@" + std::to_string(condition.observed_generation);
    }
    told.push_back(text);
  }
  return told;
}

TEST(Invalid, ARouteTellsTheGatewaysOfOursThatItNames) {
  ClusterScenario scenario;
  const api::ObjectRef ref{api::kGatewayGroup, "v1", "HTTPRoute", "default", "broken"};
  scenario.Break(ref, {{api::kGatewayGroup, "Gateway", "default", "gateway", "http"},
                       {api::kGatewayGroup, "Gateway", "default", "another"},
                       {"", "Service", "default", "mesh"}});
  const Translation translation = scenario.Run();
  EXPECT_THAT(ParentsTold(translation.status, ref),
              ElementsAre("gateway/http Accepted=False/UnsupportedValue@7"));
  EXPECT_EQ(translation.status.find(ref)->second.parents[0].conditions[0].message,
            "spec.a: must be 1; spec.b: must be 2");
}

TEST(Invalid, APoolTellsTheGatewaysThatRoutesLeadFrom) {
  for (const char* group : {api::kInferenceGroup, api::kInferenceXGroup}) {
    ClusterScenario scenario;
    const bool is_v1 = group == std::string(api::kInferenceGroup);
    const api::ObjectRef ref{group, is_v1 ? "v1" : "v1alpha2", "InferencePool", "default",
                             "broken"};
    Scenario::AddPoolRef(scenario.AddRoute("other").rules[0], "broken").group = group;
    scenario.Break(ref);
    scenario.Break({group, ref.version, "InferencePool", "default", "nobody-asks"});
    const Translation translation = scenario.Run();
    EXPECT_THAT(ParentsTold(translation.status, ref),
                ElementsAre(is_v1 ? "gateway/ Accepted=False/NotSupportedByParent@7"
                                  : "gateway/ Accepted=False/NotSupportedByGateway@7"));
    api::ObjectRef other = ref;
    other.name = "nobody-asks";
    EXPECT_THAT(ParentsTold(translation.status, other), IsEmpty());
    EXPECT_EQ(Said(ParentConditions(translation, "HTTPRoute", "other"), "ResolvedRefs"),
              "False/BackendNotFound");
  }
}

TEST(Invalid, APolicyTellsTheGatewaysThatLeadToItsTargets) {
  ClusterScenario scenario;
  const api::ObjectRef ref{api::kGatewayGroup, "v1", "BackendTLSPolicy", "default", "broken"};
  scenario.Break(ref, {{api::kInferenceGroup, "InferencePool", "default", "pool"}});
  EXPECT_THAT(ParentsTold(scenario.Run().status, ref),
              ElementsAre("gateway/ Accepted=False/Invalid@7"));
}

TEST(Invalid, InFilesTheObjectItselfSaysIt) {
  ClusterScenario scenario;
  scenario.options.only_controller = true;
  const api::ObjectRef ref{api::kGatewayGroup, "v1", "HTTPRoute", "default", "broken"};
  scenario.Break(ref, {{api::kGatewayGroup, "Gateway", "default", "gateway"}});
  const Translation translation = scenario.Run();
  EXPECT_THAT(ParentsTold(translation.status, ref), IsEmpty());
  EXPECT_EQ(Said(translation.status.find(ref)->second.conditions, "Accepted"), "False/Invalid");
}

TEST(Stale, StandsBesideTheConditionsOfTheVersionThatIsServed) {
  Scenario scenario;
  scenario.AddGateway();
  api::StaleObject& stale = scenario.resources.stale.emplace_back();
  stale.ref = {api::kGatewayGroup, "v1", "Gateway", "default", "gateway"};
  stale.since_unix_s = 1767323045;
  stale.why = "spec.listners: unknown field";
  const auto conditions = StatusOf(scenario.Run(), "Gateway", "gateway").conditions;
  EXPECT_EQ(Said(conditions, "Accepted"), "True/Accepted");
  EXPECT_EQ(Said(conditions, "Stale"), "True/Invalid");
  EXPECT_EQ(MessageOf(conditions, "Stale"),
            "since 2026-01-02T03:04:05Z the last good version is served: spec.listners: unknown "
            "field");
}

TEST(Stale, ARouteThatIsServedAsItWasSaysSoInTheWordsOfTheGatewayApi) {
  ClusterScenario scenario;
  scenario.MakeStale(kRoute);
  const Translation translation = scenario.Run();
  EXPECT_THAT(ParentsTold(translation.status, kRoute),
              ElementsAre("gateway/ Accepted=True/Accepted@7 ResolvedRefs=True/ResolvedRefs@7 "
                          "PartiallyInvalid=True/UnsupportedValue@7"));
  EXPECT_EQ(MessageOf(ParentConditions(translation, "HTTPRoute", "route"), "PartiallyInvalid"),
            "Fall Back: since 2026-01-02T03:04:05Z the last good version is served: spec.x: no");
}

TEST(Stale, APoolGoesOnSayingItWhenItsPodsChange) {
  ClusterScenario scenario;
  scenario.MakeStale(kPool);
  const std::string told =
      "gateway/ Accepted=True/Accepted@7 ResolvedRefs=True/ResolvedRefs@7 Stale=True/Invalid@7";
  Translator translator(scenario.options, scenario.endpoints);
  EXPECT_THAT(ParentsTold(translator.TranslateAll(scenario.resources, 1).status, kPool),
              ElementsAre(told));
  const api::Pod& pod = scenario.AddPod("pod", "127.0.0.1");
  const std::vector<api::ObjectChange> changes = {{nullptr, std::make_shared<api::Object>(pod)}};
  const Translator::Update update = translator.Follow(scenario.resources, changes, 2);
  ASSERT_FALSE(update.whole);
  ASSERT_THAT(update.parents, SizeIs(1));
  api::StatusSet followed;
  followed.emplace(kPool, api::ObjectStatus{.parents = update.parents[0].second});
  EXPECT_THAT(ParentsTold(followed, kPool), ElementsAre(told));
}

}  // namespace
}  // namespace gw
