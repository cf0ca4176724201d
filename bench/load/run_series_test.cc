#include "bench/load/run_series.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "base/random.h"

namespace gw::bench {
namespace {

using std::chrono::seconds;

Record Of(double sent_s, double first_s, double ended_s, int64_t tokens, uint16_t group = 0) {
  const auto time = [](double s) { return Duration(std::llround(s * 1e9)); };
  Record record;
  record.due = record.sent = time(sent_s);
  record.first = time(first_s);
  record.ended = record.last = time(ended_s);
  record.output_tokens = tokens;
  record.end = AnswerEnd::kComplete;
  record.group = group;
  return record;
}

TEST(RunSeries, OfNothingIsEmpty) {
  const RunSeries run = SeriesOf({}, 7);
  EXPECT_EQ(run.groups, 0);
  for (const GroupSeries& series : run.series) EXPECT_EQ(series.requests, 0);
}

TEST(RunSeries, TokensAreSpreadAndRequestsCountWhereTheyEnd) {
  // 100 s: bins of one second.
  Result result;
  result.requests = {Of(10, 10.5, 12.5, 200), Of(20, 21, 100, 1)};
  const RunSeries run = SeriesOf(result, 7);
  EXPECT_DOUBLE_EQ(run.bin_s, 1);
  ASSERT_EQ(run.mids_s.size(), 100);
  EXPECT_DOUBLE_EQ(run.mids_s[10], 10.5);
  ASSERT_EQ(run.series.size(), 1);
  const GroupSeries& all = run.series[0];
  EXPECT_NEAR(all.output_tokens_per_s[10], 50, 1e-6);
  EXPECT_NEAR(all.output_tokens_per_s[11], 100, 1e-6);
  EXPECT_NEAR(all.output_tokens_per_s[12], 50, 1e-6);
  EXPECT_NEAR(all.in_flight[11], 1, 1e-6);
  EXPECT_NEAR(all.in_flight[12], 0.5, 1e-6);
  EXPECT_NEAR(all.in_flight[15], 0, 1e-6);
  EXPECT_NEAR(all.in_flight[50], 1, 1e-6);
  EXPECT_DOUBLE_EQ(all.requests_per_s[12], 1);
  EXPECT_NEAR(all.ttft_p50_ms[10], 500, 1e-6);
  EXPECT_TRUE(std::isnan(all.ttft_p50_ms[11]));
}

TEST(RunSeries, AsMuchIsInTheBinsAsInTheRequests) {
  Random random(5);
  Result result;
  double tokens = 0;
  double in_flight_s = 0;
  double span_s = 0;
  for (int i = 0; i < 500; ++i) {
    const double sent_s = random.Unit() * 30 + 0.001;
    const double first_s = sent_s + random.Unit();
    const double ended_s = first_s + random.Unit() * 7;
    const auto count = static_cast<int64_t>(random.Below(1000));
    result.requests.push_back(Of(sent_s, first_s, ended_s, count));
    tokens += static_cast<double>(count);
    in_flight_s += ended_s - sent_s;
    span_s = std::max(span_s, ended_s);
  }
  const RunSeries run = SeriesOf(result, 7);
  const GroupSeries& all = run.series[0];
  double tokens_found = 0;
  double in_flight_found = 0;
  for (size_t i = 0; i < run.mids_s.size(); ++i) {
    const double length = std::min(run.bin_s, span_s - static_cast<double>(i) * run.bin_s);
    tokens_found += all.output_tokens_per_s[i] * length;
    in_flight_found += all.in_flight[i] * length;
  }
  EXPECT_NEAR(tokens_found, tokens, tokens * 1e-6);
  EXPECT_NEAR(in_flight_found, in_flight_s, in_flight_s * 1e-6);
  EXPECT_LE(run.mids_s.size(), RunSeries::kBinsMax);
}

TEST(RunSeries, TheLargestGroupsAreKept) {
  Result result;
  result.groups = {{"", ""}, {"small", ""}, {"large", ""}, {"middle", ""}};
  for (int i = 0; i < 6; ++i) result.requests.push_back(Of(1, 2, 3, 4, 2));
  for (int i = 0; i < 3; ++i) result.requests.push_back(Of(1, 2, 3, 4, 3));
  result.requests.push_back(Of(1, 2, 3, 4, 1));
  const RunSeries run = SeriesOf(result, 2);
  EXPECT_EQ(run.groups, 3);
  ASSERT_EQ(run.series.size(), 2);
  EXPECT_EQ(run.series[0].name, "large");
  EXPECT_EQ(run.series[0].requests, 6);
  EXPECT_EQ(run.series[1].name, "middle");
}

TEST(RunSeries, TimesOutOfAllReasonStayInTheBins) {
  Result result;
  result.requests = {Of(1, 2, 3, 4)};
  result.requests[0].ended = Duration(1'000'000'000'000'000'000);
  result.requests[0].due = seconds(-5);
  EXPECT_EQ(SeriesOf(result, 7).series[0].requests, 1);
}

}  // namespace
}  // namespace gw::bench
