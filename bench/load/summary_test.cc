#include "bench/load/summary.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"

namespace gw::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// One token in each 100 ms, the first after `ttft`.
void AddOne(RunRecords* run, Duration due, Duration ttft, int64_t tokens, const char* tenant = "") {
  Ask ask;
  ask.due = due;
  ask.tenant = tenant;
  Answer answer{.end = AnswerEnd::kComplete, .status = 200};
  answer.sent = due + milliseconds(1);
  answer.first = due + ttft;
  answer.last = answer.ended = answer.first + milliseconds(100) * (tokens - 1);
  answer.events = static_cast<uint32_t>(tokens);
  answer.prompt_tokens = 50;
  answer.output_tokens = tokens;
  run->Add(ask, answer);
}

TEST(Summary, NothingMeasuredIsNotANumber) {
  const Summary summary = Summarize({}, {});
  EXPECT_EQ(summary.all.requests, 0);
  EXPECT_TRUE(std::isnan(summary.all.ttft.mean));
  EXPECT_TRUE(std::isnan(summary.gaps.p99));
  EXPECT_EQ(summary.all.requests_per_second, 0);
  EXPECT_FALSE(summary.all.good_share.has_value());
}

TEST(Summary, FiguresWrittenOut) {
  RunRecords run;
  AddOne(&run, seconds(1), milliseconds(200), 11);
  AddOne(&run, seconds(2), milliseconds(400), 1);
  AddOne(&run, seconds(3), milliseconds(600), 21);  // ends at 5.6 s
  run.Add({}, {.end = AnswerEnd::kStatus, .status = 429, .error = "429 queue_full"});
  const Summary summary = Summarize(run, {});
  EXPECT_DOUBLE_EQ(summary.seconds, 5.6);
  EXPECT_EQ(summary.all.requests, 4);
  EXPECT_EQ(summary.all.completed, 3);
  EXPECT_EQ(summary.all.ended, (std::map<std::string, uint64_t>{{"status", 1}}));
  EXPECT_DOUBLE_EQ(summary.all.requests_per_second, 3 / 5.6);
  EXPECT_DOUBLE_EQ(summary.all.prompt_tokens_per_second, 150 / 5.6);
  EXPECT_DOUBLE_EQ(summary.all.output_tokens_per_second, 33 / 5.6);
  EXPECT_DOUBLE_EQ(summary.all.ttft.mean, 0.4);
  EXPECT_DOUBLE_EQ(summary.all.ttft.p50, 0.4);
  EXPECT_DOUBLE_EQ(summary.all.ttft.p90, 0.56);  // 0.4 + 0.8 * 0.2, as numpy.percentile
  EXPECT_DOUBLE_EQ(summary.all.ttft.max, 0.6);
  EXPECT_EQ(summary.all.tpot.count, 2) << "a single token has none";
  EXPECT_DOUBLE_EQ(summary.all.tpot.mean, 0.1);
  EXPECT_DOUBLE_EQ(summary.all.e2e.max, 2.6);
  EXPECT_DOUBLE_EQ(summary.lateness.max, 0.001);
  EXPECT_TRUE(summary.groups.empty());
}

// Counts, for each value, how many lie below: no sorting, no ranks by arithmetic.
double SlowQuantile(const std::vector<double>& values, double share) {
  const double rank = share * static_cast<double>(values.size() - 1);
  const auto at = [&](double place) {
    for (const double value : values) {
      const auto below = std::ranges::count_if(values, [&](double v) { return v < value; });
      const auto equal = std::ranges::count(values, value);
      if (static_cast<double>(below) <= place && place < static_cast<double>(below + equal)) {
        return value;
      }
    }
    return -1.0;
  };
  const double low = at(std::floor(rank));
  return low + (at(std::ceil(rank)) - low) * (rank - std::floor(rank));
}

