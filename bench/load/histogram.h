// Histogram: how often durations of each length occurred, within 1 % of their lengths, in bounded
// memory (36 KB): buckets that grow with the length, as of HdrHistogram (hdrhistogram.org).

#pragma once

#include <cstdint>
#include <vector>

#include "base/clock.h"

namespace gw::bench {

class Histogram {
 public:
  Histogram();

  // Negative ones count as zero, those above an hour as an hour.
  void Add(Duration value) { AddMany(value, 1); }
  void AddMany(Duration value, uint64_t times);
  void Merge(const Histogram& other);

  uint64_t count() const { return count_; }
  Duration max() const { return max_; }  // exact, zero of nothing
  Duration mean() const;                 // exact, zero of nothing
  // The least value that `share` of all do not exceed (nearest rank), or up to 1 % above it; zero
  // of nothing.
  // REQUIRES: 0 <= share <= 1
  Duration Quantile(double share) const;
  // Ascending: the greatest value of a bucket and how many are in it, without the empty ones.
  struct Bucket {
    Duration upto;
    uint64_t count;
  };
  std::vector<Bucket> buckets() const;

 private:
  std::vector<uint64_t> counts_;
  uint64_t count_ = 0;
  double sum_ns_ = 0;
  Duration max_{};
};

}  // namespace gw::bench
