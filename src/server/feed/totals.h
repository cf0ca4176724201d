// What the metrics have counted, pool by pool, and what became of it in the last seconds: rates,
// shares and percentiles for whoever looks on. Nobody who counts is held up by it.

#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/clock.h"
#include "snapshot/snapshot.h"
#include "stats/metrics.h"

namespace gw {

// By the linear rule of PromQL's histogram_quantile; of values beyond the last bound that bound.
// nullopt: of nothing.
std::optional<double> QuantileOf(const HistogramValue& value, double q);

// Since the gateway's start.
struct PoolTotals {
  uint64_t requests = 0;
  uint64_t errors = 0;    // of them, with status 5xx or 429, or cut off, by whatever it was
  uint64_t rejected = 0;  // of them, answered by the gateway itself
  uint64_t prompt_tokens = 0;
  uint64_t cached_tokens = 0;
  uint64_t completion_tokens = 0;
  uint64_t prefix_blocks = 0;
  uint64_t prefix_hit_blocks = 0;
  HistogramValue ttft_s;
  HistogramValue tpot_s;

  void Add(const PoolTotals& other);
};
// By the pool's id; "": of requests that have reached none.
using Totals = std::map<std::string, PoolTotals, std::less<>>;
Totals ReadTotals(const MetricRegistry& metrics);
struct EndpointTotals {
  uint64_t requests = 0;
  uint64_t prefix_blocks = 0;
  uint64_t prefix_hit_blocks = 0;
};

// The totals of the last ten seconds, for differences.
class TotalsWindow {
 public:
  static constexpr Duration kLength = std::chrono::seconds(10);

  void Add(TimePoint now, const MetricRegistry& metrics, const Snapshot& snapshot);
  void Clear() { samples_.clear(); }

  // Between the first and the last Add that count; 0: there was one at most.
  double seconds() const;
  // What has come since the first one. Of what was not there then all.
  PoolTotals Of(std::string_view pool) const;
  PoolTotals OfAll() const;
  EndpointTotals Of(const EndpointState& state) const;
  // Per second; 0: nothing is known yet.
  double Rate(uint64_t count) const;

 private:
  struct Sample {
    TimePoint at;
    Totals totals;
    // The key is compared, never followed: its endpoint may be gone.
    absl::flat_hash_map<const EndpointState*, EndpointTotals> endpoints;
  };
  std::deque<Sample> samples_;
};

}  // namespace gw
