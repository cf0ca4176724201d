#include "stats/metrics.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <map>
#include <mutex>
#include <set>

#include "base/check.h"
#include "stats/exposition.h"

namespace gw {
namespace {

constexpr std::array kLatencyBuckets = {0.001, 0.0025, 0.005, 0.01,  0.025, 0.05, 0.1,
                                        0.25,  0.5,    1.0,   2.5,   5.0,   10.0, 20.0,
                                        40.0,  60.0,   120.0, 300.0, 600.0};
constexpr std::array kInterTokenBuckets = {0.001, 0.0025, 0.005, 0.0075, 0.01,  0.015, 0.02,
                                           0.025, 0.03,   0.04,  0.05,   0.075, 0.1,   0.15,
                                           0.2,   0.3,    0.5,   1.0,    2.0,   5.0,   10.0};

// `a="1",b="2"`: the labels of one series as they stand between the braces, and the key it is found
// by. Sorted by name, so that the order a caller gives them in does not matter.
std::string LabelText(Labels labels) {
  std::sort(labels.begin(), labels.end());
  std::string text;
  for (const auto& [name, value] : labels) {
    if (!text.empty()) text.push_back(',');
    text.append(name).append("=\"");
    AppendEscapedLabelValue(&text, CleanLabelValue(value, MetricRegistry::label_value_bytes_max));
    text.push_back('"');
  }
  return text;
}

void AppendCount(std::string* out, uint64_t value) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
  out->append(digits, end);
}

// `name_suffix{labels} ` up to where the value goes.
void AppendSeriesName(std::string* out, std::string_view name, std::string_view suffix,
                      std::string_view labels) {
  out->append(name).append(suffix);
  if (!labels.empty()) out->append("{").append(labels).append("}");
  out->push_back(' ');
}

void AppendValue(std::string* out, std::string_view name, const std::string& labels,
                 const Counter& counter) {
  AppendSeriesName(out, name, "", labels);
  AppendCount(out, counter.value());
  out->push_back('\n');
}

void AppendValue(std::string* out, std::string_view name, const std::string& labels,
                 const Gauge& gauge) {
  AppendSeriesName(out, name, "", labels);
  AppendNumber(out, gauge.value());
  out->push_back('\n');
}

void AppendValue(std::string* out, std::string_view name, const std::string& labels,
                 const Histogram& histogram) {
  const std::vector<uint64_t> counts = histogram.BucketCounts();
  uint64_t cumulative = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    cumulative += counts[i];
    const bool last = i + 1 == counts.size();
    out->append(name).append("_bucket{").append(labels);
    out->append(labels.empty() ? "le=\"" : ",le=\"");
    AppendNumber(out, last ? INFINITY : histogram.upper_bounds()[i]);
    out->append("\"} ");
    AppendCount(out, cumulative);
    out->push_back('\n');
  }
  AppendSeriesName(out, name, "_sum", labels);
  AppendNumber(out, histogram.sum());
  out->push_back('\n');
  // The buckets' total, so that _count and the +Inf bucket of one page always agree.
  AppendSeriesName(out, name, "_count", labels);
  AppendCount(out, cumulative);
  out->push_back('\n');
}

}  // namespace

size_t ThreadShard() {
  static std::atomic<size_t> next{0};
  thread_local const size_t shard = next.fetch_add(1, std::memory_order_relaxed) % kStatsShards;
  return shard;
}

uint64_t Counter::value() const {
  uint64_t sum = 0;
  for (const Cell& cell : cells_) sum += cell.value.load(std::memory_order_relaxed);
  return sum;
}

double Gauge::value() const {
  int64_t sum = 0;
  for (const Cell& cell : cells_) sum += cell.value.load(std::memory_order_relaxed);
  return static_cast<double>(sum) + set_.load(std::memory_order_relaxed);
}