TEST(Summary, PercentilesAreThoseOfASlowCount) {
  Random random(3);
  for (const size_t count : {1, 2, 3, 10, 101, 400}) {
    std::vector<double> values;
    for (size_t i = 0; i < count; ++i) values.push_back(static_cast<double>(random.Below(50)));
    const Distribution found = DistributionOf(values);
    EXPECT_EQ(found.count, count);
    EXPECT_DOUBLE_EQ(found.p50, SlowQuantile(values, 0.5));
    EXPECT_DOUBLE_EQ(found.p90, SlowQuantile(values, 0.9));
    EXPECT_DOUBLE_EQ(found.p95, SlowQuantile(values, 0.95));
    EXPECT_DOUBLE_EQ(found.p99, SlowQuantile(values, 0.99));
    EXPECT_DOUBLE_EQ(found.max, *std::ranges::max_element(values));
  }
}

TEST(Summary, GoodIsWhatKeepsEveryObjective) {
  RunRecords run;
  AddOne(&run, seconds(0), milliseconds(200), 11);
  AddOne(&run, seconds(0), milliseconds(201), 11);
  AddOne(&run, seconds(0), milliseconds(100), 1);
  run.Add({}, {.end = AnswerEnd::kTimeout, .ended = seconds(2)});
  Objectives objectives{.ttft = milliseconds(200)};
  EXPECT_DOUBLE_EQ(*Summarize(run, objectives).all.good_share, 0.5);
  EXPECT_DOUBLE_EQ(*Summarize(run, objectives).all.goodput_per_second, 1);
  objectives.tpot = milliseconds(99);
  EXPECT_DOUBLE_EQ(*Summarize(run, objectives).all.good_share, 0.25) << "a single token keeps it";
  EXPECT_DOUBLE_EQ(*Summarize(run, {.e2e = milliseconds(1200)}).all.good_share, 0.5);
}

TEST(Summary, AnAnswerWithoutOutputKeepsNoTtft) {
  RunRecords run;
  run.Add({}, {.end = AnswerEnd::kComplete, .status = 200, .ended = seconds(1)});
  const Summary summary = Summarize(run, {.ttft = seconds(5)});
  EXPECT_EQ(summary.all.ttft.count, 0);
  EXPECT_EQ(summary.all.e2e.count, 1);
  EXPECT_DOUBLE_EQ(*summary.all.good_share, 0);
}

TEST(Summary, GroupsAddUpToAll) {
  RunRecords run;
  AddOne(&run, seconds(0), milliseconds(100), 10, "a");
  AddOne(&run, seconds(0), milliseconds(300), 20, "b");
  AddOne(&run, seconds(0), milliseconds(500), 30, "b");
  const Summary summary = Summarize(run, {});
  ASSERT_EQ(summary.groups.size(), 2);
  EXPECT_EQ(summary.groups[0].first, (RecordGroup{"a", ""}));
  EXPECT_DOUBLE_EQ(summary.groups[1].second.ttft.mean, 0.4);
  EXPECT_EQ(summary.groups[0].second.output_tokens + summary.groups[1].second.output_tokens,
            summary.all.output_tokens);
  EXPECT_DOUBLE_EQ(
      summary.groups[0].second.requests_per_second + summary.groups[1].second.requests_per_second,
      summary.all.requests_per_second);
}

TEST(Summary, RatesBeginBehindTheWarmUp) {
  RunRecords run;
  run.Add(
      [] {
        Ask ask;
        ask.counts = false;
        return ask;
      }(),
      {.ended = seconds(10)});
  AddOne(&run, seconds(10), milliseconds(1000), 11);
  EXPECT_DOUBLE_EQ(Summarize(run, {}).seconds, 2);
}

TEST(Summary, CachedShareIsOfThosePromptsWhoseServerSaidSo) {
  RunRecords run;
  AddOne(&run, seconds(0), milliseconds(100), 10);
  EXPECT_FALSE(Summarize(run, {}).all.cached_share.has_value());
  run.records[0].cached_tokens = 40;
  AddOne(&run, seconds(0), milliseconds(100), 10);
  EXPECT_DOUBLE_EQ(*Summarize(run, {}).all.cached_share, 0.8);
}

}  // namespace
}  // namespace gw::bench
