#include "bench/load/report_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_split.h"

namespace gw::bench {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::Not;

RunRecords TwoTenants() {
  RunRecords run;
  for (int i = 0; i < 100; ++i) {
    Ask ask;
    ask.due = milliseconds(100 * i);
    ask.tenant = i % 2 == 0 ? "blue" : "green";
    Answer answer{.end = AnswerEnd::kComplete, .status = 200};
    answer.sent = ask.due + milliseconds(1);
    answer.first = ask.due + milliseconds(200 + i);
    answer.last = answer.ended = answer.first + milliseconds(1000);
    answer.output_tokens = 101;
    answer.prompt_tokens = 1000;
    answer.cached_tokens = 250;
    run.Add(ask, answer);
  }
  return run;
}

Result ResultOf(const RunRecords& run, const Objectives& objectives = {}) {
  return {.target = "http://127.0.0.1:8000",
          .workload = "synthetic, 10/s",
          .objectives = objectives,
          .summary = Summarize(run, objectives)};
}

TEST(FigureText, HasThreeDigitsThatCount) {
  EXPECT_EQ(FigureText(Distribution::kNone), "-");
  EXPECT_EQ(FigureText(0), "0");
  EXPECT_EQ(FigureText(0.01234), "0.0123");
  EXPECT_EQ(FigureText(0.1234), "0.123");
  EXPECT_EQ(FigureText(0.9999), "1.00");
  EXPECT_EQ(FigureText(9.999), "10.0");
  EXPECT_EQ(FigureText(99.99), "100");
  EXPECT_EQ(FigureText(123.4), "123");
  EXPECT_EQ(FigureText(1234.5), "1,234");
  EXPECT_EQ(FigureText(12345678), "12,345,678");
  EXPECT_EQ(FigureText(-1234.0), "-1,234");
  EXPECT_EQ(FigureText(-123.0), "-123");
}

TEST(ReportText, HasAllFiguresAndGroups) {
  const std::string text = ReportText(ResultOf(TwoTenants(), {.ttft = milliseconds(249)}));
  EXPECT_THAT(text, HasSubstr("requests   100 asked, 100 completed, 0 failed in 11.2 s\n"));
  EXPECT_THAT(text, HasSubstr("8.93 requests/s, 8,929 prompt tokens/s, 902 output tokens/s"));
  EXPECT_THAT(text, HasSubstr("tokens     100000 of prompts (25.0 % cached), 10100 of output"));
  EXPECT_THAT(text, HasSubstr("4.46 requests/s, 50.0 % of all asked (TTFT <= 249 ms)"));
  EXPECT_THAT(text, HasSubstr("\nTTFT                     249         250         289"));
  EXPECT_THAT(text, HasSubstr("\nblue                       50       0"));
  EXPECT_THAT(text, HasSubstr("\ngreen                      50       0"));
  EXPECT_THAT(text, Not(HasSubstr("failed  as")));
  EXPECT_THAT(text, Not(HasSubstr("generator itself")));
}

TEST(ReportText, SaysWhenTheGeneratorWasLate) {
  RunRecords run = TwoTenants();
  run.lateness.AddMany(milliseconds(80), 10);
  EXPECT_THAT(ReportText(ResultOf(run)), HasSubstr("1 % of the requests were sent 80"));
}

TEST(ReportText, WhatOthersWroteIsPrintableAndFits) {
  RunRecords run = TwoTenants();
  Ask ask;
  ask.tenant = "\x1b[2J" + std::string(300, 'x');
  for (int i = 0; i < 15; ++i) {
    run.Add(ask, {.end = AnswerEnd::kStatus,
                  .status = 500,
                  .error = "500 " + std::to_string(i) + "\n" + std::string(500, 'e')});
  }
  const std::string text = ReportText(ResultOf(run, {.ttft = milliseconds(1)}));
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  EXPECT_THAT(text, HasSubstr("     5  5 other kinds\n"));
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    EXPECT_LE(line.size(), 100) << std::string(line);
  }
}

TEST(ReportText, NothingMeasuredIsADash) {
  EXPECT_THAT(ReportText({}), HasSubstr("TTFT                       -           -"));
}

}  // namespace
}  // namespace gw::bench
