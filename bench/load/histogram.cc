#include "bench/load/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/check.h"

namespace gw::bench {
namespace {

// Durations below 2 * kPerOctave ns have a bucket each; from there on every doubling is cut into
// kPerOctave buckets, so that a bucket is at most 1/128 of its values wide.
constexpr uint64_t kPerOctave = 128;
constexpr int kOctaveBits = 7;
constexpr Duration kValueMax = std::chrono::hours(1);

size_t IndexOf(uint64_t ns) {
  if (ns < 2 * kPerOctave) return ns;
  const int shift = std::bit_width(ns) - kOctaveBits - 1;
  return kPerOctave * static_cast<uint64_t>(shift) + (ns >> shift);
}

// The greatest value of a bucket.
Duration UptoOf(size_t index) {
  if (index < 2 * kPerOctave) return Duration(index);
  const size_t shift = index / kPerOctave - 1;
  const uint64_t first = index - kPerOctave * shift;
  return Duration(((first + 1) << shift) - 1);
}

}  // namespace

Histogram::Histogram() : counts_(IndexOf(static_cast<uint64_t>(kValueMax.count())) + 1) {}

void Histogram::AddMany(Duration value, uint64_t times) {
  if (times == 0) return;
  value = std::clamp(value, Duration(0), kValueMax);
  counts_[IndexOf(static_cast<uint64_t>(value.count()))] += times;
  count_ += times;
  sum_ns_ += static_cast<double>(value.count()) * static_cast<double>(times);
  max_ = std::max(max_, value);
}

void Histogram::Merge(const Histogram& other) {
  for (size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  sum_ns_ += other.sum_ns_;
  max_ = std::max(max_, other.max_);
}

Duration Histogram::mean() const {
  if (count_ == 0) return {};
  return Duration(std::llround(sum_ns_ / static_cast<double>(count_)));
}

Duration Histogram::Quantile(double share) const {
  CHECK(share >= 0 && share <= 1);
  if (count_ == 0) return {};
  const auto rank = static_cast<uint64_t>(std::ceil(share * static_cast<double>(count_)));
  uint64_t seen = 0;
  for (size_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    if (seen >= rank && seen > 0) return std::min(UptoOf(i), max_);
  }
  return max_;
}

std::vector<Histogram::Bucket> Histogram::buckets() const {
  std::vector<Bucket> out;
  for (size_t i = 0; i < counts_.size(); ++i) {
    if (counts_[i] > 0) out.push_back({std::min(UptoOf(i), max_), counts_[i]});
  }
  return out;
}

}  // namespace gw::bench
