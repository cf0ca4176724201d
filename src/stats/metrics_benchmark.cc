// What counting costs a worker: alone and with every core counting into the same metric.

#include <benchmark/benchmark.h>

#include <optional>

#include "stats/metrics.h"

namespace gw {
namespace {

void CounterAdd(benchmark::State& state) {
  static Counter counter;
  for (auto _ : state) counter.Add();
}
BENCHMARK(CounterAdd)->ThreadRange(1, 2);

void HistogramObserve(benchmark::State& state) {
  static Histogram histogram(LatencyBuckets());
  double value = 0.0005;
  for (auto _ : state) {
    histogram.Observe(value);
    value = value < 100 ? value * 1.5 : 0.0005;
  }
}
BENCHMARK(HistogramObserve)->ThreadRange(1, 2);

// The same of requests that are traced: every one is kept as the exemplar of its bucket.
void HistogramObserveExemplar(benchmark::State& state) {
  static Histogram histogram(LatencyBuckets());
  double value = 0.0005;
  Exemplar exemplar{1, 2, 3, 4};
  for (auto _ : state) {
    ++exemplar.span;
    histogram.Observe(value, exemplar);
    value = value < 100 ? value * 1.5 : 0.0005;
  }
}
BENCHMARK(HistogramObserveExemplar)->ThreadRange(1, 2);

// And of those that are not, as a histogram of requests is told.
void HistogramObserveNoExemplar(benchmark::State& state) {
  static Histogram histogram(LatencyBuckets());
  double value = 0.0005;
  std::optional<Exemplar> exemplar;
  for (auto _ : state) {
    benchmark::DoNotOptimize(exemplar);
    histogram.Observe(value, exemplar);
    value = value < 100 ? value * 1.5 : 0.0005;
  }
}
BENCHMARK(HistogramObserveNoExemplar)->ThreadRange(1, 2);

// The price of a look-up, which handles are kept to avoid.
void LookUp(benchmark::State& state) {
  MetricRegistry registry;
  for (auto _ : state) {
    benchmark::DoNotOptimize(&registry.AddCounter("penstock_requests_total", "Requests.",
                                                  {{"pool", "default/qwen"}, {"code", "200"}}));
  }
}
BENCHMARK(LookUp);

// A page of 100 series of each type.
void Render(benchmark::State& state) {
  MetricRegistry registry;
  for (int i = 0; i < 100; ++i) {
    const Labels labels = {{"pool", std::to_string(i)}};
    registry.AddCounter("penstock_c_total", "C.", labels).Add(i);
    registry.AddGauge("penstock_g", "G.", labels).Set(i / 7.0);
    registry.AddHistogram("penstock_h", "H.", LatencyBuckets(), labels).Observe(i);
  }
  size_t bytes = 0;
  for (auto _ : state) bytes += registry.Render().size();
  state.SetBytesProcessed(static_cast<int64_t>(bytes));
}
BENCHMARK(Render)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace gw
