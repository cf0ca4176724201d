#include "bench/load/fixed_prompts.h"

#include <gtest/gtest.h>

#include <set>

#include "bench/load/body_texts.h"
#include "bench/load/virtual_answers.h"

namespace gw::bench {
namespace {

using std::chrono::seconds;

FixedPromptsOptions Options() {
  return {.form = {.model = "m"},
          .pace = {.arrivals = {.per_second = 10, .count = 500}},
          .prompt_tokens = 100,
          .output_tokens = 20};
}

std::vector<Asked> RunOf(const FixedPromptsOptions& options) {
  absl::StatusOr<std::unique_ptr<LoadWorkload>> workload = NewFixedPrompts(options);
  EXPECT_TRUE(workload.ok()) << workload.status();
  return AnswerAll(**workload, AnswersAfter(seconds(2)));
}

std::string ErrorOf(const FixedPromptsOptions& options) {
  return std::string(NewFixedPrompts(options).status().message());
}

TEST(FixedPrompts, TheyAreAsLongAsWantedAndHaveNothingInCommon) {
  std::set<std::string> beginnings;
  uint64_t id = 0;
  for (const Asked& one : RunOf(Options())) {
    const std::vector<BodyText> texts = TextsOf(one.ask.body);
    ASSERT_EQ(texts.size(), 1u);
    EXPECT_EQ(texts[0].role, "user");
    EXPECT_EQ(texts[0].text.size(), 400u);
    EXPECT_EQ(OutputTokensOf(one.ask.body), 20u);
    EXPECT_EQ(one.ask.prompt_tokens, 100u);
    EXPECT_EQ(one.ask.output_tokens, 20u);
    EXPECT_EQ(one.ask.id, id++);
    beginnings.insert(texts[0].text.substr(0, 64));
  }
  EXPECT_EQ(beginnings.size(), 500u);
}

TEST(FixedPrompts, ARangeIsUsedEvenlyAndToItsEnds) {
  FixedPromptsOptions options = Options();
  options.range_ratio = 0.2;
  options.pace.arrivals.count = 4000;
  double prompt = 0;
  std::set<uint32_t> prompts;
  std::set<uint32_t> outputs;
  for (const Asked& one : RunOf(options)) {
    EXPECT_EQ(TextsOf(one.ask.body)[0].text.size(), one.ask.prompt_tokens * 4);
    EXPECT_EQ(OutputTokensOf(one.ask.body), one.ask.output_tokens);
    prompt += one.ask.prompt_tokens;
    prompts.insert(one.ask.prompt_tokens);
    outputs.insert(one.ask.output_tokens);
  }
  EXPECT_NEAR(prompt / 4000, 100, 0.8);
  EXPECT_EQ(prompts.size(), 41u);
  EXPECT_EQ(*prompts.begin(), 80u);
  EXPECT_EQ(*outputs.begin(), 16u);
  EXPECT_EQ(*outputs.rbegin(), 24u);
}

TEST(FixedPrompts, ASeedIsARun) {
  const std::vector<Asked> one = RunOf(Options());
  const std::vector<Asked> same = RunOf(Options());
  FixedPromptsOptions options = Options();
  options.seed = 2;
  const std::vector<Asked> other = RunOf(options);
  for (size_t i = 0; i < one.size(); ++i) {
    EXPECT_EQ(one[i].ask.body, same[i].ask.body);
    EXPECT_EQ(one[i].ask.due, same[i].ask.due);
    EXPECT_NE(one[i].ask.body, other[i].ask.body);
  }
}

TEST(FixedPrompts, AClosedLoopHasSoManyInFlight) {
  FixedPromptsOptions options = Options();
  options.pace = {.arrivals = {.count = 12}, .concurrency = 4};
  const std::vector<Asked> asked = RunOf(options);
  ASSERT_EQ(asked.size(), 12u);
  for (size_t i = 0; i < 12; ++i) EXPECT_EQ(asked[i].ask.due, seconds(2) * (i / 4)) << i;
}

TEST(FixedPrompts, OptionsNameWhatIsWrongWithThem) {
  FixedPromptsOptions options = Options();
  options.form.model = "";
  EXPECT_EQ(ErrorOf(options), "--model: wanted a name");
  options = Options();
  options.prompt_tokens = 0;
  EXPECT_EQ(ErrorOf(options), "--prompt-tokens: wanted 1 to 10000000");
  options = Options();
  options.output_tokens = 0;
  EXPECT_EQ(ErrorOf(options), "--output-tokens: wanted 1 to 10000000");
  options = Options();
  options.range_ratio = 1;
  EXPECT_EQ(ErrorOf(options), "--range-ratio: wanted 0 or more, and below 1");
  options = Options();
  options.pace.arrivals.per_second = -1;
  EXPECT_EQ(ErrorOf(options), "--rate: wanted a number above 0");
}

TEST(FixedPrompts, TheySayWhatTheyAre) {
  EXPECT_EQ((*NewFixedPrompts(Options()))->Describe(),
            "random, 100 prompt and 20 output tokens, 10/s");
}

}  // namespace
}  // namespace gw::bench
