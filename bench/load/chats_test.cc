#include "bench/load/chats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "bench/load/body_texts.h"
#include "bench/load/virtual_answers.h"

namespace gw::bench {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::StartsWith;

ChatsOptions Small() {
  return {.form = {.model = "m"},
          .per_second = 2,
          .rounds = 3,
          .gap = seconds(5),
          .system_tokens = 10,
          .question_tokens = 4,
          .output_tokens = 2,
          .lasts = seconds(60),
          .seed = 7};
}

std::vector<Asked> AskAll(const ChatsOptions& options) {
  const auto workload = NewChats(options);
  EXPECT_TRUE(workload.ok());
  return AnswerAll(**workload, [](const Ask& ask) {
    VirtualAnswer said{.after = seconds(1), .answer = {.end = AnswerEnd::kComplete}};
    if (ask.wants_text) said.answer.text = "so much";
    return said;
  });
}

TEST(Chats, EachRoundComesAGapAfterTheAnswerBeforeIt) {
  std::map<std::string, std::vector<Asked>> chats;
  for (const Asked& one : AskAll(Small())) chats[one.ask.session].push_back(one);
  ASSERT_GT(chats.size(), 20u) << "40 are expected in a minute";
  for (const auto& [session, rounds] : chats) {
    ASSERT_EQ(rounds.size(), 3u) << session;
    for (size_t i = 0; i < 3; ++i) {
      EXPECT_EQ(rounds[i].ask.turn, i);
      EXPECT_EQ(rounds[i].ask.prompt_tokens, 10 + 4 * (i + 1) + 2 * i);
      EXPECT_EQ(rounds[i].ask.wants_text, i < 2);
      if (i > 0) {
        EXPECT_EQ(rounds[i].ask.due, rounds[i - 1].ended + seconds(5));
      }
    }
  }
}

TEST(Chats, APromptIsAllThatWasSaid) {
  std::vector<std::vector<BodyText>> bodies;
  for (const Asked& one : AskAll(Small())) {
    if (one.ask.session == "0") bodies.push_back(TextsOf(one.ask.body));
  }
  ASSERT_EQ(bodies.size(), 3u);
  EXPECT_EQ(bodies[0].size(), 2u) << "system and question";
  ASSERT_EQ(bodies[1].size(), 4u);
  EXPECT_EQ(bodies[1][0], bodies[0][0]);
  EXPECT_EQ(bodies[1][1], bodies[0][1]);
  EXPECT_EQ(bodies[1][2], (BodyText{"assistant", "so much"}));
  EXPECT_NE(bodies[1][3], bodies[0][1]);
}

TEST(Chats, ChatsShareTheSystemPromptAndNothingElse) {
  std::vector<std::vector<BodyText>> firsts;
  for (const Asked& one : AskAll(Small())) {
    if (one.ask.turn == 0) firsts.push_back(TextsOf(one.ask.body));
  }
  EXPECT_EQ(firsts[0][0], firsts[1][0]);
  EXPECT_NE(firsts[0][1], firsts[1][1]);
}

TEST(Chats, SeedsAreOtherChatsAndTheSameOneIsTheSame) {
  const std::vector<Asked> a = AskAll(Small());
  const std::vector<Asked> again = AskAll(Small());
  ASSERT_EQ(a.size(), again.size());
  EXPECT_EQ(a[5].ask.body, again[5].ask.body);
  EXPECT_EQ(a[5].ask.due, again[5].ask.due);
  ChatsOptions other = Small();
  other.seed = 8;
  EXPECT_NE(AskAll(other)[0].ask.body, a[0].ask.body);
}

TEST(Chats, AFailedAnswerEndsItsChat) {
  const auto workload = NewChats(Small());
  const std::vector<Asked> asked = AnswerAll(**workload, [](const Ask&) {
    return VirtualAnswer{.after = seconds(1), .answer = {.end = AnswerEnd::kBroken}};
  });
  for (const Asked& one : asked) EXPECT_EQ(one.ask.turn, 0u);
}

TEST(Chats, RefusesWhatMakesNoSense) {
  ChatsOptions options = Small();
  options.rounds = 0;
  EXPECT_FALSE(NewChats(options).ok());
  options = Small();
  options.per_second = 0;
  EXPECT_FALSE(NewChats(options).ok());
  options = Small();
  options.output_tokens = 0;
  EXPECT_FALSE(NewChats(options).ok());
}

}  // namespace
}  // namespace gw::bench
