#include "scheduling/best.h"

#include <algorithm>

#include "base/check.h"

namespace gw {
namespace {

constexpr size_t kLanes = 8;

// Keeps `best` sorted. Equal ones stay behind those that came before.
class Ranking {
 public:
  Ranking(std::span<const float> totals, size_t but, std::span<size_t> best)
      : totals_(totals), but_(but), best_(best) {}

  size_t found() const { return found_; }

  void Walk(size_t begin, size_t end) {
    // Nearly all are turned away by one comparison, so several are compared at once.
    for (; found_ < best_.size() && begin < end; ++begin) Offer(begin);
    for (; begin + kLanes <= end; begin += kLanes) {
      const float least = totals_[best_.back()];
      bool any = false;
      for (size_t lane = 0; lane < kLanes; ++lane) any |= totals_[begin + lane] > least;
      for (size_t lane = 0; any && lane < kLanes; ++lane) Offer(begin + lane);
    }
    for (; begin < end; ++begin) Offer(begin);
  }

 private:
  void Offer(size_t i) {
    const float total = totals_[i];
    if (i == but_) return;
    if (found_ == best_.size() && !(total > totals_[best_[found_ - 1]])) return;
    size_t at = std::min(found_, best_.size() - 1);
    for (; at > 0 && total > totals_[best_[at - 1]]; --at) best_[at] = best_[at - 1];
    best_[at] = i;
    found_ = std::min(found_ + 1, best_.size());
  }

  std::span<const float> totals_;
  const size_t but_;
  std::span<size_t> best_;
  size_t found_ = 0;
};

}  // namespace

float HighestOf(std::span<const float> totals) {
  DCHECK(!totals.empty());
  float highest = totals[0];
  size_t i = 0;
  if (totals.size() >= kLanes) {
    float lanes[kLanes];
    std::copy_n(totals.data(), kLanes, lanes);
    for (i = kLanes; i + kLanes <= totals.size(); i += kLanes) {
      for (size_t lane = 0; lane < kLanes; ++lane) {
        lanes[lane] = totals[i + lane] > lanes[lane] ? totals[i + lane] : lanes[lane];
      }
    }
    for (const float lane : lanes) highest = std::max(highest, lane);
  }
  for (; i < totals.size(); ++i) highest = std::max(highest, totals[i]);
  return highest;
}

size_t PickHighest(std::span<const float> totals, float tie, Random& random) {
  const float least = HighestOf(totals) - tie;
  uint32_t ties = 0;
  for (const float total : totals) ties += total >= least ? 1 : 0;
  uint64_t skip = ties > 1 ? random.Below(ties) : 0;
  for (size_t i = 0; i < totals.size(); ++i) {
    if (totals[i] >= least && skip-- == 0) return i;
  }
  return 0;  // only if a total is not a number
}

size_t FindBest(std::span<const float> totals, size_t but, size_t from, std::span<size_t> best) {
  DCHECK(from < totals.size());
  if (best.empty()) return 0;
  Ranking ranking(totals, but, best);
  ranking.Walk(from, totals.size());
  ranking.Walk(0, from);
  return ranking.found();
}

}  // namespace gw
