#include "stats/exemplar.h"

#include <gtest/gtest.h>

#include <cmath>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "stats/histogram.h"
#include "stats/metrics.h"

namespace gw {
namespace {

// All of its words are the same number.
Exemplar Made(uint64_t number) { return {number, number, number, static_cast<int64_t>(number)}; }

TEST(Exemplar, TheLastOneOfABucketStays) {
  Histogram histogram(std::vector<double>{1, 2});
  histogram.Observe(0.5, Made(1));
  histogram.Observe(0.75, Made(2));
  histogram.Observe(5, Made(3));
  ASSERT_NE(histogram.exemplars(), nullptr);
  const auto first = histogram.exemplars()->Last(0);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->of, Made(2));
  EXPECT_EQ(first->value, 0.75);
  EXPECT_FALSE(histogram.exemplars()->Last(1).has_value());
  EXPECT_EQ(histogram.exemplars()->Last(2)->of, Made(3));
  EXPECT_EQ(histogram.BucketCounts(), (std::vector<uint64_t>{2, 0, 1}));
}

TEST(Exemplar, AHistogramWithoutOneKeepsNoRoomForThem) {
  Histogram histogram(std::vector<double>{1, 2});
  histogram.Observe(0.5);
  histogram.Observe(0.5, std::nullopt);
  histogram.Observe(NAN, Made(1));
  EXPECT_EQ(histogram.exemplars(), nullptr);
  EXPECT_EQ(histogram.count(), 2u);
}

TEST(Exemplar, IsWrittenAsOpenMetricsHasIt) {
  std::string text;
  AppendExemplar(
      &text, {{0x4bf92f3577b34da6, 0xa3ce929d0e0e4736, 0xf067aa0ba902b7, 1700000000042}, 0.0625});
  EXPECT_EQ(text,
            " # {trace_id=\"4bf92f3577b34da6a3ce929d0e0e4736\",span_id=\"00f067aa0ba902b7\"} "
            "0.0625 1700000000.042");
}

// Several write one slot for as long as somebody reads it: what is read is always of one writer.
TEST(Exemplar, ManyWritersNeverTearOne) {
  constexpr int kWriters = 4;
  constexpr uint64_t kEach = 20000;
  Histogram histogram(std::vector<double>{1e9});
  std::vector<std::thread> writers;
  for (uint64_t writer = 0; writer < kWriters; ++writer) {
    writers.emplace_back([&histogram, writer] {
      for (uint64_t i = 1; i <= kEach; ++i) {
        const uint64_t number = writer * kEach + i;
        histogram.Observe(static_cast<double>(number), Made(number));
      }
    });
  }
  uint64_t seen = 0;
  const auto look = [&] {
    const Exemplars* const exemplars = histogram.exemplars();
    const auto kept = exemplars == nullptr ? std::nullopt : exemplars->Last(0);
    if (!kept) return;
    ++seen;
    ASSERT_EQ(kept->of, Made(kept->of.trace_high));
    ASSERT_EQ(kept->value, static_cast<double>(kept->of.trace_high));
  };
  while (histogram.count() < kWriters * kEach && !HasFatalFailure()) look();
  for (std::thread& writer : writers) writer.join();
  look();
  EXPECT_GT(seen, 0u);
}

TEST(Exemplar, StandsInOpenMetricsOnly) {
  MetricRegistry registry;
  registry.AddHistogram("penstock_x_seconds", "X.", std::vector<double>{1}, {{"a", "b"}})
      .Observe(0.5, Exemplar{0, 1, 2, 3500});
  EXPECT_EQ(registry.Render().find("trace_id"), std::string::npos);
  EXPECT_EQ(registry.Render(MetricsFormat::kOpenMetrics),
            "# HELP penstock_x_seconds X.\n"
            "# TYPE penstock_x_seconds histogram\n"
            "penstock_x_seconds_bucket{a=\"b\",le=\"1.0\"} 1 # "
            "{trace_id=\"00000000000000000000000000000001\",span_id=\"0000000000000002\"} 0.5 "
            "3.500\n"
            "penstock_x_seconds_bucket{a=\"b\",le=\"+Inf\"} 1\n"
            "penstock_x_seconds_sum{a=\"b\"} 0.5\n"
            "penstock_x_seconds_count{a=\"b\"} 1\n"
            "# EOF\n");
}

}  // namespace
}  // namespace gw
