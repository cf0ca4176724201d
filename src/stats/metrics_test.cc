#include "stats/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>
#include <thread>

namespace gw {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// What one page says, read back by the slow and obvious reader below.
struct Page {
  std::map<std::string, std::string> help;
  std::map<std::string, std::string> type;
  // name and labels, values unescaped -> number
  std::map<std::pair<std::string, std::map<std::string, std::string>>, double> samples;
  std::vector<std::string> family_order;

  double At(const std::string& name, const std::map<std::string, std::string>& labels = {}) const {
    const auto it = samples.find({name, labels});
    EXPECT_NE(it, samples.end()) << name;
    return it == samples.end() ? NAN : it->second;
  }
};

// Reads `name="value",...}` and what follows the brace; fails the test on anything else.
std::map<std::string, std::string> ReadLabels(std::string_view* rest) {
  std::map<std::string, std::string> labels;
  while (!rest->empty() && rest->front() != '}') {
    const size_t equals = rest->find("=\"");
    EXPECT_NE(equals, std::string_view::npos);
    if (equals == std::string_view::npos) return labels;
    const std::string name(rest->substr(0, equals));
    rest->remove_prefix(equals + 2);
    std::string value;
    while (!rest->empty() && rest->front() != '"') {
      char c = rest->front();
      if (c == '\\') {
        rest->remove_prefix(1);
        c = rest->front();
        EXPECT_THAT(std::string("\\\"n"), HasSubstr(std::string(1, c)));
        if (c == 'n') c = '\n';
      }
      value.push_back(c);
      rest->remove_prefix(1);
    }
    rest->remove_prefix(1);
    if (rest->front() == ',') rest->remove_prefix(1);
    EXPECT_TRUE(labels.emplace(name, value).second) << "label given twice: " << name;
  }
  rest->remove_prefix(1);
  return labels;
}

Page Read(const std::string& text) {
  Page page;
  EXPECT_TRUE(text.empty() || text.back() == '\n');
  std::string_view rest = text;
  while (!rest.empty()) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(line.size() + 1);
    if (line.starts_with("# ")) {
      const size_t name_end = line.find(' ', 7);
      const std::string name(line.substr(7, name_end - 7));
      auto& into = line.starts_with("# HELP ") ? page.help : page.type;
      EXPECT_TRUE(into.emplace(name, line.substr(name_end + 1)).second) << "twice: " << line;
      if (line.starts_with("# TYPE ")) page.family_order.push_back(name);
      continue;
    }
    const size_t name_end = line.find_first_of("{ ");
    const std::string name(line.substr(0, name_end));
    std::map<std::string, std::string> labels;
    line.remove_prefix(name_end);
    if (line.front() == '{') {
      line.remove_prefix(1);
      labels = ReadLabels(&line);
    }
    EXPECT_EQ(line.front(), ' ');
    line.remove_prefix(1);
    char* end = nullptr;
    const std::string number(line);
    const double value = std::strtod(number.c_str(), &end);
    EXPECT_EQ(*end, '\0') << line;
    EXPECT_TRUE(page.samples.emplace(std::pair(name, labels), value).second) << "twice: " << name;
  }
  return page;
}

TEST(Counter, AddsUp) {
  Counter counter;
  EXPECT_EQ(counter.value(), 0u);
  counter.Add();
  counter.Add(41);
  EXPECT_EQ(counter.value(), 42u);
}

TEST(Gauge, IsTheSumOfWhatWasAddedAndWhatWasSet) {
  Gauge gauge;
  gauge.Add(5);
  gauge.Add(-7);
  EXPECT_EQ(gauge.value(), -2.0);
  gauge.Set(0.5);
  EXPECT_EQ(gauge.value(), -1.5);
}

