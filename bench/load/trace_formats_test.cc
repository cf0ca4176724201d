#include "bench/load/trace_formats.h"

#include <gtest/gtest.h>

#include <sstream>

#include "bench/load/body_texts.h"
#include "bench/load/virtual_answers.h"

namespace gw::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr std::string_view kHead = "TIMESTAMP,ContextTokens,GeneratedTokens\n";

absl::StatusOr<std::vector<TraceRequest>> Azure(std::string_view rows,
                                                std::optional<uint64_t> count = std::nullopt) {
  std::istringstream in(std::string(kHead) + std::string(rows));
  return ReadAzureTrace(in, count);
}

absl::StatusOr<std::vector<TraceRequest>> Lmcache(const std::string& text,
                                                  std::optional<uint64_t> count = std::nullopt) {
  std::istringstream in(text);
  return ReadLmcacheTrace(in, count);
}

std::string ErrorOf(const absl::StatusOr<std::vector<TraceRequest>>& trace) {
  return std::string(trace.status().message());
}

std::vector<Asked> RunOf(std::vector<TraceRequest> trace, const TraceReplayOptions& options) {
  absl::StatusOr<std::unique_ptr<LoadWorkload>> workload =
      NewTraceReplay(std::move(trace), options);
  EXPECT_TRUE(workload.ok()) << workload.status();
  return AnswerAll(**workload, AnswersAfter(seconds(1)));
}

TEST(AzureTrace, RowsAreRequestsInTheOrderOfTheirTimes) {
  const std::vector<TraceRequest> trace = *Azure(
      "2023-11-16 23:59:59.9799600,4808,10\r\n"
      "2023-11-17 00:00:01.4799601,3180,0\r\n"
      "2023-11-16 23:59:58.9799600+00:00,110,27\r\n"
      "2023-11-16 23:59:59,1,2");
  ASSERT_EQ(trace.size(), 4u);
  EXPECT_EQ(trace[0].at, seconds(0));
  EXPECT_EQ(trace[0].prompt_tokens, 110u);
  EXPECT_EQ(trace[0].output_tokens, 27u);
  EXPECT_EQ(trace[1].at, nanoseconds(20'040'000));
  EXPECT_EQ(trace[2].at, seconds(1));
  EXPECT_EQ(trace[2].prompt_tokens, 4808u);
  EXPECT_EQ(trace[3].at, milliseconds(2500) + nanoseconds(100));
  EXPECT_EQ(trace[3].output_tokens, 1u) << "no token cannot be asked for";
}

TEST(AzureTrace, ACountIsOfRequestsNotOfLines) {
  EXPECT_EQ(Azure("2023-11-16 18:17:03,1,1\n2023-11-16 18:17:04,1,1\nbroken\n", 2)->size(), 2u);
}

TEST(AzureTrace, PromptsHaveNothingInCommon) {
  const std::string rows =
      "2023-11-16 18:17:03,100,3\n2023-11-16 18:17:04,100,3\n2023-11-16 18:17:07,100,3\n";
  const std::vector<Asked> asked = RunOf(*Azure(rows), {.form = {.model = "m"}, .speed = 2});
  ASSERT_EQ(asked.size(), 3u);
  EXPECT_EQ(asked[2].ask.due, seconds(2));
  std::vector<std::string> texts;
  for (const Asked& one : asked) {
    texts.push_back(TextsOf(one.ask.body)[0].text);
    EXPECT_EQ(texts.back().size(), 400u);
  }
  EXPECT_NE(texts[0].substr(0, 32), texts[1].substr(0, 32));
  EXPECT_NE(texts[1].substr(0, 32), texts[2].substr(0, 32));
  const std::vector<Asked> again = RunOf(*Azure(rows), {.form = {.model = "m"}, .speed = 2});
  EXPECT_EQ(again[1].ask.body, asked[1].ask.body);
}

TEST(AzureTrace, ErrorsNameTheLine) {
  std::istringstream no_head("2023-11-16 18:17:03,1,1\n");
  EXPECT_EQ(ErrorOf(ReadAzureTrace(no_head, std::nullopt)),
            "trace, line 1: wanted the head TIMESTAMP,ContextTokens,GeneratedTokens");
  EXPECT_EQ(ErrorOf(Azure("")), "trace: wanted at least one request");
  EXPECT_EQ(ErrorOf(Azure("2023-11-16 18:17:03,1,1\n\n2023-11-16 18:17:03,1\n")),
            "trace, line 4: wanted TIMESTAMP,ContextTokens,GeneratedTokens");
  EXPECT_EQ(ErrorOf(Azure("2023-11-16 18:17:03,1,1,1\n")),
            "trace, line 2: wanted TIMESTAMP,ContextTokens,GeneratedTokens");
  EXPECT_EQ(ErrorOf(Azure("2023-11-16 18:17:03,-1,1\n")),
            "trace, line 2: ContextTokens: wanted a number from 0 to 10000000, got \"-1\"");
  EXPECT_EQ(ErrorOf(Azure("2023-11-16 18:17:03,1,\n")),
            "trace, line 2: GeneratedTokens: wanted a number from 0 to 10000000, got \"\"");
  EXPECT_EQ(ErrorOf(Azure("2023-11-16 18:17:03,10000001,1\n")),
            "trace, line 2: ContextTokens: wanted a number from 0 to 10000000, got \"10000001\"");
}

