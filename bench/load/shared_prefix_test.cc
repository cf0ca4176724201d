#include "bench/load/shared_prefix.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "bench/load/body_texts.h"
#include "bench/load/virtual_answers.h"

namespace gw::bench {
namespace {

using std::chrono::seconds;

SharedPrefixOptions Options() {
  return {.form = {.model = "m"},
          .pace = {.arrivals = {.per_second = 10, .count = 120}},
          .groups = 15,
          .prompts_per_group = 4,
          .system_tokens = 60,
          .question_tokens = 12,
          .output_tokens = 10};
}

std::vector<Asked> RunOf(const SharedPrefixOptions& options) {
  absl::StatusOr<std::unique_ptr<LoadWorkload>> workload = NewSharedPrefix(options);
  EXPECT_TRUE(workload.ok()) << workload.status();
  return AnswerAll(**workload, AnswersAfter(seconds(1)));
}

TEST(SharedPrefix, PromptsOfAGroupShareTheSystemPromptAndNothingElse) {
  std::map<std::string, std::set<std::string>> questions;  // by system prompt
  std::map<std::string, std::string> systems;              // by session
  for (const Asked& one : RunOf(Options())) {
    const std::vector<BodyText> texts = TextsOf(one.ask.body);
    ASSERT_EQ(texts.size(), 2u);
    EXPECT_EQ(texts[0].role, "system");
    EXPECT_EQ(texts[0].text.size(), 240u);
    EXPECT_EQ(texts[1].role, "user");
    EXPECT_EQ(texts[1].text.size(), 48u);
    EXPECT_EQ(OutputTokensOf(one.ask.body), 10u);
    EXPECT_EQ(one.ask.prompt_tokens, 72u);
    questions[texts[0].text].insert(texts[1].text);
    EXPECT_EQ(systems.try_emplace(one.ask.session, texts[0].text).first->second, texts[0].text);
  }
  EXPECT_EQ(systems.size(), 15u);
  ASSERT_EQ(questions.size(), 15u);
  std::set<std::string> all;
  for (const auto& [system, of_group] : questions) {
    EXPECT_EQ(of_group.size(), 4u);
    all.insert(of_group.begin(), of_group.end());
  }
  EXPECT_EQ(all.size(), 60u);
}

TEST(SharedPrefix, EachPromptComesBackAfterAllOthers) {
  const std::vector<Asked> asked = RunOf(Options());
  ASSERT_EQ(asked.size(), 120u);
  size_t in_order = 0;
  for (size_t i = 0; i < 60; ++i) {
    EXPECT_EQ(asked[i].ask.body, asked[i + 60].ask.body);
    if (asked[i].ask.session == asked[i + 1].ask.session) ++in_order;
  }
  EXPECT_LT(in_order, 15u) << "they are shuffled";
}

TEST(SharedPrefix, ASeedIsARun) {
  SharedPrefixOptions options = Options();
  const std::vector<Asked> one = RunOf(options);
  const std::vector<Asked> same = RunOf(options);
  options.seed = 2;
  const std::vector<Asked> other = RunOf(options);
  for (size_t i = 0; i < one.size(); ++i) {
    EXPECT_EQ(one[i].ask.body, same[i].ask.body);
    EXPECT_EQ(one[i].ask.due, same[i].ask.due);
    EXPECT_NE(TextsOf(one[i].ask.body)[0].text, TextsOf(other[i].ask.body)[0].text);
  }
}

TEST(SharedPrefix, ALadderGoesThroughItsRates) {
  SharedPrefixOptions options = Options();
  options.pace.arrivals = {.ladder = *ParseLadder("3x20,60x20")};
  size_t slow = 0;
  size_t fast = 0;
  for (const Asked& one : RunOf(options)) ++(one.ask.due < seconds(20) ? slow : fast);
  EXPECT_NEAR(static_cast<double>(slow), 60, 28);
  EXPECT_NEAR(static_cast<double>(fast), 1200, 125);
}

TEST(SharedPrefix, ACompletionIsBothInOne) {
  SharedPrefixOptions options = Options();
  options.form.api = ApiKind::kCompletions;
  for (const Asked& one : RunOf(options)) {
    EXPECT_EQ(one.ask.api, ApiKind::kCompletions);
    EXPECT_NE(one.ask.body.find("\"prompt\":\""), std::string::npos);
  }
}

TEST(SharedPrefix, OptionsNameWhatIsWrongWithThem) {
  const auto error_of = [](auto change) {
    SharedPrefixOptions options = Options();
    change(options);
    return std::string(NewSharedPrefix(options).status().message());
  };
  EXPECT_EQ(error_of([](auto& o) { o.groups = 0; }), "--groups: wanted a number above 0");
  EXPECT_EQ(error_of([](auto& o) { o.prompts_per_group = 0; }),
            "--prompts-per-group: wanted a number above 0");
  EXPECT_EQ(error_of([](auto& o) { o.groups = 4'000'000'000; }),
            "--groups: wanted at most 10000000 prompts in all");
  EXPECT_EQ(error_of([](auto& o) { o.question_tokens = 0; }),
            "--question-tokens: wanted 1 to 10000000");
  EXPECT_EQ(error_of([](auto& o) { o.output_tokens = 0; }),
            "--output-tokens: wanted 1 to 10000000");
  EXPECT_EQ(error_of([](auto& o) { o.system_tokens = 10'000'001; }),
            "--system-tokens: wanted at most 10000000");
  EXPECT_EQ(error_of([](auto& o) { o.system_tokens = 0; }), "");
}

TEST(SharedPrefix, ItSaysWhatItIs) {
  EXPECT_EQ((*NewSharedPrefix(Options()))->Describe(),
            "shared-prefix, 15 groups of 4 prompts, 60 + 12 prompt and 10 output tokens, 10/s");
}

}  // namespace
}  // namespace gw::bench
