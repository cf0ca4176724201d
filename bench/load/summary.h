// Summary: the figures of a run, of all its requests and of each group of them. What each of them
// means, and where it differs from `vllm bench serve`, stands in record.h.

#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bench/load/record.h"

namespace gw::bench {

// What a request has to keep to be good (goodput); nullopt: nothing. As vLLM's --goodput: equal is
// kept, and the TPOT of a single token is zero. Without output no TTFT is kept.
struct Objectives {
  std::optional<Duration> ttft = {};
  std::optional<Duration> tpot = {};
  std::optional<Duration> e2e = {};

  bool operator==(const Objectives&) const = default;
  bool any() const { return ttft || tpot || e2e; }
  bool KeptBy(const Record& record) const;
};

// In seconds. All are NaN where nothing was measured. Percentiles are exact and interpolated
// linearly between the two nearest ranks, as numpy.percentile does (of gaps and lateness: nearest
// rank, within 1 %).
struct Distribution {
  static constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  double mean = kNone;
  double p50 = kNone;
  double p90 = kNone;
  double p95 = kNone;
  double p99 = kNone;
  double max = kNone;
  uint64_t count = 0;
};

// The `share`th part of `sorted`: the value at rank share * (size - 1) from 0, between two of them
// in proportion.
// REQUIRES: ascending, not empty, 0 <= share <= 1
double QuantileOfSorted(const std::vector<double>& sorted, double share);
Distribution DistributionOf(std::vector<double> values);
Distribution DistributionOf(const Histogram& histogram);

struct Figures {
  uint64_t requests = 0;  // that were asked
  uint64_t completed = 0;
  std::map<std::string, uint64_t> ended = {};  // NameOf(AnswerEnd), without complete ones
  double requests_per_second = 0;              // completed
  double prompt_tokens_per_second = 0;
  double output_tokens_per_second = 0;
  int64_t prompt_tokens = 0;  // of completed ones, as all tokens are
  int64_t output_tokens = 0;
  // Of the prompt tokens of requests whose server said how many were cached; nullopt: none did.
  std::optional<double> cached_share = {};
  Distribution ttft = {};                 // of completed ones with output
  Distribution tpot = {};                 // of completed ones with two output tokens at least
  Distribution e2e = {};                  // of completed ones
  std::optional<double> good_share = {};  // of all that were asked; nullopt: no objectives
  std::optional<double> goodput_per_second = {};
};

struct Summary {
  Figures all;
  std::vector<std::pair<RecordGroup, Figures>> groups;  // only where there is more than one
  Distribution gaps;                                    // between two events with output
  Distribution lateness;                                // of the generator itself
  Distribution held;  // for a place, of all requests; nothing where none had to wait
  std::map<std::string, uint64_t> errors;
  // What all rates are over: from the start of the run until its last answer; after a warm-up from
  // when the first request that counts was due.
  double seconds = 0;
  uint64_t warm_up = 0;
};

Summary Summarize(const RunRecords& run, const Objectives& objectives);

}  // namespace gw::bench