TEST(Histogram, AValueEqualToABoundFallsBelowIt) {
  Histogram histogram(std::vector<double>{1, 2, 4});
  for (const double value : {-1.0, 0.0, 1.0, 1.5, 2.0, 3.0, 4.0, 4.5, 1e300}) {
    histogram.Observe(value);
  }
  EXPECT_THAT(histogram.BucketCounts(), ElementsAre(3, 2, 2, 2));
  EXPECT_EQ(histogram.count(), 9u);
}

TEST(Histogram, InfinityIsCountedAndNanIsNot) {
  Histogram histogram(std::vector<double>{1});
  histogram.Observe(NAN);
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.sum(), 0.0);
  histogram.Observe(kInfinity);
  EXPECT_THAT(histogram.BucketCounts(), ElementsAre(0, 1));
}

TEST(Histogram, BoundsOfEveryLengthKeepCountsAndSumApart) {
  // 1 to 20 bounds: shards of one to three cache lines.
  for (int n = 1; n <= 20; ++n) {
    std::vector<double> bounds;
    for (int i = 0; i < n; ++i) bounds.push_back(i);
    Histogram histogram(bounds);
    for (int i = 0; i <= n; ++i) histogram.Observe(i);
    EXPECT_EQ(histogram.BucketCounts(), std::vector<uint64_t>(n + 1, 1)) << n;
    EXPECT_EQ(histogram.sum(), n * (n + 1) / 2.0);
  }
}

TEST(HistogramDeathTest, BoundsMustAscend) {
  EXPECT_DEATH(Histogram(std::vector<double>{1, 1}), "");
  EXPECT_DEATH(Histogram(std::vector<double>{1, kInfinity}), "");
}

TEST(MetricRegistry, EmptyRendersNothing) { EXPECT_EQ(MetricRegistry().Render(), ""); }

TEST(MetricRegistry, RendersEveryTypeExactly) {
  MetricRegistry registry;
  registry.AddCounter("penstock_b_total", "Counts b.", {{"pool", "p"}, {"code", "200"}}).Add(3);
  registry.AddGauge("penstock_a", "Measures a.").Set(0.25);
  Histogram& h = registry.AddHistogram("penstock_c_seconds", "Times c.",
                                       std::vector<double>{0.5, 2}, {{"pool", "p"}});
  h.Observe(0.25);
  h.Observe(1);
  h.Observe(8);
  registry.AddCallback("penstock_d", "Looks d up.", "gauge", [](const MetricRegistry::Sink& sink) {
    sink({{"pool", "q"}}, 7);
    sink({}, 1e21);
  });
  EXPECT_EQ(registry.Render(),
            "# HELP penstock_a Measures a.\n"
            "# TYPE penstock_a gauge\n"
            "penstock_a 0.25\n"
            "# HELP penstock_b_total Counts b.\n"
            "# TYPE penstock_b_total counter\n"
            "penstock_b_total{code=\"200\",pool=\"p\"} 3\n"
            "# HELP penstock_c_seconds Times c.\n"
            "# TYPE penstock_c_seconds histogram\n"
            "penstock_c_seconds_bucket{pool=\"p\",le=\"0.5\"} 1\n"
            "penstock_c_seconds_bucket{pool=\"p\",le=\"2\"} 2\n"
            "penstock_c_seconds_bucket{pool=\"p\",le=\"+Inf\"} 3\n"
            "penstock_c_seconds_sum{pool=\"p\"} 9.25\n"
            "penstock_c_seconds_count{pool=\"p\"} 3\n"
            "# HELP penstock_d Looks d up.\n"
            "# TYPE penstock_d gauge\n"
            "penstock_d{pool=\"q\"} 7\n"
            "penstock_d 1e+21\n");
}

TEST(MetricRegistry, TheSameNameAndLabelsAreTheSameMetric) {
  MetricRegistry registry;
  Counter& a = registry.AddCounter("penstock_x_total", "X.", {{"k", "1"}, {"l", "2"}});
  EXPECT_EQ(&a, &registry.AddCounter("penstock_x_total", "Y.", {{"l", "2"}, {"k", "1"}}));
  EXPECT_NE(&a, &registry.AddCounter("penstock_x_total", "X.", {{"k", "1"}, {"l", "3"}}));
  EXPECT_THAT(Read(registry.Render()).family_order, ElementsAre("penstock_x_total"));
  EXPECT_THAT(registry.Render(), HasSubstr("# HELP penstock_x_total X.\n"));
}

