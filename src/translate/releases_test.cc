#include "translate/releases.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "release/split.h"
#include "translate/test_objects.h"
#include "translate/translator.h"

namespace gw {
namespace {

using api::ModelRelease;

std::vector<uint32_t> Shared(std::vector<uint32_t> weights, double candidate_percent) {
  internal::ShareOut(0, 1, {100 - candidate_percent, candidate_percent, 1}, &weights);
  return weights;
}

double ShareOf(const std::vector<uint32_t>& weights, size_t index) {
  double sum = 0;
  for (const uint32_t weight : weights) sum += weight;
  return weights[index] / sum;
}

TEST(ShareOut, SplitsWhatBothHave) {
  EXPECT_NEAR(ShareOf(Shared({90, 10}, 25), 1), 0.25, 1e-6);
  EXPECT_NEAR(ShareOf(Shared({1, 0}, 0.5), 1), 0.005, 1e-6);
  EXPECT_NEAR(ShareOf(Shared({1'000'000, 1'000'000}, 33.3), 1), 0.333, 1e-6);
}

TEST(ShareOut, LeavesToOthersWhatTheyHave) {
  const std::vector<uint32_t> shared = Shared({60, 20, 20}, 50);
  EXPECT_NEAR(ShareOf(shared, 0), 0.4, 1e-6);
  EXPECT_NEAR(ShareOf(shared, 1), 0.4, 1e-6);
  EXPECT_NEAR(ShareOf(shared, 2), 0.2, 1e-6);
}

TEST(ShareOut, IsNothingOnlyWhereThatIsAskedFor) {
  EXPECT_EQ(Shared({5, 5}, 0)[1], 0u);
  EXPECT_EQ(Shared({5, 5}, 100)[0], 0u);
  EXPECT_GT(Shared({1, 0}, 1e-9)[1], 0u);
  EXPECT_GT(Shared({1, 0}, 100 - 1e-9)[0], 0u);
}

ModelRelease& AddRelease(Scenario& s, const std::string& name = "release") {
  ModelRelease& added = s.resources.model_releases[{"default", name}];
  added.meta.name = name;
  added.route = "route";
  added.stable.name = "old";
  added.candidate.name = "new";
  added.steps = {{10, std::chrono::minutes(1), 100}, {50, std::chrono::minutes(1), 100}};
  return added;
}

// A route to the pools "old" (weight 100) and "new" (0), with one Pod each.
struct Versions : Scenario {
  Versions() {
    AddGateway();
    api::HttpRoute& route = AddRoute();
    int number = 1;
    for (const char* name : {"old", "new"}) {
      AddPool(name);
      AddPod(name, "10.0.0." + std::to_string(number++), name);
      AddPoolRef(route.rules[0], name).weight = number == 2 ? 100 : 0;
    }
  }
};

std::string WhyOf(const Translation& translation, const std::string& name = "release") {
  for (const auto& [ref, status] : translation.status) {
    if (ref.kind != "ModelRelease" || ref.name != name) continue;
    const api::Condition* accepted = api::FindCondition(status.conditions, "Accepted");
    if (accepted == nullptr) return "no condition";
    if (accepted->status == api::ConditionStatus::kTrue) return "accepted";
    return accepted->reason + ": " + accepted->message;
  }
  return "no status";
}

const RouteRule& RuleOf(const Snapshot& snapshot) {
  return *snapshot.listeners.at(0).routes->entries().front().rule;
}

TEST(Releases, IsAcceptedAndGivesTheStableVersionAllAtFirst) {
  Versions s;
  s.resources.http_routes.begin()->second.rules[0].backend_refs[1].weight = 30;
  AddRelease(s);
  const Translation made = s.Run();
  EXPECT_EQ(WhyOf(made), "accepted");
  ASSERT_EQ(made.releases.size(), 1u);
  const ServedRelease& served = made.releases[0];
  EXPECT_EQ(served.plan.name, "default/release");
  EXPECT_EQ(served.plan.stable, "old");
  EXPECT_EQ(served.plan.candidate, "new");
  EXPECT_EQ(served.about, "rule 0 of HTTPRoute default/route");
  EXPECT_EQ(served.stable_pool, "default/old");
  EXPECT_EQ(served.candidate_pool, "default/new");
  const RouteRule& rule = RuleOf(*made.snapshot);
  EXPECT_EQ(rule.destinations[1].weight, 0u);
  EXPECT_EQ(rule.release_split, nullptr);
}

TEST(Releases, SharesByItsInput) {
  Versions s;
  AddRelease(s);
  const auto sink = std::make_shared<release::SampleSink>();
  s.options.releases =
      std::make_shared<ReleaseInputs>(ReleaseInputs{{"default/release", {{90, 10, 7}, sink}}});
  const Translation made = s.Run();
  const RouteRule& rule = RuleOf(*made.snapshot);
  EXPECT_NEAR(static_cast<double>(rule.destinations[1].weight) / rule.total_weight, 0.1, 1e-6);
  ASSERT_NE(rule.release_split, nullptr);
  EXPECT_EQ(rule.release_split->window, 7u);
  EXPECT_EQ(rule.release_split->sink, sink);
  EXPECT_EQ(rule.release_split->VersionOf(0), release::Version::kStable);
  EXPECT_EQ(rule.release_split->VersionOf(1), release::Version::kCandidate);
}

TEST(Releases, SharesATargetModels) {
  Versions s;
  api::InferenceModel& model = s.AddModel("chat", "chat", "old");
  model.target_models = {{"chat-v1", 100}, {"chat-v2", 0}};
  ModelRelease& release = AddRelease(s);
  release.route = "";
  release.model = "chat";
  release.stable = {"chat-v1", "", std::nullopt};
  release.candidate = {"chat-v2", "", std::nullopt};
  s.options.releases = std::make_shared<ReleaseInputs>(
      ReleaseInputs{{"default/release", {{75, 25, 3}, std::make_shared<release::SampleSink>()}}});
  const Translation made = s.Run();
  EXPECT_EQ(WhyOf(made), "accepted");
  ASSERT_EQ(made.releases.size(), 1u);
  EXPECT_EQ(made.releases[0].candidate_pool, "default/old");
  const auto pool = std::ranges::find_if(
      made.snapshot->pools, [](const auto& entry) { return entry->pool.id == "default/old"; });
  ASSERT_NE(pool, made.snapshot->pools.end());
  const ModelBinding* binding = (*pool)->models.Find("chat");
  ASSERT_NE(binding, nullptr);
  ASSERT_NE(binding->release_split, nullptr);
  EXPECT_EQ(binding->targets[0].weight, 3 * binding->targets[1].weight);
}

TEST(Releases, SaysWhatItWants) {
  const struct {
    std::string_view why;
    std::function<void(ModelRelease&)> edit;
  } cases[] = {
      {"TargetNotFound: spec.route: HTTPRoute default/other does not exist",
       [](ModelRelease& r) { r.route = "other"; }},
      {"TargetNotFound: spec.route.rule: HTTPRoute route has no rule \"chat\"",
       [](ModelRelease& r) { r.rule = "chat"; }},
      {"TargetNotFound: spec.candidate: newer is not in the backendRefs of rule 0 of HTTPRoute "
       "default/route",
       [](ModelRelease& r) { r.candidate.name = "newer"; }},
      {"TargetNotFound: spec.stable: Service old is not in the backendRefs of rule 0 of HTTPRoute "
       "default/route",
       [](ModelRelease& r) { r.stable.kind = "Service"; }},
      {"TargetNotFound: spec.stable: old is not in the backendRefs of rule 0 of HTTPRoute "
       "default/route",
       [](ModelRelease& r) { r.stable.group = api::kInferenceXGroup; }},
      {"Invalid: spec.candidate: another destination than the stable one (old) is wanted",
       [](ModelRelease& r) { r.candidate.name = "old"; }},
      {"Invalid: spec.steps[1].weight: weights rise from step to step, and 5 is not above 10",
       [](ModelRelease& r) { r.steps[1].weight_percent = 5; }},
      {"TargetNotFound: spec.model: InferenceModel default/chat does not exist",
       [](ModelRelease& r) {
         r.route = "";
         r.model = "chat";
       }},
  };
  for (const auto& c : cases) {
    Versions s;
    c.edit(AddRelease(s));
    const Translation made = s.Run();
    EXPECT_EQ(WhyOf(made), c.why);
    EXPECT_TRUE(made.releases.empty());
    EXPECT_EQ(RuleOf(*made.snapshot).destinations[0].weight, 100u);
  }
}

TEST(Releases, WantsARuleOfSeveralAndAWeightToShare) {
  Versions s;
  api::HttpRoute& route = s.resources.http_routes.begin()->second;
  Scenario::AddRule(route, "/other");
  ModelRelease& release = AddRelease(s);
  EXPECT_EQ(WhyOf(s.Run()),
            "Invalid: spec.route.rule: HTTPRoute route has 2 rules: the name of one is wanted, or "
            "its number from 0");
  release.rule = "0";
  EXPECT_EQ(WhyOf(s.Run()), "accepted");
  route.rules[0].name = "chat";
  EXPECT_NE(WhyOf(s.Run()), "accepted");  // it has a name, and no number any more
  release.rule = "chat";
  EXPECT_EQ(WhyOf(s.Run()), "accepted");
  route.rules[0].backend_refs[0].weight = 0;
  EXPECT_EQ(WhyOf(s.Run()),
            "Invalid: spec.stable: old and new both have weight 0 in the backendRefs of rule chat "
            "of HTTPRoute default/route: there is nothing to share");
}

TEST(Releases, OnAClusterTheRouteMayStillCome) {
  Versions s;
  s.options.only_controller = false;
  AddRelease(s).route = "other";
  EXPECT_EQ(WhyOf(s.Run()), "Pending: spec.route: HTTPRoute default/other does not exist");
}

TEST(Releases, TheOlderOneHasTheRule) {
  Versions s;
  AddRelease(s, "a").meta.creation_unix_s = 20;
  AddRelease(s, "b").meta.creation_unix_s = 10;
  const Translation made = s.Run();
  EXPECT_EQ(WhyOf(made, "b"), "accepted");
  EXPECT_EQ(WhyOf(made, "a"),
            "Conflicted: spec.route: rule 0 of HTTPRoute default/route already has ModelRelease "
            "default/b");
}

TEST(Releases, OfEquallyOldOnesWhoHasTheRuleKeepsIt) {
  Versions s;
  AddRelease(s, "b");
  Translator translator(s.options, s.endpoints);
  EXPECT_EQ(translator.TranslateAll(s.resources, 1).releases.at(0).plan.name, "default/b");
  AddRelease(s, "a");
  EXPECT_EQ(translator.TranslateAll(s.resources, 2).releases.at(0).plan.name, "default/b");
  s.resources.model_releases.erase({"default", "b"});
  EXPECT_EQ(translator.TranslateAll(s.resources, 3).releases.at(0).plan.name, "default/a");
}

// Further and back, with pools that change beside it: as if all were translated anew.
TEST(Releases, AreFollowedByTheirRulesAlone) {
  Versions s;
  AddRelease(s);
  Translator translator(s.options, s.endpoints);
  const auto first = translator.TranslateAll(s.resources, 1);
  ASSERT_EQ(first.releases.size(), 1u);
  const auto sink = std::make_shared<release::SampleSink>();
  uint64_t generation = 1;
  for (const double percent : {10.0, 50.0, 0.0, 100.0}) {
    const auto inputs = std::make_shared<ReleaseInputs>(
        ReleaseInputs{{"default/release", {{100 - percent, percent, generation}, sink}},
                      {"default/gone", {{50, 50, 1}, sink}}});
    translator.SetReleases(inputs);
    const Translator::Update update = translator.Follow(s.resources, {}, ++generation);
    EXPECT_FALSE(update.whole);
    s.options.releases = inputs;
    const Translation anew = s.Run();
    const RouteRule& followed = RuleOf(*update.snapshot);
    const RouteRule& made = RuleOf(*anew.snapshot);
    EXPECT_EQ(followed.total_weight, made.total_weight);
    for (size_t i = 0; i < 2; ++i) {
      EXPECT_EQ(followed.destinations[i].weight, made.destinations[i].weight);
    }
    EXPECT_EQ(followed.release_split->window, made.release_split->window);
  }
}

TEST(Releases, TheirStatusComesBackAndMakesNothingAnew) {
  Versions s;
  ModelRelease& release = AddRelease(s);
  Translator translator(s.options, s.endpoints);
  const auto first = translator.TranslateAll(s.resources, 1);
  const auto before = std::make_shared<api::Object>(release);
  release.status = "{}";
  const std::vector<api::ObjectChange> changes = {
      {.before = before, .after = std::make_shared<api::Object>(release)}};
  const Translator::Update update = translator.Follow(s.resources, changes, 2);
  EXPECT_FALSE(update.whole);
  EXPECT_EQ(update.snapshot->listeners[0].routes, first.snapshot->listeners[0].routes);
  release.paused = true;
  const std::vector<api::ObjectChange> paused = {
      {.before = changes[0].after, .after = std::make_shared<api::Object>(release)}};
  EXPECT_TRUE(translator.Follow(s.resources, paused, 3).whole);
}

}  // namespace
}  // namespace gw
