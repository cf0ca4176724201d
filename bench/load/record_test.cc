#include "bench/load/record.h"

#include <gtest/gtest.h>

namespace gw::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Answer Complete() {
  return {.end = AnswerEnd::kComplete,
          .status = 200,
          .sent = milliseconds(1010),
          .first = milliseconds(1200),
          .last = milliseconds(2190),
          .ended = milliseconds(2200),
          .events = 6,
          .prompt_tokens = 100,
          .output_tokens = 11};
}

Ask At(Duration due) {
  Ask ask;
  ask.due = due;
  return ask;
}

TEST(RunRecords, LatencyCountsFromWhenItWasDue) {
  RunRecords run;
  run.Add(At(seconds(1)), Complete());
  ASSERT_EQ(run.records.size(), 1);
  const Record& record = run.records[0];
  EXPECT_EQ(record.ttft(), milliseconds(200));
  EXPECT_EQ(record.e2e(), milliseconds(1200));
  EXPECT_EQ(record.tpot(), milliseconds(100));
  EXPECT_EQ(run.lateness.max(), milliseconds(10));
  EXPECT_EQ(run.length, milliseconds(2200));
  EXPECT_TRUE(run.errors.empty());
}

TEST(RunRecords, OneTokenHasNoTimeBetweenTokens) {
  Answer answer = Complete();
  answer.output_tokens = 1;
  RunRecords run;
  run.Add(At(seconds(1)), answer);
  EXPECT_EQ(run.records[0].tpot(), Duration(0));
}

TEST(RunRecords, TokensThatAreNotReportedAreThoseOfTheWorkloadAndTheEvents) {
  Answer answer = Complete();
  answer.prompt_tokens = -1;
  answer.output_tokens = -1;
  Ask ask = At(seconds(1));
  RunRecords run;
  run.Add(ask, answer);
  ask.prompt_tokens = 90;
  run.Add(ask, answer);
  EXPECT_EQ(run.records[0].prompt_tokens, -1);
  EXPECT_EQ(run.records[0].output_tokens, 6);
  EXPECT_EQ(run.records[1].prompt_tokens, 90);
}

TEST(RunRecords, WarmUpIsCountedAndLeftOut) {
  Ask ask = At(seconds(1));
  ask.counts = false;
  RunRecords run;
  run.Add(ask, {.end = AnswerEnd::kTimeout, .ended = seconds(9)});
  EXPECT_EQ(run.warm_up, 1);
  EXPECT_TRUE(run.records.empty());
  EXPECT_TRUE(run.errors.empty());
  EXPECT_EQ(run.length, Duration(0));
}

TEST(RunRecords, ErrorsAreCountedByWhatIsKnownOfThem) {
  RunRecords run;
  run.Add(At(seconds(1)), {.end = AnswerEnd::kStatus, .status = 429, .error = "429 queue_full"});
  run.Add(At(seconds(1)), {.end = AnswerEnd::kStatus, .status = 429, .error = "429 queue_full"});
  run.Add(At(seconds(1)), {.end = AnswerEnd::kUnfinished});
  EXPECT_EQ(run.errors,
            (std::map<std::string, uint64_t>{{"429 queue_full", 2}, {"unfinished", 1}}));
  EXPECT_EQ(run.lateness.count(), 0) << "none was sent";
}

TEST(RunRecords, GroupsAndSessionsAreNumberedAsTheyCome) {
  RunRecords run;
  const auto add = [&](const char* tenant, const char* priority, const char* session) {
    Ask ask = At(seconds(1));
    ask.tenant = tenant;
    ask.priority = priority;
    ask.session = session;
    run.Add(ask, Complete());
    const Record& record = run.records.back();
    return std::pair<int, int>(record.group, record.session);
  };
  EXPECT_EQ(add("", "", ""), std::pair(0, 0));
  EXPECT_EQ(add("a", "high", "s1"), std::pair(1, 1));
  EXPECT_EQ(add("a", "low", "s2"), std::pair(2, 2));
  EXPECT_EQ(add("a", "high", "s1"), std::pair(1, 1));
  EXPECT_EQ(run.groups, (std::vector<RecordGroup>{{"", ""}, {"a", "high"}, {"a", "low"}}));
}

TEST(RunRecords, NamesWithoutEndAreGatheredUnderOther) {
  RunRecords run;
  for (int i = 0; i < 1000; ++i) {
    Ask ask = At(seconds(1));
    ask.tenant = std::to_string(i);
    run.Add(ask, {.end = AnswerEnd::kBroken, .error = std::to_string(i)});
  }
  EXPECT_EQ(run.groups.size(), RunRecords::kGroupsMax + 1);
  EXPECT_EQ(run.groups[run.records.back().group].tenant, "(other)");
  EXPECT_EQ(run.errors.size(), RunRecords::kErrorsMax + 1);
  EXPECT_EQ(run.errors["(other)"], 1000 - RunRecords::kErrorsMax);
}

TEST(RunRecords, ARunThatCameBehindIsCountedOnFromTheFirst) {
  const auto ask = [](Duration due, const char* tenant, const char* session) {
    Ask made;
    made.due = due;
    made.tenant = tenant;
    made.session = session;
    return made;
  };
  Answer answer{.end = AnswerEnd::kComplete, .status = 200};
  answer.sent = std::chrono::seconds(1);
  answer.first = std::chrono::seconds(2);
  answer.last = answer.ended = std::chrono::seconds(3);
  RunRecords all;
  all.Add(ask(std::chrono::seconds(1), "a", "s"), answer);
  RunRecords next;
  next.Add(ask(std::chrono::seconds(1), "b", "s"), answer);
  next.Add(ask(std::chrono::seconds(1), "a", ""), {.end = AnswerEnd::kConnect, .error = "refused"});
  next.gaps.Add(std::chrono::milliseconds(5));
  all.Append(next);
  ASSERT_EQ(all.records.size(), 3u);
  EXPECT_EQ(all.records[1].due, std::chrono::seconds(4));
  EXPECT_EQ(all.records[1].ttft(), next.records[0].ttft());
  EXPECT_EQ(all.records[1].e2e(), next.records[0].e2e());
  EXPECT_EQ(all.groups[all.records[1].group].tenant, "b");
  EXPECT_EQ(all.records[1].session, 2u) << "another one, of the same name";
  EXPECT_EQ(all.records[2].group, all.records[0].group);
  EXPECT_EQ(all.records[2].session, 0u);
  EXPECT_FALSE(all.records[2].has_output());
  EXPECT_EQ(all.records[2].sent, Duration(0)) << "it was never sent";
  EXPECT_EQ(all.errors.at("refused"), 1u);
  EXPECT_EQ(all.gaps.count(), 1u);
  EXPECT_EQ(all.length, std::chrono::seconds(6));
}

}  // namespace
}  // namespace gw::bench