TEST(MetricRegistry, LabelsThatLookAlikeWhenJoinedAreDifferentSeries) {
  MetricRegistry registry;
  registry.AddCounter("penstock_x_total", "X.", {{"a", "1\",b=\"2"}}).Add(1);
  registry.AddCounter("penstock_x_total", "X.", {{"a", "1"}, {"b", "2"}}).Add(2);
  const Page page = Read(registry.Render());
  EXPECT_EQ(page.At("penstock_x_total", {{"a", "1\",b=\"2"}}), 1);
  EXPECT_EQ(page.At("penstock_x_total", {{"a", "1"}, {"b", "2"}}), 2);
}

TEST(MetricRegistry, AnyLabelValueReadsBackAsItWas) {
  const std::string values[] = {
      "", " ", "\\", "\"", "\\n", "a\\\"bc", "{x=\"y\"} 1", "Qwen/Qwen3-32B", "größe 模型 🙂"};
  MetricRegistry registry;
  double n = 0;
  for (const std::string& value : values) {
    registry.AddGauge("penstock_x", "Help with \\ and\nline feed.", {{"model", value}}).Set(++n);
  }
  const Page page = Read(registry.Render());
  n = 0;
  for (const std::string& value : values) {
    EXPECT_EQ(page.At("penstock_x", {{"model", value}}), ++n) << value;
  }
  EXPECT_EQ(page.help.at("penstock_x"), "Help with \\\\ and\\nline feed.");
}

TEST(MetricRegistry, BytesThatAreNotUtf8BecomeQuestionMarks) {
  const std::pair<std::string, std::string> cases[] = {
      {"a\x80z", "a?z"},             // continuation byte alone
      {"\xc3", "?"},                 // cut short
      {"\xc0\xaf", "??"},            // overlong '/'
      {"\xe0\x80\xaf", "???"},       // overlong '/'
      {"\xed\xa0\x80", "???"},       // surrogate
      {"\xf4\x90\x80\x80", "????"},  // above U+10FFFF
      {"\xf0\x9f\x99x", "???x"},     // four bytes announced, three there
      {"\xff\xfe", "??"},
  };
  for (const auto& [value, clean] : cases) {
    MetricRegistry registry;
    registry.AddGauge("penstock_x", "X.", {{"model", value}}).Set(1);
    EXPECT_EQ(Read(registry.Render()).At("penstock_x", {{"model", clean}}), 1);
  }
}

TEST(MetricRegistry, ControlCharactersAreShownEscaped) {
  const std::pair<std::string, std::string> cases[] = {
      {"a\nb", "a\\nb"},
      {std::string(1, '\0') + "x", "\\u0000x"},
      {"tab\tand\rreturn", "tab\\tand\\rreturn"},
      {"\x1b[2J", "\\u001b[2J"},
      {"\x7f", "\\u007f"},
      {"\xc2\x9b", "\\u009b"},          // of C1, as UTF-8
      {"\xe2\x80\xa8", "\\u2028"},      // a line separator
      {"a\xe2\x80\xaez", "a\\u202ez"},  // turns the direction of writing
  };
  for (const auto& [value, clean] : cases) {
    MetricRegistry registry;
    registry.AddGauge("penstock_x", "X.", {{"model", value}}).Set(1);
    const std::string text = registry.Render();
    EXPECT_EQ(Read(text).At("penstock_x", {{"model", clean}}), 1);
    for (const char c : text) EXPECT_TRUE(c == '\n' || static_cast<uint8_t>(c) >= 0x20);
  }
}