Histogram::Histogram(std::span<const double> upper_bounds)
    : bounds_(upper_bounds.begin(), upper_bounds.end()) {
  for (size_t i = 0; i < bounds_.size(); ++i) {
    CHECK(std::isfinite(bounds_[i]));
    CHECK(i == 0 || bounds_[i - 1] < bounds_[i]);
  }
  const size_t words = 1 + bounds_.size() + 1;
  lines_per_shard_ = (words + kWordsPerLine - 1) / kWordsPerLine;
  lines_ = std::make_unique<Line[]>(kStatsShards * lines_per_shard_);
}

void Histogram::Observe(double value) {
  if (std::isnan(value)) return;
  const size_t shard = ThreadShard();
  const size_t bucket = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
  Word(shard, 1 + bucket).fetch_add(1, std::memory_order_relaxed);
  std::atomic<uint64_t>& sum = Word(shard, 0);
  uint64_t before = sum.load(std::memory_order_relaxed);
  // Almost always the first try: only threads beyond kStatsShards share a shard.
  while (!sum.compare_exchange_weak(before,
                                    std::bit_cast<uint64_t>(std::bit_cast<double>(before) + value),
                                    std::memory_order_relaxed)) {
  }
}

std::vector<uint64_t> Histogram::BucketCounts() const {
  std::vector<uint64_t> counts(bounds_.size() + 1, 0);
  for (size_t shard = 0; shard < kStatsShards; ++shard) {
    for (size_t i = 0; i < counts.size(); ++i) {
      counts[i] += Word(shard, 1 + i).load(std::memory_order_relaxed);
    }
  }
  return counts;
}

uint64_t Histogram::count() const {
  uint64_t sum = 0;
  for (const uint64_t n : BucketCounts()) sum += n;
  return sum;
}

double Histogram::sum() const {
  double sum = 0;
  for (size_t shard = 0; shard < kStatsShards; ++shard) {
    sum += std::bit_cast<double>(Word(shard, 0).load(std::memory_order_relaxed));
  }
  return sum;
}

std::span<const double> LatencyBuckets() { return kLatencyBuckets; }
std::span<const double> InterTokenBuckets() { return kInterTokenBuckets; }

struct MetricRegistry::Impl {
  struct Family {
    std::string help;
    std::string type;
    // One of these four is filled, by type. Keyed by LabelText.
    std::map<std::string, std::unique_ptr<Counter>> counters;
    std::map<std::string, std::unique_ptr<Gauge>> gauges;
    std::map<std::string, std::unique_ptr<Histogram>> histograms;
    std::vector<std::function<void(const Sink&)>> callbacks;
  };

  // The family of that name, made if missing. REQUIRES: mutex is held
  Family& FindFamily(std::string_view name, std::string_view help, std::string_view type) {
    const auto [it, inserted] = families.try_emplace(std::string(name));
    if (inserted) {
      it->second.help = help;
      it->second.type = type;
    }
    CHECK(it->second.type == type);
    return it->second;
  }

  template <typename Metric, typename... Args>
  static Metric& FindSeries(std::map<std::string, std::unique_ptr<Metric>>& series,
                            const Labels& labels, Args&&... args) {
    std::string key = LabelText(labels);
    auto it = series.find(key);
    if (it == series.end()) {
      it = series.emplace(std::move(key), std::make_unique<Metric>(args...)).first;
    }
    return *it->second;
  }

  mutable std::mutex mutex;  // guards the maps, not the metrics in them
  std::map<std::string, Family, std::less<>> families;
  std::map<std::string, std::set<std::string, std::less<>>, std::less<>> open_values;  // by scope
};

MetricRegistry::MetricRegistry() : impl_(std::make_unique<Impl>()) {}
MetricRegistry::~MetricRegistry() = default;

Counter& MetricRegistry::AddCounter(std::string_view name, std::string_view help,
                                    const Labels& labels) {
  const std::lock_guard lock(impl_->mutex);
  Impl::Family& family = impl_->FindFamily(name, help, "counter");
  CHECK(family.callbacks.empty());
  return Impl::FindSeries(family.counters, labels);
}

