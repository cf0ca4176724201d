#include "routing/model_table.h"

#include <gtest/gtest.h>

#include <map>

namespace gw {
namespace {

TEST(ModelTable, WithoutBindingsTakesAnyName) {
  const ModelTable table;
  EXPECT_TRUE(table.takes_any_name());
  EXPECT_EQ(table.Find("qwen"), nullptr);
  EXPECT_TRUE(table.names().empty());
}

TEST(ModelTable, FindsBindingsByTheirExactName) {
  const ModelTable table({{.requested_model = "qwen", .criticality = Criticality::kCritical},
                          {.requested_model = "/models/Llama"}});
  EXPECT_FALSE(table.takes_any_name());
  ASSERT_NE(table.Find("qwen"), nullptr);
  EXPECT_EQ(table.Find("qwen")->criticality, Criticality::kCritical);
  ASSERT_NE(table.Find("/models/Llama"), nullptr);
  EXPECT_EQ(table.Find("/models/Llama")->criticality, Criticality::kStandard);
  EXPECT_EQ(table.Find("Qwen"), nullptr);
  EXPECT_EQ(table.Find(""), nullptr);
  EXPECT_EQ(table.names(), (std::vector<std::string>{"qwen", "/models/Llama"}));
}

TEST(ModelBinding, WithoutTargetsKeepsTheRequestedName) {
  Random random(1);
  const ModelBinding binding{.requested_model = "qwen"};
  EXPECT_EQ(binding.Choose(random), "qwen");
}

TEST(ModelBinding, ChoosesTargetsByWeight) {
  Random random(7);
  const ModelBinding binding{.requested_model = "qwen",
                             .targets = {{"old", 1}, {"new", 3}, {"never", 0}}};
  std::map<std::string, int> draws;
  for (int i = 0; i < 40000; ++i) ++draws[binding.Choose(random)];
  EXPECT_EQ(draws.count("never"), 0u);
  // 10000 expected, standard deviation 87.
  EXPECT_GT(draws["old"], 9600);
  EXPECT_LT(draws["old"], 10400);
  EXPECT_EQ(draws["old"] + draws["new"], 40000);
}

TEST(ModelRewrites, TheExactNameGoesBeforeAnyNameAndTheFirstRuleBeforeTheNext) {
  ModelRewrites rewrites;
  EXPECT_TRUE(rewrites.empty());
  EXPECT_EQ(rewrites.Find("qwen"), nullptr);
  EXPECT_TRUE(rewrites.Add("qwen", {{"first", 1}}));
  EXPECT_FALSE(rewrites.Add("qwen", {{"second", 1}}));
  EXPECT_EQ(rewrites.Find("qwen")->front().name, "first");
  EXPECT_EQ(rewrites.Find("other"), nullptr);
  EXPECT_TRUE(rewrites.AddForAnyName({{"any", 1}}));
  EXPECT_FALSE(rewrites.AddForAnyName({{"late", 1}}));
  EXPECT_EQ(rewrites.Find("other")->front().name, "any");
  EXPECT_EQ(rewrites.Find("qwen")->front().name, "first");
  EXPECT_FALSE(rewrites.empty());
}

}  // namespace
}  // namespace gw