TEST(MetricRegistry, AnEscapeIsNotCut) {
  MetricRegistry registry;
  const size_t most = MetricRegistry::label_value_bytes_max;
  registry.AddGauge("penstock_x", "X.", {{"model", std::string(most - 5, 'm') + "\x1b"}}).Set(1);
  EXPECT_EQ(Read(registry.Render()).At("penstock_x", {{"model", std::string(most - 5, 'm')}}), 1);
}

TEST(MetricRegistry, ALongLabelValueIsCutBetweenCharacters) {
  MetricRegistry registry;
  const size_t most = MetricRegistry::label_value_bytes_max;
  registry.AddGauge("penstock_x", "X.", {{"model", std::string(most + 1, 'm')}}).Set(1);
  registry.AddGauge("penstock_x", "X.", {{"model", std::string(most - 1, 'n') + "ü"}}).Set(2);
  const Page page = Read(registry.Render());
  EXPECT_EQ(page.At("penstock_x", {{"model", std::string(most, 'm')}}), 1);
  EXPECT_EQ(page.At("penstock_x", {{"model", std::string(most - 1, 'n')}}), 2);
}

TEST(MetricRegistry, NumbersReadBackAsTheSameDouble) {
  MetricRegistry registry;
  const double values[] = {0,    -0.0,     0.1,    1.0 / 3,   1e-300,    1.7976931348623157e308,
                           -2.5, 12345678, 5e-324, kInfinity, -kInfinity};
  int i = 0;
  for (const double value : values) {
    registry.AddGauge("penstock_x", "X.", {{"i", std::to_string(i++)}}).Set(value);
  }
  registry.AddGauge("penstock_nan", "X.").Set(NAN);
  registry.AddCounter("penstock_large_total", "X.").Add(std::numeric_limits<uint64_t>::max());
  const std::string text = registry.Render();
  const Page page = Read(text);
  i = 0;
  for (const double value : values) {
    EXPECT_EQ(page.At("penstock_x", {{"i", std::to_string(i++)}}), value);
  }
  EXPECT_THAT(text, HasSubstr("penstock_nan NaN\n"));
  EXPECT_THAT(text, HasSubstr("penstock_large_total 18446744073709551615\n"));
}

TEST(MetricRegistry, FamiliesStandInTheOrderOfTheirNames) {
  MetricRegistry registry;
  registry.AddGauge("penstock_c", "C.");
  registry.AddCallback("penstock_b", "B.", "counter", [](const auto& sink) { sink({}, 1); });
  registry.AddCounter("penstock_a", "A.");
  EXPECT_THAT(Read(registry.Render()).family_order,
              ElementsAre("penstock_a", "penstock_b", "penstock_c"));
}

TEST(MetricRegistry, TheFirstValuesThatClientsInventKeepTheirOwnSeries) {
  MetricRegistry registry;
  const int most = MetricRegistry::open_values_max;
  for (int i = 0; i < most; ++i) {
    EXPECT_TRUE(registry.AdmitsOpenValue("default/a", "model-" + std::to_string(i)));
  }
  EXPECT_FALSE(registry.AdmitsOpenValue("default/a", "one more"));
  EXPECT_FALSE(registry.AdmitsOpenValue("default/a", "one more"));
  EXPECT_TRUE(registry.AdmitsOpenValue("default/a", "model-3"));
  EXPECT_TRUE(registry.HasOpenValue("default/a", "model-3"));
  EXPECT_FALSE(registry.HasOpenValue("default/a", "one more"));
  EXPECT_FALSE(registry.HasOpenValue("default/b", "one more"));
  EXPECT_TRUE(registry.AdmitsOpenValue("default/b", "one more")) << "each scope on its own";
  EXPECT_TRUE(registry.HasOpenValue("default/b", "one more"));
}

TEST(MetricRegistry, ValuesThatClientsInventAreToldApartByWhatIsShown) {
  MetricRegistry registry;
  const std::string most(MetricRegistry::label_value_bytes_max, 'm');
  for (int i = 0; i < 2 * static_cast<int>(MetricRegistry::open_values_max); ++i) {
    EXPECT_TRUE(registry.AdmitsOpenValue("default/a", most + std::to_string(i)));
  }
  EXPECT_TRUE(registry.AdmitsOpenValue("default/a", "another"));
}