Gauge& MetricRegistry::AddGauge(std::string_view name, std::string_view help,
                                const Labels& labels) {
  const std::lock_guard lock(impl_->mutex);
  Impl::Family& family = impl_->FindFamily(name, help, "gauge");
  CHECK(family.callbacks.empty());
  return Impl::FindSeries(family.gauges, labels);
}

Histogram& MetricRegistry::AddHistogram(std::string_view name, std::string_view help,
                                        std::span<const double> upper_bounds,
                                        const Labels& labels) {
  const std::lock_guard lock(impl_->mutex);
  Impl::Family& family = impl_->FindFamily(name, help, "histogram");
  Histogram& histogram = Impl::FindSeries(family.histograms, labels, upper_bounds);
  CHECK(std::ranges::equal(histogram.upper_bounds(), upper_bounds));
  return histogram;
}

bool MetricRegistry::AdmitsOpenValue(std::string_view scope, std::string_view value) {
  value = value.substr(0, label_value_bytes_max);
  const std::lock_guard lock(impl_->mutex);
  auto& values = impl_->open_values.try_emplace(std::string(scope)).first->second;
  if (values.contains(value)) return true;
  if (values.size() >= open_values_max) return false;
  values.emplace(value);
  return true;
}

bool MetricRegistry::HasOpenValue(std::string_view scope, std::string_view value) const {
  value = value.substr(0, label_value_bytes_max);
  const std::lock_guard lock(impl_->mutex);
  const auto values = impl_->open_values.find(scope);
  return values != impl_->open_values.end() && values->second.contains(value);
}

void MetricRegistry::AddCallback(std::string_view name, std::string_view help,
                                 std::string_view type, std::function<void(const Sink&)> collect) {
  CHECK(type == "gauge" || type == "counter");
  const std::lock_guard lock(impl_->mutex);
  Impl::Family& family = impl_->FindFamily(name, help, type);
  CHECK(family.counters.empty() && family.gauges.empty());
  family.callbacks.push_back(std::move(collect));
}

std::string MetricRegistry::Render() const {
  // Callbacks run without the lock, so that one which registers or looks up a metric cannot
  // deadlock.
  std::vector<std::pair<std::string, std::function<void(const Sink&)>>> callbacks;
  {
    const std::lock_guard lock(impl_->mutex);
    for (const auto& [name, family] : impl_->families) {
      for (const auto& callback : family.callbacks) callbacks.emplace_back(name, callback);
    }
  }
  std::map<std::string, std::string, std::less<>> collected;
  for (const auto& [name, callback] : callbacks) {
    std::string& text = collected[name];
    callback([&name = name, &text](const Labels& labels, double value) {
      AppendSeriesName(&text, name, "", LabelText(labels));
      AppendNumber(&text, value);
      text.push_back('\n');
    });
  }

  std::string page;
  const std::lock_guard lock(impl_->mutex);
  for (const auto& [name, family] : impl_->families) {
    page.append("# HELP ").append(name).push_back(' ');
    AppendEscapedHelp(&page, family.help);
    page.append("\n# TYPE ").append(name).append(" ").append(family.type).push_back('\n');
    for (const auto& [labels, counter] : family.counters)
      AppendValue(&page, name, labels, *counter);
    for (const auto& [labels, gauge] : family.gauges) AppendValue(&page, name, labels, *gauge);
    for (const auto& [labels, histogram] : family.histograms) {
      AppendValue(&page, name, labels, *histogram);
    }
    if (const auto it = collected.find(name); it != collected.end()) page.append(it->second);
  }
  return page;
}

std::vector<std::pair<std::string, std::string>> MetricRegistry::Families() const {
  const std::lock_guard lock(impl_->mutex);
  std::vector<std::pair<std::string, std::string>> families;
  for (const auto& [name, family] : impl_->families) families.emplace_back(name, family.help);
  return families;
}

}  // namespace gw
