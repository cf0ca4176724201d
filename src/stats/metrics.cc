#include "stats/metrics.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "base/check.h"
#include "base/mutex.h"
#include "stats/metrics_page.h"

namespace gw {
namespace {

constexpr std::array kLatencyBuckets = {0.001, 0.0025, 0.005, 0.01,  0.025, 0.05, 0.1,
                                        0.25,  0.5,    1.0,   2.5,   5.0,   10.0, 20.0,
                                        40.0,  60.0,   120.0, 300.0, 600.0};
constexpr std::array kInterTokenBuckets = {
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.025, 0.03,
    0.04,   0.05,    0.075,  0.1,   0.15,   0.2,   0.3,    0.5,  1.0,   2.0,  5.0,   10.0};

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

}  // namespace

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

std::span<const double> LatencyBuckets() { return kLatencyBuckets; }
std::span<const double> InterTokenBuckets() { return kInterTokenBuckets; }

struct MetricRegistry::Impl {
  template <typename Metric>
  struct Series {
    template <typename... Args>
    Series(std::string label_text, const Labels& label_list, Args&&... args)
        : text(std::move(label_text)), labels(label_list), metric(args...) {}
    const std::string text;
    const Labels labels;
    bool permanent = false;  // somebody has a reference; under the registry's lock
    Metric metric;
  };
  // Keyed by LabelText.
  template <typename Metric>
  using AllSeries = std::map<std::string, std::shared_ptr<Series<Metric>>, std::less<>>;

  struct Family {
    std::string help;
    std::string type;
    // One of these is filled, by type.
    AllSeries<Counter> counters;
    AllSeries<Gauge> gauges;
    AllSeries<Histogram> histograms;
    std::vector<std::function<void(const Sink&)>> callbacks;
    std::vector<std::function<void(const HistogramSink&)>> histogram_callbacks;
  };

  // The family of that name, made if missing. REQUIRES: mutex is held
  Family& FindFamily(std::string_view name, std::string_view help, std::string_view type)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    const auto [it, inserted] = families.try_emplace(std::string(name));
    if (inserted) {
      it->second.help = help;
      it->second.type = type;
    }
    CHECK(it->second.type == type);
    return it->second;
  }

  template <typename Metric, typename... Args>
  static std::shared_ptr<Series<Metric>> FindSeries(AllSeries<Metric>& series, const Labels& labels,
                                                    bool permanent, Args&&... args) {
    std::string key = LabelText(labels);
    auto it = series.find(key);
    if (it == series.end()) {
      auto made = std::make_shared<Series<Metric>>(key, labels, args...);
      it = series.emplace(std::move(key), std::move(made)).first;
    }
    it->second->permanent |= permanent;
    return it->second;
  }

  std::shared_ptr<Series<Counter>> FindCounter(std::string_view name, std::string_view help,
                                               const Labels& labels, bool permanent) {
    const MutexLock lock(mutex);
    Family& family = FindFamily(name, help, "counter");
    CHECK(family.callbacks.empty());
    return FindSeries(family.counters, labels, permanent);
  }

  std::shared_ptr<Series<Gauge>> FindGauge(std::string_view name, std::string_view help,
                                           const Labels& labels, bool permanent) {
    const MutexLock lock(mutex);
    Family& family = FindFamily(name, help, "gauge");
    CHECK(family.callbacks.empty());
    return FindSeries(family.gauges, labels, permanent);
  }

  std::shared_ptr<Series<Histogram>> FindHistogram(std::string_view name, std::string_view help,
                                                   std::span<const double> upper_bounds,
                                                   const Labels& labels, bool permanent) {
    const MutexLock lock(mutex);
    Family& family = FindFamily(name, help, "histogram");
    CHECK(family.histogram_callbacks.empty());
    auto series = FindSeries(family.histograms, labels, permanent, upper_bounds);
    CHECK(std::ranges::equal(series->metric.upper_bounds(), upper_bounds));
    return series;
  }

  // In the order of their names. What is in them is guarded by the lock, they themselves stay.
  std::vector<std::pair<const std::string*, Family*>> AllFamilies() {
    const MutexLock lock(mutex);
    std::vector<std::pair<const std::string*, Family*>> all;
    for (auto& [name, family] : families) all.emplace_back(&name, &family);
    return all;
  }

  template <typename Metric>
  std::vector<std::shared_ptr<Series<Metric>>> CopyOf(const AllSeries<Metric>& series) const {
    std::vector<std::shared_ptr<Series<Metric>>> copy;
    const MutexLock lock(mutex);
    copy.reserve(series.size());
    for (const auto& [text, each] : series) copy.push_back(each);
    return copy;
  }

