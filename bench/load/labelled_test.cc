#include "bench/load/labelled.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "bench/load/fixed_prompts.h"
#include "bench/load/multi_round_qa.h"
#include "bench/load/virtual_answers.h"

namespace gw::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Fields = std::vector<std::pair<std::string, std::string>>;

constexpr uint64_t kSingles = 4000;

std::unique_ptr<LoadWorkload> Singles() {
  return *NewFixedPrompts({.form = {.model = "m"},
                           .pace = {.arrivals = {.per_second = 100, .count = kSingles}},
                           .prompt_tokens = 1});
}

std::unique_ptr<LoadWorkload> Conversations() {
  MultiRoundQaOptions options{.form = {.model = "m"}, .users = 20, .rounds = 4, .per_second = 10};
  options.system_tokens = 1;
  options.history_tokens = 1;
  options.warm_up = 0;
  options.duration = seconds(60);
  return *NewMultiRoundQa(options);
}

std::vector<Asked> RunOf(std::unique_ptr<LoadWorkload> workload, const LabelOptions& options,
                         Duration answer = seconds(1)) {
  return AnswerAll(*NewLabelled(std::move(workload), options), AnswersAfter(answer));
}

std::string ErrorOf(std::string_view text) {
  return std::string(ParseLabels(text).status().message());
}

TEST(Labelled, SingleRequestsAreDrawnByTheirWeightsAndIndependently) {
  const LabelOptions options{.tenants = {{"a", 3}, {"b", 1}},
                             .objectives = {{"critical", 0.2}, {"batch", 0.8}}};
  std::map<std::pair<std::string, std::string>, double> counts;
  for (const Asked& one : RunOf(Singles(), options)) {
    counts[{one.ask.tenant, one.ask.priority}] += 1;
  }
  ASSERT_EQ(counts.size(), 4u);
  const auto near = [&](const char* tenant, const char* objective, double share) {
    // Five standard deviations of the binomial distribution.
    const double bound = 5 * std::sqrt(kSingles * share * (1 - share));
    EXPECT_NEAR((counts[{tenant, objective}]), kSingles * share, bound) << tenant << objective;
  };
  near("a", "critical", 0.15);
  near("a", "batch", 0.6);
  near("b", "critical", 0.05);
  near("b", "batch", 0.2);
}

TEST(Labelled, HeadersSayWhatTheFieldsSay) {
  const LabelOptions options{.tenants = {{"a", 1}, {"b", 1}}, .objectives = {{"low", 1}}};
  for (const Asked& one : RunOf(Singles(), options)) {
    EXPECT_EQ(one.ask.fields, (Fields{{"x-llm-d-inference-fairness-id", one.ask.tenant},
                                      {"x-llm-d-inference-objective", "low"}}));
  }
}

TEST(Labelled, ASessionKeepsItsLabels) {
  const LabelOptions options{.tenants = {{"a", 1}, {"b", 1}},
                             .objectives = {{"critical", 1}, {"batch", 1}}};
  std::map<std::string, std::pair<std::string, std::string>> of_sessions;
  std::map<std::pair<std::string, std::string>, int> sessions;
  size_t turns = 0;
  for (const Asked& one : RunOf(Conversations(), options)) {
    const std::pair labels{one.ask.tenant, one.ask.priority};
    const auto [found, is_new] = of_sessions.try_emplace(one.ask.session, labels);
    EXPECT_EQ(found->second, labels);
    if (is_new) ++sessions[labels];
    ++turns;
    EXPECT_EQ(one.ask.fields[0].first, "x-user-id") << "other fields stay";
  }
  EXPECT_GT(turns, of_sessions.size() * 2);
  EXPECT_EQ(sessions.size(), 4u);
}

TEST(Labelled, LabelsDoNotDependOnAnswersButOnTheSeed) {
  const auto tenants = [](uint64_t seed, Duration answer) {
    std::map<std::string, std::string> of_sessions;
    for (const Asked& one :
         RunOf(Conversations(), {.tenants = {{"a", 1}, {"b", 1}}, .seed = seed}, answer)) {
      of_sessions[one.ask.session] = one.ask.tenant;
    }
    // Answers change how many sessions there are, too.
    of_sessions.erase(std::next(of_sessions.begin(), 50), of_sessions.end());
    return of_sessions;
  };
  const auto fast = tenants(1, milliseconds(100));
  for (const auto& [session, tenant] : tenants(1, milliseconds(1900))) {
    if (!fast.contains(session)) continue;
    EXPECT_EQ(fast.at(session), tenant);
  }
  EXPECT_NE(fast, tenants(2, milliseconds(100)));
}

TEST(Labelled, WithoutLabelsNothingIsChanged) {
  const std::vector<Asked> asked = RunOf(Singles(), {});
  EXPECT_EQ(asked.size(), kSingles);
  EXPECT_TRUE(asked[0].ask.tenant.empty());
  EXPECT_TRUE(asked[0].ask.priority.empty());
  EXPECT_TRUE(asked[0].ask.fields.empty());
}

TEST(Labelled, ItSaysWhatItIs) {
  const auto labelled =
      NewLabelled(Singles(), {.tenants = {{"a", 1}, {"b", 1}}, .objectives = {{"low", 1}}});
  EXPECT_EQ(labelled->Describe(), Singles()->Describe() + ", 2 tenants, 1 objectives");
  EXPECT_EQ(labelled->count(), kSingles);
}

TEST(ParseLabels, NamesHaveWeights) {
  EXPECT_EQ(*ParseLabels("a=3,b=0.5"), (std::vector<Label>{{"a", 3}, {"b", 0.5}}));
  EXPECT_EQ(*ParseLabels("a,b"), (std::vector<Label>{{"a", 1}, {"b", 1}}));
  EXPECT_EQ(*ParseLabels("team=x=2"), (std::vector<Label>{{"team=x", 2}}));
}

TEST(ParseLabels, WhatIsNoLabelIsNamed) {
  const auto wanted = [](const std::string& one) {
    return "wanted NAME=WEIGHT,... with weights above 0, got \"" + one + "\"";
  };
  EXPECT_EQ(ErrorOf(""), wanted(""));
  EXPECT_EQ(ErrorOf("a=1,"), wanted(""));
  for (const std::string one : {"=1", "a=", "a=0", "a=-1", "a=nan", "a=inf", "a=1e300", "a=x",
                                "a=1x", "a b=1", "\xc3\xa4=1", "a\r\n=1"}) {
    EXPECT_EQ(ErrorOf("c=1," + one), wanted(one));
  }
  EXPECT_EQ(ErrorOf(std::string(129, 'a')), wanted(std::string(129, 'a')));
  EXPECT_EQ(ErrorOf("a=1,b=2,a=3"), "wanted each name once, got \"a\" again");
}

}  // namespace
}  // namespace gw::bench
