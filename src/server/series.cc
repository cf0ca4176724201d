#include "server/series.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace gw {

std::string_view LabelOf(const Labels& labels, std::string_view name) {
  for (const auto& [label, value] : labels) {
    if (label == name) return value;
  }
  return {};
}

void AddTo(const Histogram& histogram, HistogramValue* sum) {
  const std::vector<uint64_t> counts = histogram.BucketCounts();
  sum->upper_bounds.assign(histogram.upper_bounds().begin(), histogram.upper_bounds().end());
  sum->counts.resize(counts.size());
  for (size_t i = 0; i < counts.size(); ++i) sum->counts[i] += counts[i];
  sum->sum += histogram.sum();
}

void AddTo(const HistogramValue& value, HistogramValue* sum) {
  if (sum->counts.empty()) {
    *sum = value;
    return;
  }
  for (size_t i = 0; i < value.counts.size(); ++i) sum->counts[i] += value.counts[i];
  sum->sum += value.sum;
}

}  // namespace gw