  template <typename Metric>
  void Visit(std::string_view name, AllSeries<Metric> Family::* member,
             const std::function<void(const Labels&, const Metric&)>& visit) const {
    std::vector<std::shared_ptr<Series<Metric>>> copy;
    {
      const MutexLock lock(mutex);
      const auto family = families.find(name);
      if (family == families.end()) return;
      for (const auto& [text, each] : family->second.*member) copy.push_back(each);
    }
    for (const auto& each : copy) visit(each->labels, each->metric);
  }

  // What the callbacks say, by family. They run without the lock, so that one which registers or
  // looks up a metric cannot deadlock.
  struct Collected {
    std::map<std::string, std::vector<std::pair<std::string, double>>, std::less<>> numbers;
    std::map<std::string, std::vector<std::pair<std::string, HistogramValue>>, std::less<>>
        histograms;
  };
  Collected Collect() const {
    std::vector<std::pair<std::string, std::function<void(const Sink&)>>> callbacks;
    std::vector<std::pair<std::string, std::function<void(const HistogramSink&)>>> histograms;
    {
      const MutexLock lock(mutex);
      for (const auto& [name, family] : families) {
        for (const auto& each : family.callbacks) callbacks.emplace_back(name, each);
        for (const auto& each : family.histogram_callbacks) histograms.emplace_back(name, each);
      }
    }
    Collected collected;
    for (const auto& [name, callback] : callbacks) {
      callback([&into = collected.numbers[name]](const Labels& labels, double value) {
        into.emplace_back(LabelText(labels), value);
      });
    }
    for (const auto& [name, callback] : histograms) {
      callback([&into = collected.histograms[name]](const Labels& labels, const auto& value) {
        into.emplace_back(LabelText(labels), value);
      });
    }
    return collected;
  }

  void Render(const std::string& name, const Family& family, const Collected& collected,
              MetricsPage* page) const {
    for (const auto& each : CopyOf(family.counters)) page->Add(each->text, each->metric.value());
    for (const auto& each : CopyOf(family.gauges)) page->Add(each->text, each->metric.value());
    for (const auto& each : CopyOf(family.histograms)) {
      const Histogram& metric = each->metric;
      page->Add(each->text,
                {metric.upper_bounds(), metric.BucketCounts(), metric.sum(), metric.exemplars()});
    }
    if (const auto it = collected.numbers.find(name); it != collected.numbers.end()) {
      for (const auto& [labels, value] : it->second) page->Add(labels, value);
    }
    if (const auto it = collected.histograms.find(name); it != collected.histograms.end()) {
      for (const auto& [labels, value] : it->second) {
        page->Add(labels, {value.upper_bounds, value.counts, value.sum});
      }
    }
  }

  template <typename Metric>
  static bool Remove(AllSeries<Metric>& series, std::string_view label,
                     const std::function<bool(std::string_view)>& gone) {
    const auto is_gone = [&](const auto& entry) {
      if (entry.second->permanent) return false;
      return std::ranges::any_of(entry.second->labels, [&](const auto& pair) {
        return pair.first == label && gone(pair.second);
      });
    };
    return std::erase_if(series, is_gone) > 0;
  }

  mutable Mutex mutex;  // guards the maps, not the metrics in them
  std::map<std::string, Family, std::less<>> families ABSL_GUARDED_BY(mutex);
  // By scope.
  std::map<std::string, std::set<std::string, std::less<>>, std::less<>> open_values
      ABSL_GUARDED_BY(mutex);
};

MetricRegistry::MetricRegistry() : impl_(std::make_unique<Impl>()) {}
MetricRegistry::~MetricRegistry() = default;

Counter& MetricRegistry::AddCounter(std::string_view name, std::string_view help,
                                    const Labels& labels) {
  return impl_->FindCounter(name, help, labels, true)->metric;
}

Gauge& MetricRegistry::AddGauge(std::string_view name, std::string_view help,
                                const Labels& labels) {
  return impl_->FindGauge(name, help, labels, true)->metric;
}

Histogram& MetricRegistry::AddHistogram(std::string_view name, std::string_view help,
                                        std::span<const double> upper_bounds,
                                        const Labels& labels) {
  return impl_->FindHistogram(name, help, upper_bounds, labels, true)->metric;
}

std::shared_ptr<Counter> MetricRegistry::ShareCounter(std::string_view name, std::string_view help,
                                                      const Labels& labels) {
  auto series = impl_->FindCounter(name, help, labels, false);
  return {series, &series->metric};
}

std::shared_ptr<Gauge> MetricRegistry::ShareGauge(std::string_view name, std::string_view help,
                                                  const Labels& labels) {
  auto series = impl_->FindGauge(name, help, labels, false);
  return {series, &series->metric};
}

