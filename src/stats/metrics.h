// Counters, gauges and histograms for Prometheus, cheap enough for the request path.
//
// Each metric keeps one cache line per shard; a thread always writes its own shard (ThreadShard),
// so that workers share nothing. Reading sums the shards. Look a metric up once (a lock), keep the
// handle, then use it without any.
//
//   Counter& scrapes = registry.AddCounter("penstock_scrapes_total", "Metrics pages read.");
//   scrapes.Add();
//
// Series of things that come and go (pools) are shared with who counts them: what is removed from
// the page stays where handles of it are, and counts for nobody.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "stats/exposition.h"
#include "stats/histogram.h"
#include "stats/shard.h"

namespace gw {

class Counter {
 public:
  void Add(uint64_t n = 1) { cells_[ThreadShard()].value.fetch_add(n, std::memory_order_relaxed); }
  uint64_t value() const;

 private:
  struct alignas(64) Cell {
    std::atomic<uint64_t> value{0};
  };
  Cell cells_[kStatsShards];
};

// A value that goes up and down; Add from many threads, or Set from one.
class Gauge {
 public:
  void Add(int64_t n) { cells_[ThreadShard()].value.fetch_add(n, std::memory_order_relaxed); }
  void Set(double value) { set_.store(value, std::memory_order_relaxed); }
  double value() const;

 private:
  struct alignas(64) Cell {
    std::atomic<int64_t> value{0};
  };
  Cell cells_[kStatsShards];
  std::atomic<double> set_{0};
};

// Seconds, 1 ms to 10 min, for requests that take as long as models take.
std::span<const double> LatencyBuckets();
// Seconds, 0.1 ms to 10 s, for gaps between tokens: pieces that a model server sent as one and the
// network has parted are less than 1 ms apart.
std::span<const double> InterTokenBuckets();

using Labels = std::vector<std::pair<std::string, std::string>>;

class MetricRegistry {
 public:
  MetricRegistry();
  ~MetricRegistry();

  // The metric of that name and those labels (in any order), made on first use. Names follow
  // Prometheus conventions (penstock_..._total, _seconds, _bytes); `help` is one sentence, the
  // first one given stays. Thread-safe. A label value is cut at label_value_bytes_max; bytes that
  // are not UTF-8 become "?", since a scraper refuses a page with them, and control characters are
  // escaped ("\u001b"), since the page is shown. Label values come from the configuration and from
  // this program; those that clients invent go through AdmitsOpenValue, or memory grows with every
  // name they think of.
  //
  // REQUIRES: a name always has the same type, and the same bounds if it is a histogram
  Counter& AddCounter(std::string_view name, std::string_view help, const Labels& labels = {});
  Gauge& AddGauge(std::string_view name, std::string_view help, const Labels& labels = {});
  Histogram& AddHistogram(std::string_view name, std::string_view help,
                          std::span<const double> upper_bounds, const Labels& labels = {});

  // The same for series that RemoveSeries may take away. Of one series either these or those above.
  std::shared_ptr<Counter> ShareCounter(std::string_view name, std::string_view help,
                                        const Labels& labels);
  std::shared_ptr<Gauge> ShareGauge(std::string_view name, std::string_view help,
                                    const Labels& labels);
  std::shared_ptr<Histogram> ShareHistogram(std::string_view name, std::string_view help,
                                            std::span<const double> upper_bounds,
                                            const Labels& labels);

  // Removes the shared series that have the label `name` with a value for which `gone` is true, and
  // what AdmitsOpenValue keeps of scopes of which it is.
  void RemoveSeries(std::string_view name, const std::function<bool(std::string_view)>& gone);
  // Grows with every RemoveSeries that removed something: kept handles may be of removed series.
  uint64_t removals() const { return removals_.load(std::memory_order_acquire); }

  // Values computed when the page is rendered (endpoints ready, index bytes): `collect` is called
  // with a sink for (labels, value), on the thread that renders, without the registry's lock.
  // `type` is "gauge" or "counter". What `collect` refers to must outlive the registry's last
  // Render. Several may share a name if their labels differ.
  using Sink = std::function<void(const Labels& labels, double value)>;
  void AddCallback(std::string_view name, std::string_view help, std::string_view type,
                   std::function<void(const Sink&)> collect);
  // The same for histograms.
  using HistogramSink = std::function<void(const Labels& labels, const HistogramValue& value)>;
  void AddHistogramCallback(std::string_view name, std::string_view help,
                            std::function<void(const HistogramSink&)> collect);

  // The series of a family, for who shows elsewhere what is counted: `visit` runs without the lock.
  // Nothing if there is no such family, or it is one of callbacks.
  void VisitCounters(std::string_view name,
                     const std::function<void(const Labels&, const Counter&)>& visit) const;
  void VisitGauges(std::string_view name,
                   const std::function<void(const Labels&, const Gauge&)>& visit) const;
  void VisitHistograms(std::string_view name,
                       const std::function<void(const Labels&, const Histogram&)>& visit) const;
  // The numbers of a family of counters or gauges, those of callbacks, too.
  void VisitNumbers(std::string_view name, const Sink& visit) const;

  // Families in the order of their names. The lock is held only to copy one family's handles at a
  // time: nobody who counts waits for a page.
  std::string Render(MetricsFormat format = MetricsFormat::kText) const;

  // For a label whose values clients choose: true if `value` is one of the first open_values_max
  // different ones of `scope` (of one pool, say), told apart by what a label shows of them. The
  // label of any other is to be "other", and only that label: all that did not come from the client
  // stays told apart. Thread-safe; the same for all workers.
  bool AdmitsOpenValue(std::string_view scope, std::string_view value);
  // True if it is one of those that AdmitsOpenValue was asked for and admitted.
  bool HasOpenValue(std::string_view scope, std::string_view value) const;

  static constexpr size_t open_values_max = 200;
  static constexpr size_t label_value_bytes_max = 512;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::atomic<uint64_t> removals_{0};
};

}  // namespace gw
