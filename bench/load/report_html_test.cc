#include "bench/load/report_html.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"

namespace gw::bench {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Result SomeResult(const std::vector<std::string>& tenants) {
  Random random(9);
  RunRecords run;
  for (int i = 0; i < 3000; ++i) {
    Ask ask;
    ask.due = std::chrono::milliseconds(20 * i);
    const size_t tenant = random.Below(tenants.size());
    ask.tenant = tenants[tenant];
    Answer answer{.end = AnswerEnd::kComplete, .status = 200};
    answer.sent = ask.due + std::chrono::microseconds(300);
    const double wait_s = 0.05 + random.Unit() * random.Unit() * static_cast<double>(1 + tenant);
    answer.first = ask.due + Duration(static_cast<int64_t>(wait_s * 1e9));
    answer.output_tokens = static_cast<int64_t>(50 + random.Below(200));
    answer.prompt_tokens = 1000;
    answer.ended = answer.last =
        answer.first + std::chrono::milliseconds(10 + random.Below(20)) * answer.output_tokens;
    if (random.Below(50) == 0) {
      answer.end = AnswerEnd::kStatus;
      answer.error = "429 <queue_full>";
    }
    run.Add(ask, answer);
  }
  const Objectives objectives{.ttft = std::chrono::milliseconds(500)};
  return {.started = "2026-01-02T03:04:05Z",
          .command = "penstock bench --rate 50 <script>alert(1)</script>",
          .target = "127.0.0.1:8000",
          .workload = "synthetic, 50/s",
          .objectives = objectives,
          .summary = Summarize(run, objectives),
          .requests = run.records,
          .groups = run.groups};
}

size_t CountOf(const std::string& text, std::string_view part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST(ReportHtml, NeedsNothingFromAnywhereElse) {
  const std::string html = ReportHtml(SomeResult({"a", "b"}));
  for (const char* part : {"http:", "https:", "src=", "href=", "url(", "@import", "<script",
                           "<link", "<img", "<iframe", "nan", " inf"}) {
    EXPECT_THAT(html, Not(HasSubstr(part)));
  }
}

TEST(ReportHtml, WhatComesFromOutsideIsEscaped) {
  const std::string html = ReportHtml(SomeResult({"<b>a</b>", "\"b\""}));
  EXPECT_THAT(html, Not(HasSubstr("<b>")));
  EXPECT_THAT(html, HasSubstr("&lt;b&gt;a&lt;/b&gt;"));
  EXPECT_THAT(html, HasSubstr("429 &lt;queue_full&gt;"));
  EXPECT_THAT(html, HasSubstr("&lt;script&gt;alert(1)&lt;/script&gt;"));
}

TEST(ReportHtml, EveryElementIsClosed) {
  const std::string html = ReportHtml(SomeResult({"a", "b", "c"}));
  for (const std::string name : {"table", "tr", "td", "th", "div", "figure", "svg", "text", "ul",
                                 "li", "dl", "p", "style", "title", "body", "html"}) {
    const size_t opened = CountOf(html, "<" + name + ">") + CountOf(html, "<" + name + " ");
    EXPECT_EQ(opened, CountOf(html, "</" + name + ">")) << name;
  }
}

TEST(ReportHtml, HasAPlotOfEachKindByGroup) {
  const std::string one = ReportHtml(SomeResult({""}));
  EXPECT_EQ(CountOf(one, "<figure>"), 6);
  EXPECT_THAT(one, HasSubstr("<title>p99</title>"));
  const std::string two = ReportHtml(SomeResult({"first", "second"}));
  EXPECT_EQ(CountOf(two, "<figure>"), 7);
  EXPECT_EQ(CountOf(two, "<title>second</title>"), 7);
}

TEST(ReportHtml, OfManyGroupsTheLargestAreDrawn) {
  std::vector<std::string> tenants;
  for (int i = 0; i < 20; ++i) tenants.push_back("tenant" + std::to_string(i));
  EXPECT_THAT(ReportHtml(SomeResult(tenants)), HasSubstr("Drawn are the 7 largest of 20 groups."));
}

TEST(ReportHtml, WithoutRequestsThereAreTables) {
  Result result = SomeResult({""});
  result.requests.clear();
  const std::string html = ReportHtml(result);
  EXPECT_EQ(CountOf(html, "<figure>"), 0);
  EXPECT_THAT(html, HasSubstr("time to first token (TTFT)"));
  EXPECT_THAT(ReportHtml({}), HasSubstr("no plots"));
}

}  // namespace
}  // namespace gw::bench
