// Compare: the results of several runs side by side, the first of them being what the others are
// measured against.
//
// Where the requests of both runs are there, each ratio of a latency to the first run's has a 95 %
// confidence interval: the percentile bootstrap (Efron, 1979), 1,000 resamples of the requests of
// both. It says what chance among the requests of these two runs can do. It takes requests for
// independent, which neighbours in a queue are not, and knows nothing of how much two runs of the
// same thing differ: repeat runs before believing in a few per cent.

#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/random.h"
#include "bench/load/result.h"

namespace gw::bench {

struct NamedResult {
  std::string name;  // such as its file's
  const Result* result;
};

struct Interval {
  double low;
  double high;
};

// One figure of all results. NaN: not measured.
struct ComparedFigure {
  std::string name;  // "TTFT p99, ms"
  bool less_is_better = true;
  std::vector<double> values = {};  // one of each result
  std::vector<double> ratios = {};  // to the first; NaN where either is zero or NaN
  // Of the ratios; nullopt: there are no requests to draw from.
  std::vector<std::optional<Interval>> intervals = {};
};

struct Comparison {
  std::vector<std::string> names;
  std::vector<ComparedFigure> figures;
};

// REQUIRES: two results at least
Comparison Compare(std::span<const NamedResult> results, Random& random);

// A line for each figure that any result has: its value in the first, then value and ratio (and the
// interval, where there is one) in each of the others. An asterisk marks intervals without 1.
std::string ComparisonText(const Comparison& comparison);

// A latency of each completed request that has it, in seconds, ascending. "TTFT", "TPOT" or "E2E".
struct LatencyValues {
  std::string name;
  std::vector<std::vector<double>> values_s;  // one of each result
};
std::vector<LatencyValues> LatenciesOf(std::span<const NamedResult> results);

// "x0.912 [0.873, 0.951]*"; "" without a ratio. REQUIRES: i < ratios.size()
std::string RatioText(const ComparedFigure& figure, size_t i);
// An interval without 1: better or worse than the first (1, -1), or 0.
int VerdictOf(const ComparedFigure& figure, size_t i);
inline constexpr char kIntervalNote[] =
    "[ ]: 95 % confidence interval of the ratio; *: without 1. Both of these runs alone:\n"
    "another run of the same may differ by more.";

// The interval of quantile(`with`) / quantile(`base`) for each of `shares`, and of the ratio of
// means behind them. Samples beyond kBootstrapMax are thinned out evenly first, which makes
// intervals wider, never narrower.
// REQUIRES: neither sample is empty
inline constexpr size_t kBootstrapMax = 20'000;
std::vector<Interval> BootstrapRatios(std::vector<double> base, std::vector<double> with,
                                      std::span<const double> shares, Random& random);

}  // namespace gw::bench
