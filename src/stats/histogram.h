// Histogram: counts by bucket, cheap enough for the request path (metrics.h).

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "stats/exemplar.h"

namespace gw {

// How often values fell into each bucket (value <= upper bound), and their sum. NaN is not counted.
class Histogram {
 public:
  // REQUIRES: upper_bounds ascends strictly and does not hold +Inf, which is always there
  explicit Histogram(std::span<const double> upper_bounds);
  ~Histogram() { delete exemplars_.load(std::memory_order_relaxed); }
  Histogram(const Histogram&) = delete;
  Histogram& operator=(const Histogram&) = delete;
  void Observe(double value);
  // And keeps which request it was, in place of the last one of the bucket; nullopt: one that is
  // not traced. The first to be kept makes room for all buckets' (2 KiB), no other allocates.
  void Observe(double value, const std::optional<Exemplar>& exemplar) {
    Observe(value);
    if (exemplar) KeepExemplar(value, *exemplar);
  }

  std::span<const double> upper_bounds() const { return bounds_; }
  // One count per upper bound and one for +Inf, not cumulative.
  std::vector<uint64_t> BucketCounts() const;
  uint64_t count() const;
  double sum() const;
  // nullptr: there has been none.
  const Exemplars* exemplars() const { return exemplars_.load(std::memory_order_acquire); }

 private:
  size_t BucketOf(double value) const;
  void KeepExemplar(double value, const Exemplar& exemplar);

  // A shard is lines_per_shard_ of these: word 0 is the sum (bits of a double), then the counts.
  static constexpr size_t kWordsPerLine = 8;
  struct alignas(64) Line {
    std::atomic<uint64_t> words[kWordsPerLine]{};
  };
  std::atomic<uint64_t>& Word(size_t shard, size_t index) const {
    return lines_[shard * lines_per_shard_ + index / kWordsPerLine].words[index % kWordsPerLine];
  }

  std::vector<double> bounds_;
  size_t lines_per_shard_;
  std::unique_ptr<Line[]> lines_;
  std::atomic<Exemplars*> exemplars_{nullptr};  // owned
};

// What a histogram says, for who adds some up.
struct HistogramValue {
  std::vector<double> upper_bounds;
  std::vector<uint64_t> counts;  // one more, not cumulative
  double sum = 0;
};

}  // namespace gw