TEST(MetricRegistry, LabelsThatClientsDoNotChooseHaveNoLimit) {
  MetricRegistry registry;
  for (int i = 0; i < 3000; ++i) {
    registry.AddCounter("penstock_x_total", "X.", {{"pool", std::to_string(i)}}).Add();
  }
  EXPECT_EQ(Read(registry.Render()).samples.size(), 3000u);
}

TEST(MetricRegistry, CallbacksOfOneNameStandTogetherAndMayUseTheRegistry) {
  MetricRegistry registry;
  for (const char* pool : {"a", "b"}) {
    registry.AddCallback("penstock_ready", "Ready.", "gauge", [&registry, pool](const auto& sink) {
      registry.AddCounter("penstock_renders_total", "Renders.").Add();
      sink({{"pool", pool}}, 1);
    });
  }
  const Page page = Read(registry.Render());
  EXPECT_EQ(page.At("penstock_ready", {{"pool", "a"}}), 1);
  EXPECT_EQ(page.At("penstock_ready", {{"pool", "b"}}), 1);
  EXPECT_EQ(page.At("penstock_renders_total"), 2);
}

TEST(MetricRegistry, RemovedSeriesLeaveThePageAndStayWithWhoHoldsThem) {
  MetricRegistry registry;
  const auto of = [&](const char* pool) {
    return registry.ShareCounter("penstock_x_total", "X.", {{"pool", pool}});
  };
  const std::shared_ptr<Counter> gone = of("gone");
  of("stays")->Add();
  registry.AddCounter("penstock_y_total", "Y.", {{"pool", "gone"}}).Add();
  const std::shared_ptr<Histogram> histogram =
      registry.ShareHistogram("penstock_h", "H.", LatencyBuckets(), {{"pool", "gone"}});
  registry.RemoveSeries("pool", [](std::string_view pool) { return pool == "gone"; });
  EXPECT_EQ(registry.removals(), 1u);
  gone->Add(7);
  histogram->Observe(1);
  const Page page = Read(registry.Render());
  EXPECT_EQ(page.At("penstock_x_total", {{"pool", "stays"}}), 1);
  EXPECT_EQ(page.At("penstock_y_total", {{"pool", "gone"}}), 1) << "somebody has a reference to it";
  EXPECT_EQ(page.samples.size(), 2u);
  EXPECT_EQ(of("gone")->value(), 0u) << "a pool of the same name is another";
  registry.RemoveSeries("pool", [](std::string_view pool) { return pool == "nobody"; });
  EXPECT_EQ(registry.removals(), 1u);
}

TEST(MetricRegistry, APoolThatIsGoneForgetsTheNamesOfItsClients) {
  MetricRegistry registry;
  for (size_t i = 0; i < MetricRegistry::open_values_max; ++i) {
    registry.AdmitsOpenValue("a", std::to_string(i));
  }
  EXPECT_FALSE(registry.AdmitsOpenValue("a", "more"));
  registry.RemoveSeries("pool", [](std::string_view pool) { return pool == "a"; });
  EXPECT_TRUE(registry.AdmitsOpenValue("a", "more"));
}

// Whoever counts for the first time needs the lock: a page that is being rendered must not have it.
TEST(MetricRegistry, SeriesMayBeMadeAndRemovedWhileAPageIsRendered) {
  MetricRegistry registry;
  std::atomic<bool> done{false};
  registry.AddCounter("penstock_stays_total", "S.").Add();
  std::thread renders([&] {
    while (!done) EXPECT_THAT(registry.Render(), HasSubstr("penstock_stays_total 1\n"));
  });
  for (int i = 0; i < 2000; ++i) {
    const Labels labels = {{"pool", std::to_string(i % 50)}};
    registry.ShareCounter("penstock_x_total", "X.", labels)->Add();
    registry.ShareHistogram("penstock_h", "H.", LatencyBuckets(), labels)->Observe(1);
    if (i % 7 == 0) registry.RemoveSeries("pool", [](std::string_view pool) { return pool < "3"; });
  }
  done = true;
  renders.join();
}

