#include "scheduling/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gw {
namespace {

using ::testing::ElementsAre;

TEST(Registry, EveryNameMakesThePlugInOfThatName) {
  for (std::string_view name : ScorerNames()) EXPECT_EQ((*NewScorer(name))->name(), name);
  for (std::string_view name : FilterNames()) EXPECT_EQ((*NewFilter(name))->name(), name);
  for (std::string_view name : PickerNames()) EXPECT_EQ((*NewPicker(name))->name(), name);
}

TEST(Registry, AnUnknownNameIsRefusedWithTheKnownOnes) {
  const absl::Status status = NewPicker("best").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(std::string(status.message()), "no picker \"best\"; known: max-score");
  EXPECT_FALSE(NewScorer("").ok());
  EXPECT_FALSE(NewFilter("queue-depth").ok());
}

std::vector<std::pair<std::string_view, float>> WeightsOf(const Profile& profile) {
  std::vector<std::pair<std::string_view, float>> weights;
  for (const WeightedScorer& weighted : profile.scorers()) {
    weights.emplace_back(weighted.scorer->name(), weighted.weight);
  }
  return weights;
}

TEST(Registry, ProfilesHaveThePublishedWeightsPlusOurOwn) {
  using Weight = std::pair<std::string_view, float>;
  EXPECT_THAT(WeightsOf(*ProfileFor(RoutingStrategy::kDefault)),
              ElementsAre(Weight("queue-depth", 2), Weight("kv-cache-utilization", 2),
                          Weight("in-flight", 6), Weight("lora-affinity", 4)));
  EXPECT_THAT(
      WeightsOf(*ProfileFor(RoutingStrategy::kPrefixCache)),
      ElementsAre(Weight("queue-depth", 2), Weight("kv-cache-utilization", 2),
                  Weight("in-flight", 6), Weight("lora-affinity", 4), Weight("prefix-cache", 3)));
  EXPECT_THAT(WeightsOf(*LoadProfile()), ElementsAre(Weight("in-flight", 1)));
  EXPECT_EQ(ProfileFor(RoutingStrategy::kDefault)->name(), "DEFAULT");
  EXPECT_EQ(ProfileFor(RoutingStrategy::kPrefixCache)->name(), "PREFIX_CACHE");
}

}  // namespace
}  // namespace gw