std::shared_ptr<Histogram> MetricRegistry::ShareHistogram(std::string_view name,
                                                          std::string_view help,
                                                          std::span<const double> upper_bounds,
                                                          const Labels& labels) {
  auto series = impl_->FindHistogram(name, help, upper_bounds, labels, false);
  return {series, &series->metric};
}

void MetricRegistry::RemoveSeries(std::string_view name,
                                  const std::function<bool(std::string_view)>& gone) {
  bool removed = false;
  for (auto& [family_name, family] : impl_->AllFamilies()) {
    const MutexLock lock(impl_->mutex);
    removed |= Impl::Remove(family->counters, name, gone);
    removed |= Impl::Remove(family->gauges, name, gone);
    removed |= Impl::Remove(family->histograms, name, gone);
  }
  const MutexLock lock(impl_->mutex);
  std::erase_if(impl_->open_values, [&](const auto& scope) { return gone(scope.first); });
  if (removed) removals_.fetch_add(1, std::memory_order_release);
}

bool MetricRegistry::AdmitsOpenValue(std::string_view scope, std::string_view value) {
  const std::string shown = CleanLabelValue(value, label_value_bytes_max);
  const MutexLock lock(impl_->mutex);
  auto& values = impl_->open_values.try_emplace(std::string(scope)).first->second;
  if (values.contains(shown)) return true;
  if (values.size() >= open_values_max) return false;
  values.emplace(shown);
  return true;
}

bool MetricRegistry::HasOpenValue(std::string_view scope, std::string_view value) const {
  const std::string shown = CleanLabelValue(value, label_value_bytes_max);
  const MutexLock lock(impl_->mutex);
  const auto values = impl_->open_values.find(scope);
  return values != impl_->open_values.end() && values->second.contains(shown);
}

void MetricRegistry::AddCallback(std::string_view name, std::string_view help,
                                 std::string_view type, std::function<void(const Sink&)> collect) {
  CHECK(type == "gauge" || type == "counter");
  const MutexLock lock(impl_->mutex);
  Impl::Family& family = impl_->FindFamily(name, help, type);
  CHECK(family.counters.empty() && family.gauges.empty());
  family.callbacks.push_back(std::move(collect));
}

void MetricRegistry::AddHistogramCallback(std::string_view name, std::string_view help,
                                          std::function<void(const HistogramSink&)> collect) {
  const MutexLock lock(impl_->mutex);
  Impl::Family& family = impl_->FindFamily(name, help, "histogram");
  CHECK(family.histograms.empty());
  family.histogram_callbacks.push_back(std::move(collect));
}

void MetricRegistry::VisitCounters(
    std::string_view name, const std::function<void(const Labels&, const Counter&)>& visit) const {
  impl_->Visit<Counter>(name, &Impl::Family::counters, visit);
}

void MetricRegistry::VisitGauges(
    std::string_view name, const std::function<void(const Labels&, const Gauge&)>& visit) const {
  impl_->Visit<Gauge>(name, &Impl::Family::gauges, visit);
}

void MetricRegistry::VisitHistograms(
    std::string_view name,
    const std::function<void(const Labels&, const Histogram&)>& visit) const {
  impl_->Visit<Histogram>(name, &Impl::Family::histograms, visit);
}

void MetricRegistry::VisitNumbers(std::string_view name, const Sink& visit) const {
  VisitCounters(name, [&visit](const Labels& labels, const Counter& counter) {
    visit(labels, static_cast<double>(counter.value()));
  });
  VisitGauges(name,
              [&visit](const Labels& labels, const Gauge& gauge) { visit(labels, gauge.value()); });
  std::vector<std::function<void(const Sink&)>> callbacks;
  {
    const MutexLock lock(impl_->mutex);
    const auto family = impl_->families.find(name);
    if (family != impl_->families.end()) callbacks = family->second.callbacks;
  }
  for (const auto& callback : callbacks) callback(visit);
}

std::string MetricRegistry::Render(MetricsFormat format) const {
  const Impl::Collected collected = impl_->Collect();
  const auto families = impl_->AllFamilies();
  std::set<std::string_view> names;
  for (const auto& [name, family] : families) names.insert(*name);
  MetricsPage page(format);
  for (const auto& [name, family] : families) {
    const std::string_view stem = std::string_view(*name).substr(0, name->rfind('_'));
    page.Begin({*name, family->help, family->type, stem != *name && names.contains(stem)});
    impl_->Render(*name, *family, collected, &page);
  }
  return page.Finish();
}

}  // namespace gw