TEST(MetricRegistryDeathTest, ANameHasOneTypeAndOneSetOfBounds) {
  MetricRegistry registry;
  registry.AddCounter("penstock_x", "X.");
  EXPECT_DEATH(registry.AddGauge("penstock_x", "X."), "");
  registry.AddHistogram("penstock_h", "H.", LatencyBuckets());
  EXPECT_DEATH(registry.AddHistogram("penstock_h", "H.", InterTokenBuckets()), "");
  EXPECT_DEATH(registry.AddCallback("penstock_x", "X.", "counter", [](const auto&) {}), "");
}

// More threads than shards, so that some share one; a reader renders all the while.
TEST(MetricRegistry, NothingIsLostWhenManyThreadsCountAtOnce) {
  constexpr int kThreads = 2 * kStatsShards + 3;
  constexpr int kRounds = 500;
  MetricRegistry registry;
  registry.AddCallback("penstock_callback", "C.", "gauge", [](const auto& sink) { sink({}, 1); });
  std::atomic<bool> stop{false};
  std::thread reader([&] {
    uint64_t last = 0;
    while (!stop.load()) {
      const Page page = Read(registry.Render());
      const auto it = page.samples.find({"penstock_x_total", {{"k", "same"}}});
      if (it == page.samples.end()) continue;
      EXPECT_GE(it->second, last);  // a counter never goes back
      last = static_cast<uint64_t>(it->second);
      EXPECT_EQ(page.At("penstock_h_bucket", {{"le", "+Inf"}}), page.At("penstock_h_count"));
    }
  });
  std::vector<std::thread> writers;
  for (int t = 0; t < kThreads; ++t) {
    writers.emplace_back([&registry, t] {
      const std::string own = std::to_string(t);
      for (int i = 0; i < kRounds; ++i) {
        const std::vector<double> bounds = {1, 2};
        registry.AddHistogram("penstock_h", "H.", bounds).Observe(i % 3 + 0.5);
        registry.AddCounter("penstock_x_total", "X.", {{"k", own}}).Add();
        registry.AddCounter("penstock_x_total", "X.", {{"k", "same"}}).Add(2);
        registry.AddGauge("penstock_g", "G.").Add(i % 2 == 0 ? 3 : -1);
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  stop.store(true);
  reader.join();

  const Page page = Read(registry.Render());
  EXPECT_EQ(page.At("penstock_x_total", {{"k", "same"}}), 2.0 * kThreads * kRounds);
  EXPECT_EQ(page.At("penstock_x_total", {{"k", "7"}}), kRounds);
  EXPECT_EQ(page.At("penstock_g"), 1.0 * kThreads * kRounds);
  EXPECT_EQ(page.At("penstock_h_count"), 1.0 * kThreads * kRounds);
  // Each thread saw 0.5 and 1.5 167 times, 2.5 166 times.
  EXPECT_EQ(page.At("penstock_h_bucket", {{"le", "1"}}), 167.0 * kThreads);
  EXPECT_EQ(page.At("penstock_h_sum"), (167 * 0.5 + 167 * 1.5 + 166 * 2.5) * kThreads);
}

TEST(Buckets, AscendFromOneMillisecond) {
  EXPECT_EQ(LatencyBuckets().front(), 0.001);
  EXPECT_EQ(LatencyBuckets().back(), 600);
  EXPECT_EQ(InterTokenBuckets().front(), 0.0001);
  EXPECT_EQ(InterTokenBuckets().back(), 10);
  Histogram(LatencyBuckets()).Observe(1);  // would die if they did not ascend
  Histogram(InterTokenBuckets()).Observe(1);
}

}  // namespace
}  // namespace gw
