#include "bench/load/share_gpt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <sstream>

#include "bench/load/body_texts.h"
#include "bench/load/virtual_answers.h"

namespace gw::bench {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<std::vector<SharedPrompt>> Read(const std::string& text,
                                               std::optional<uint32_t> output_tokens = {}) {
  std::istringstream in(text);
  return ReadShareGpt(in, output_tokens);
}

std::string Conversation(const std::string& prompt, const std::string& answer) {
  return R"({"id": "a_0", "conversations": [{"from": "human", "value": ")" + prompt +
         R"("}, {"from": "gpt", "value": ")" + answer + R"("}, {"from": "human", "value": 7}]})";
}

TEST(ShareGpt, TheFirstTurnIsAskedAndTheSecondOneSaysHowLongTheAnswerIs) {
  const auto read =
      Read(" [\n" + Conversation("a [\\\"quoted\\\"] {pro}mpt", std::string(80, 'x')) + " ,\n" +
           Conversation(std::string(400, 'y'), "an answer of some words") + "]\n");
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->size(), 2u);
  EXPECT_EQ((*read)[0].text, "a [\"quoted\"] {pro}mpt");
  EXPECT_EQ((*read)[0].prompt_tokens, 5u);
  EXPECT_EQ((*read)[0].output_tokens, 20u);
  EXPECT_EQ((*read)[1].prompt_tokens, 100u);
  EXPECT_EQ((*read)[1].output_tokens, 5u);
}

TEST(ShareGpt, WhatVllmDropsIsDropped) {
  const std::string fine = Conversation(std::string(64, 'f'), std::string(64, 'f'));
  for (const std::string& other :
       {std::string(R"({"id": "b"})"), std::string(R"({"conversations": []})"),
        std::string(R"({"conversations": [{"from": "human", "value": "one turn and no more"}]})"),
        Conversation("short", std::string(64, 'f')), Conversation(std::string(64, 'f'), "short"),
        Conversation(std::string(4 * 1025, 'f'), std::string(64, 'f')),
        Conversation(std::string(4 * 1000, 'f'), std::string(4 * 1049, 'f')),
        Conversation(std::string(64, 'f'), "half a pair: \\ud83d, which is no character")}) {
    const auto read = Read("[" + other + "," + fine + "]");
    ASSERT_TRUE(read.ok()) << read.status();
    ASSERT_EQ(read->size(), 1u) << other;
    EXPECT_EQ((*read)[0].text, std::string(64, 'f'));
  }
  EXPECT_EQ(Read("[" + Conversation(std::string(4 * 1024, 'f'), std::string(4 * 1024, 'f')) + "]")
                ->size(),
            1u);
}

TEST(ShareGpt, ALengthThatIsGivenIsThatOfEveryAnswer) {
  const auto read = Read("[" + Conversation(std::string(64, 'f'), "yes") + "]", 9);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ((*read)[0].output_tokens, 9u);
}

TEST(ShareGpt, WhatIsNoSuchFileIsSaid) {
  const std::string fine = Conversation(std::string(64, 'f'), std::string(64, 'f'));
  for (const auto& [text, said] : std::vector<std::pair<std::string, std::string>>{
           {"", "wanted a JSON list of conversations"},
           {R"({"a": 1})", "wanted a JSON list of conversations"},
           {"[]", "wanted at least one conversation"},
           {"[" + fine + ", {\"conversations\": [", "conversation 2: the file ends in it"},
           {"[" + fine, "conversation 1: the file ends in it"},
           {"[" + fine + ", 3]", "conversation 2: wanted an object"},
           {"[nothing]", "conversation 1: wanted a JSON object"},
           {R"([{"conversations": [{"value": 1}, {"value": "a"}]}])",
            "conversation 1: conversations[0].value: wanted a text"}}) {
    const auto read = Read(text);
    ASSERT_FALSE(read.ok()) << text;
    EXPECT_THAT(std::string(read.status().message()), HasSubstr(said));
  }
}

TEST(ShareGpt, AllAreAskedInAnOrderOfTheSeedAndThenAgain) {
  std::vector<SharedPrompt> prompts;
  for (int i = 0; i < 20; ++i) prompts.push_back({"prompt " + std::to_string(i), 10, 5});
  const auto texts = [&](uint64_t seed) {
    ShareGptOptions options{.form = {.model = "m"}, .seed = seed};
    options.pace.arrivals = {.per_second = 10, .count = 40};
    auto workload = NewShareGpt(prompts, options);
    EXPECT_TRUE(workload.ok()) << workload.status();
    EXPECT_EQ((*workload)->Describe(), "sharegpt, 20 conversations, 10/s");
    std::vector<std::string> out;
    for (const Asked& asked : AnswerAll(**workload, AnswersAfter(std::chrono::seconds(1)))) {
      out.push_back(TextsOf(asked.ask.body)[0].text);
      EXPECT_EQ(OutputTokensOf(asked.ask.body), 5u);
    }
    return out;
  };
  const std::vector<std::string> first = texts(1);
  ASSERT_EQ(first.size(), 40u);
  EXPECT_EQ(std::set(first.begin(), first.begin() + 20).size(), 20u);
  EXPECT_TRUE(std::equal(first.begin(), first.begin() + 20, first.begin() + 20));
  EXPECT_NE(texts(2), first);
  EXPECT_EQ(texts(1), first);
}

}  // namespace
}  // namespace gw::bench
