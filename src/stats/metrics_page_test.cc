#include "stats/metrics_page.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "stats/metrics.h"

namespace gw {
namespace {

// One of each kind, and what is peculiar in one format or the other.
void Fill(MetricRegistry* registry) {
  registry->AddCounter("penstock_b_total", "Counts \"b\\\".", {{"pool", "p"}}).Add(3);
  registry->AddGauge("penstock_a", "Measures a.").Set(0.25);
  // A gauge and a counter of the same things.
  registry->AddGauge("penstock_open", "Open.").Set(1);
  registry->AddCounter("penstock_open_total", "Opened.").Add(7);
  // A counter that is not called one.
  registry->AddCounter("penstock_odd", "Odd.").Add(2);
  registry
      ->AddHistogram("penstock_c_seconds", "Times c.", std::vector<double>{0.00025, 0.5, 2, 2e6})
      .Observe(1);
  registry->AddCallback("penstock_d_total", "D.", "counter",
                        [](const auto& sink) { sink({{"x", "a\"b\\"}}, 5); });
  registry->AddHistogramCallback("penstock_e_seconds", "E.", [](const auto& sink) {
    sink({{"x", "y"}}, HistogramValue{{1}, {2, 3}, 9});
  });
}

TEST(MetricsPage, TextIsWhatItWas) {
  MetricRegistry registry;
  Fill(&registry);
  EXPECT_EQ(registry.Render(), R"(# HELP penstock_a Measures a.
# TYPE penstock_a gauge
penstock_a 0.25
# HELP penstock_b_total Counts "b\\".
# TYPE penstock_b_total counter
penstock_b_total{pool="p"} 3
# HELP penstock_c_seconds Times c.
# TYPE penstock_c_seconds histogram
penstock_c_seconds_bucket{le="0.00025"} 0
penstock_c_seconds_bucket{le="0.5"} 0
penstock_c_seconds_bucket{le="2"} 1
penstock_c_seconds_bucket{le="2e+06"} 1
penstock_c_seconds_bucket{le="+Inf"} 1
penstock_c_seconds_sum 1
penstock_c_seconds_count 1
# HELP penstock_d_total D.
# TYPE penstock_d_total counter
penstock_d_total{x="a\"b\\"} 5
# HELP penstock_e_seconds E.
# TYPE penstock_e_seconds histogram
penstock_e_seconds_bucket{x="y",le="1"} 2
penstock_e_seconds_bucket{x="y",le="+Inf"} 5
penstock_e_seconds_sum{x="y"} 9
penstock_e_seconds_count{x="y"} 5
# HELP penstock_odd Odd.
# TYPE penstock_odd counter
penstock_odd 2
# HELP penstock_open Open.
# TYPE penstock_open gauge
penstock_open 1
# HELP penstock_open_total Opened.
# TYPE penstock_open_total counter
penstock_open_total 7
)");
}

TEST(MetricsPage, OpenMetricsNamesFamiliesAndBoundsItsOwnWay) {
  MetricRegistry registry;
  Fill(&registry);
  EXPECT_EQ(registry.Render(MetricsFormat::kOpenMetrics), R"(# HELP penstock_a Measures a.
# TYPE penstock_a gauge
penstock_a 0.25
# HELP penstock_b Counts \"b\\\".
# TYPE penstock_b counter
penstock_b_total{pool="p"} 3
# HELP penstock_c_seconds Times c.
# TYPE penstock_c_seconds histogram
penstock_c_seconds_bucket{le="0.00025"} 0
penstock_c_seconds_bucket{le="0.5"} 0
penstock_c_seconds_bucket{le="2.0"} 1
penstock_c_seconds_bucket{le="2e+06"} 1
penstock_c_seconds_bucket{le="+Inf"} 1
penstock_c_seconds_sum 1
penstock_c_seconds_count 1
# HELP penstock_d D.
# TYPE penstock_d counter
penstock_d_total{x="a\"b\\"} 5
# HELP penstock_e_seconds E.
# TYPE penstock_e_seconds histogram
penstock_e_seconds_bucket{x="y",le="1.0"} 2
penstock_e_seconds_bucket{x="y",le="+Inf"} 5
penstock_e_seconds_sum{x="y"} 9
penstock_e_seconds_count{x="y"} 5
# HELP penstock_odd Odd.
# TYPE penstock_odd unknown
penstock_odd 2
# HELP penstock_open Open.
# TYPE penstock_open gauge
penstock_open 1
# HELP penstock_open_total Opened.
# TYPE penstock_open_total unknown
penstock_open_total 7
# EOF
)");
}

TEST(MetricsPage, AnEmptyOneEndsAllTheSame) {
  EXPECT_EQ(MetricRegistry().Render(MetricsFormat::kOpenMetrics), "# EOF\n");
}

TEST(MetricRegistry, NumbersAreVisitedWhereverTheyAreFrom) {
  MetricRegistry registry;
  Fill(&registry);
  const auto sum = [&registry](std::string_view name) {
    double all = 0;
    registry.VisitNumbers(name, [&all](const Labels&, double value) { all += value; });
    return all;
  };
  EXPECT_EQ(sum("penstock_a"), 0.25);
  EXPECT_EQ(sum("penstock_b_total"), 3);
  EXPECT_EQ(sum("penstock_d_total"), 5);
  EXPECT_EQ(sum("penstock_missing"), 0);
}

}  // namespace
}  // namespace gw
