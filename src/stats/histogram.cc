#include "stats/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/check.h"
#include "stats/shard.h"

namespace gw {

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

size_t Histogram::BucketOf(double value) const {
  return std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
}

void Histogram::Observe(double value) {
  if (std::isnan(value)) return;
  const size_t shard = ThreadShard();
  Word(shard, 1 + BucketOf(value)).fetch_add(1, std::memory_order_relaxed);
  std::atomic<uint64_t>& sum = Word(shard, 0);
  uint64_t before = sum.load(std::memory_order_relaxed);
  // Almost always the first try: only threads beyond kStatsShards share a shard.
  while (!sum.compare_exchange_weak(before,
                                    std::bit_cast<uint64_t>(std::bit_cast<double>(before) + value),
                                    std::memory_order_relaxed)) {
  }
}

void Histogram::KeepExemplar(double value, const Exemplar& exemplar) {
  if (std::isnan(value)) return;
  Exemplars* kept = exemplars_.load(std::memory_order_acquire);
  if (kept == nullptr) {
    auto made = std::make_unique<Exemplars>(bounds_.size() + 1);
    if (exemplars_.compare_exchange_strong(kept, made.get(), std::memory_order_acq_rel)) {
      kept = made.release();
    }
  }
  kept->Keep(BucketOf(value), value, exemplar);
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

}  // namespace gw