TEST(AzureTrace, WhatIsNoTimeIsRefused) {
  for (const std::string time :
       {"", "7", "2023-11-16", "2023-11-16T18:17:03", "2023-13-16 18:17:03", "2023-11-16 25:17:03",
        "2023-11-16 18:17:03.", "2023-11-16 18:17:03.x", "2023-11-16 18:17:03.1 ",
        "1969-11-16 18:17:03", "9999-11-16 18:17:03"}) {
    EXPECT_EQ(
        ErrorOf(Azure(time + ",1,1\n")),
        "trace, line 2: TIMESTAMP: wanted a time such as 2023-11-16 18:17:03.9799600, got \"" +
            time + "\"");
  }
}

constexpr const char* kAgents =
    R"({"timestamp":1760995991000000,"input":"user: one","output":"12345678","session_id":"a"}
{"timestamp":1760995993500000,"input":"user: one\nassistant: two","output":"","session_id":"a"}
{"timestamp":1760995992000000,"input":"user: \u00e9","output":"\u00e9\u00e9\u00e9","session_id":"b"}
)";

TEST(LmcacheTrace, TextsAreSentAsTheyAre) {
  const std::vector<Asked> asked = RunOf(*Lmcache(kAgents), {.form = {.model = "m"}, .speed = 0.5});
  ASSERT_EQ(asked.size(), 3u);
  EXPECT_EQ(asked[0].ask.due, seconds(0));
  EXPECT_EQ(asked[1].ask.due, seconds(2));
  EXPECT_EQ(asked[2].ask.due, seconds(5));
  EXPECT_EQ(TextsOf(asked[0].ask.body), (std::vector<BodyText>{{"user", "user: one"}}));
  EXPECT_EQ(TextsOf(asked[2].ask.body),
            (std::vector<BodyText>{{"user", "user: one\nassistant: two"}}));
  EXPECT_EQ(OutputTokensOf(asked[0].ask.body), 2u);
  EXPECT_EQ(OutputTokensOf(asked[1].ask.body), 1u) << "characters, not bytes";
  EXPECT_EQ(OutputTokensOf(asked[2].ask.body), 1u) << "no token cannot be asked for";
  EXPECT_EQ(asked[2].ask.prompt_tokens, 6u);
}

TEST(LmcacheTrace, AnEmptyInputBecomesAToken) {
  const std::vector<Asked> asked =
      RunOf(*Lmcache(R"({"timestamp":1,"input":"","output":"b","session_id":"c"})"),
            {.form = {.model = "m"}});
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(TextsOf(asked[0].ask.body)[0].text.size(), 4u);
}

TEST(LmcacheTrace, TurnsOfASessionAreNumbered) {
  const std::vector<TraceRequest> trace = *Lmcache(kAgents);
  EXPECT_EQ(trace[1].session, "b");
  EXPECT_EQ(trace[1].turn, 0u);
  EXPECT_EQ(trace[2].session, "a");
  EXPECT_EQ(trace[2].turn, 1u);
  EXPECT_EQ(Lmcache(kAgents, 1)->size(), 1u);
}

TEST(LmcacheTrace, ErrorsNameTheLine) {
  EXPECT_EQ(ErrorOf(Lmcache("")), "trace: wanted at least one request");
  EXPECT_EQ(ErrorOf(Lmcache(std::string(kAgents) + "{")), "trace, line 4: wanted a JSON object");
  EXPECT_EQ(ErrorOf(Lmcache("[]")), "trace, line 1: wanted a JSON object");
  EXPECT_EQ(ErrorOf(Lmcache(R"({"timestamp":-1,"input":"a","output":"b","session_id":"c"})")),
            "trace, line 1: timestamp: wanted microseconds from 0 on");
  EXPECT_EQ(ErrorOf(Lmcache(
                R"({"timestamp":10000000000000000,"input":"a","output":"b","session_id":"c"})")),
            "trace, line 1: timestamp: wanted microseconds from 0 on");
  EXPECT_EQ(ErrorOf(Lmcache(R"({"timestamp":1,"input":7,"output":"b","session_id":"c"})")),
            "trace, line 1: input: wanted a text");
  EXPECT_EQ(ErrorOf(Lmcache(R"({"timestamp":1,"input":"a","session_id":"c"})")),
            "trace, line 1: output: wanted a text");
  EXPECT_EQ(ErrorOf(Lmcache(R"({"timestamp":1,"input":"a","output":"b","session_id":7})")),
            "trace, line 1: session_id: wanted a text");
}

}  // namespace
}  // namespace gw::bench
