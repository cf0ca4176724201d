#include "scheduling/load_curve.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

namespace gw {
namespace {

// Four loads at a time, by the compiler's own vectors: what it makes of a loop over lanes takes two
// and a half times as long. Loads are whole numbers and their sums exact, in whatever order.
constexpr size_t kLanes = 4;
using Floats = float __attribute__((vector_size(kLanes * sizeof(float))));
using Ints = int32_t __attribute__((vector_size(kLanes * sizeof(int32_t))));
using Doubles = double __attribute__((vector_size(kLanes / 2 * sizeof(double))));
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Of the loads that are known.
struct Summary {
  float least = kInfinity;
  double sum = 0;
  int32_t known = 0;

  void Add(float load) {
    if (load < 0) return;
    least = std::min(least, load);
    sum += static_cast<double>(load);
    ++known;
  }
};

Summary Summarize(std::span<const float> loads) {
  const Floats infinity = {kInfinity, kInfinity, kInfinity, kInfinity};
  const Floats zero = {};
  Floats least = infinity;
  Doubles sum = {};
  Doubles sum_high = {};
  Ints known = {};
  size_t i = 0;
  for (; i + kLanes <= loads.size(); i += kLanes) {
    Floats load;
    std::memcpy(&load, loads.data() + i, sizeof(load));
    const Ints unknown = load < zero;  // -1 where it is so
    const Floats high = unknown ? infinity : load;
    least = high < least ? high : least;
    const Floats low = unknown ? zero : load;
    sum += Doubles{low[0], low[1]};
    sum_high += Doubles{low[2], low[3]};
    known += unknown + 1;
  }
  Summary all;
  for (size_t lane = 0; lane < kLanes; ++lane) {
    all.least = std::min(all.least, least[lane]);
    all.known += known[lane];
  }
  all.sum = sum[0] + sum[1] + sum_high[0] + sum_high[1];
  for (; i < loads.size(); ++i) all.Add(loads[i]);
  return all;
}

}  // namespace

void LoadScore(float slack, std::span<float> values) {
  const Summary loads = Summarize(values);
  const double mean = loads.known == 0 ? 0 : loads.sum / loads.known;
  const float scale = slack + static_cast<float>(mean) / 2;
  for (float& value : values) {
    value = value < 0 ? kUnknownLoadScore : scale / (scale + (value - loads.least));
  }
}

}  // namespace gw
