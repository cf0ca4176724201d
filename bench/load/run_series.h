// RunSeries: how a run went over time, and how its latencies were distributed, by group: what plots
// are drawn from.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/load/result.h"

namespace gw::bench {

// One value for each bin of time; NaN: nothing to say.
struct GroupSeries {
  std::string name;
  uint64_t requests = 0;
  // Of requests that were due in the bin and completed.
  std::vector<double> ttft_p50_ms;
  std::vector<double> ttft_p90_ms;
  std::vector<double> ttft_p99_ms;
  std::vector<double> requests_per_s;  // that completed in it
  // Those of completed requests, evenly between first output and end: nobody kept each token's
  // time.
  std::vector<double> output_tokens_per_s;
  std::vector<double> in_flight;  // on average over the bin, whatever became of them
  // Of all of them that completed, ascending.
  std::vector<double> ttfts_s;
  std::vector<double> tpots_s;
};

struct RunSeries {
  static constexpr size_t kBinsMax = 100;

  double bin_s = 1;            // 1, 2 or 5 times a power of ten
  std::vector<double> mids_s;  // the middle of each bin
  size_t groups = 0;           // that there are
  // All requests as one series where there is one group; else those of most requests, at most
  // `groups_max`, in the order of the names.
  std::vector<GroupSeries> series;
};

RunSeries SeriesOf(const Result& result, size_t groups_max);

}  // namespace gw::bench
