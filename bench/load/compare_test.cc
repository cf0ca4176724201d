#include "bench/load/compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "bench/load/compare_html.h"

namespace gw::bench {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Exponential times to the first token.
Result ResultOf(double mean_ttft_s, int requests, uint64_t seed) {
  Random random(seed);
  RunRecords run;
  for (int i = 0; i < requests; ++i) {
    Ask ask;
    ask.due = std::chrono::milliseconds(10 * i);
    Answer answer{.end = AnswerEnd::kComplete};
    answer.sent = ask.due + Duration(1);
    answer.first =
        ask.due + Duration(std::llround(-std::log(1 - random.Unit()) * mean_ttft_s * 1e9) + 1);
    answer.ended = answer.last = answer.first + std::chrono::seconds(1);
    answer.output_tokens = 11;
    run.Add(ask, answer);
  }
  return {.summary = Summarize(run, {}), .requests = run.records, .groups = run.groups};
}

const ComparedFigure& Find(const Comparison& comparison, std::string_view name) {
  return *std::ranges::find(comparison.figures, name, &ComparedFigure::name);
}

TEST(Compare, RatiosAreToTheFirst) {
  const Result base = ResultOf(0.1, 500, 1);
  const Result slow = ResultOf(0.2, 500, 1);
  Random random(1);
  const Comparison comparison =
      Compare(std::array<NamedResult, 2>{{{"base", &base}, {"slow", &slow}}}, random);
  const ComparedFigure& mean = Find(comparison, "TTFT mean, ms");
  EXPECT_NEAR(mean.ratios[1], 2, 1e-6);
  EXPECT_DOUBLE_EQ(mean.ratios[0], 1);
  ASSERT_TRUE(mean.intervals[1].has_value());
  EXPECT_LT(mean.intervals[1]->low, 2);
  EXPECT_GT(mean.intervals[1]->low, 1.6);
  EXPECT_GT(mean.intervals[1]->high, 2);
  EXPECT_LT(mean.intervals[1]->high, 2.5);
  EXPECT_FALSE(mean.intervals[0].has_value());
}

TEST(Compare, WithoutRequestsThereAreRatiosWithoutIntervals) {
  const Result base = ResultOf(0.1, 50, 1);
  Result figures = ResultOf(0.1, 50, 2);
  figures.requests.clear();
  Random random(1);
  const Comparison comparison =
      Compare(std::array<NamedResult, 2>{{{"base", &base}, {"other", &figures}}}, random);
  EXPECT_FALSE(std::isnan(Find(comparison, "TTFT p99, ms").ratios[1]));
  EXPECT_FALSE(Find(comparison, "TTFT p99, ms").intervals[1].has_value());
  EXPECT_TRUE(std::isnan(Find(comparison, "goodput, requests/s").values[0]));
}

TEST(Compare, TheSameSeedIsTheSameInterval) {
  const Result base = ResultOf(0.1, 50, 1);
  const Result other = ResultOf(0.1, 50, 2);
  const std::array<NamedResult, 2> results = {{{"base", &base}, {"other", &other}}};
  Random one(7);
  Random two(7);
  EXPECT_EQ(ComparisonText(Compare(results, one)), ComparisonText(Compare(results, two)));
}

// Of runs that are alike, about one interval in twenty is without 1.
TEST(Compare, IntervalsHoldTheTruthAboutAsOftenAsTheySay) {
  Random random(11);
  constexpr int kRuns = 200;
  int held = 0;
  for (int i = 0; i < kRuns; ++i) {
    std::vector<double> base;
    std::vector<double> with;
    for (int j = 0; j < 100; ++j) base.push_back(-std::log(1 - random.Unit()));
    for (int j = 0; j < 150; ++j) with.push_back(-3 * std::log(1 - random.Unit()));
    const Interval interval = BootstrapRatios(base, with, {}, random).back();
    if (interval.low <= 3 && 3 <= interval.high) ++held;
  }
  EXPECT_GE(held, kRuns * 90 / 100);
  EXPECT_LE(held, kRuns * 99 / 100);
}

// Sorts every resample.
TEST(Compare, QuantilesAreThoseOfASortedResample) {
  const std::vector<double> base = {3, 1, 2};
  const std::vector<double> with = {5, 4};
  const std::array<double, 2> shares = {0.5, 0.9};
  Random random(3);
  const std::vector<Interval> found = BootstrapRatios(base, with, shares, random);
  Random again(3);
  std::array<std::vector<double>, 3> ratios;
  const auto draw = [&](std::vector<double> sorted) {
    std::ranges::sort(sorted);
    std::vector<double> drawn;
    for (size_t i = 0; i < sorted.size(); ++i) drawn.push_back(sorted[again.Below(sorted.size())]);
    const Distribution d = DistributionOf(drawn);
    return std::array{d.p50, d.p90, d.mean};
  };
  for (int i = 0; i < 1000; ++i) {
    const auto below = draw(base);
    const auto above = draw(with);
    for (size_t j = 0; j < 3; ++j) ratios[j].push_back(above[j] / below[j]);
  }
  for (size_t j = 0; j < 3; ++j) {
    std::ranges::sort(ratios[j]);
    EXPECT_NEAR(found[j].low, QuantileOfSorted(ratios[j], 0.025), 1e-9);
    EXPECT_NEAR(found[j].high, QuantileOfSorted(ratios[j], 0.975), 1e-9);
  }
}

TEST(ComparisonText, IsATableWithoutWhatNobodyMeasured) {
  const Result base = ResultOf(0.1, 500, 1);
  const Result slow = ResultOf(0.2, 500, 2);
  Random random(1);
  const std::string text = ComparisonText(
      Compare(std::array<NamedResult, 2>{{{"base.json", &base},
                                          {"a/long/way/to/some/where/slow.json", &slow}}},
              random));
  EXPECT_THAT(text, HasSubstr("base.json"));
  EXPECT_THAT(text, HasSubstr("slow.json"));
  EXPECT_THAT(text, HasSubstr("\nTTFT p50, ms"));
  EXPECT_THAT(text, HasSubstr("]*"));
  EXPECT_THAT(text, HasSubstr("*: without 1"));
  EXPECT_THAT(text, Not(HasSubstr("goodput")));
  EXPECT_THAT(text, Not(HasSubstr("nan")));
}

TEST(CompareHtml, HasFiguresWithRatiosAndTheDistributions) {
  const Result base = ResultOf(0.1, 500, 1);
  const Result slow = ResultOf(0.2, 500, 1);
  Result figures = ResultOf(0.1, 50, 2);
  figures.requests.clear();
  const std::array<NamedResult, 3> results = {
      {{"<base>", &base}, {"slow.json", &slow}, {"figures.json", &figures}}};
  Random random(1);
  const std::string html = CompareHtml(results, Compare(results, random));
  for (const char* part : {"&lt;base&gt;", "TTFT p99, ms", "x2.000 [", "<svg class=\"mark worse\"",
                           "Time per output token", "figures.json (percentiles alone)"}) {
    EXPECT_THAT(html, HasSubstr(part));
  }
  for (const char* part :
       {"<base>", "http:", "https:", "src=", "href=", "url(", "<script", "nan"}) {
    EXPECT_THAT(html, Not(HasSubstr(part)));
  }
}

TEST(Compare, AVerdictWantsAnIntervalWithoutOne) {
  ComparedFigure figure{.name = "TTFT", .less_is_better = true};
  figure.ratios = {1, 0.8, 0.8, 1.3, 1.1};
  figure.intervals = {std::nullopt, std::nullopt, Interval{0.7, 0.9}, Interval{1.2, 1.4},
                      Interval{0.9, 1.3}};
  EXPECT_EQ(VerdictOf(figure, 1), 0);
  EXPECT_EQ(VerdictOf(figure, 2), 1);
  EXPECT_EQ(VerdictOf(figure, 3), -1);
  EXPECT_EQ(VerdictOf(figure, 4), 0);
  figure.less_is_better = false;
  EXPECT_EQ(VerdictOf(figure, 2), -1);
}

}  // namespace
}  // namespace gw::bench
