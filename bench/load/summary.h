// Summary: the figures of a run, of all its requests and of each group of them.

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bench/load/record.h"

namespace gw::bench {

// What a request has to keep to be good (goodput); nullopt: nothing.
struct Objectives {
  std::optional<Duration> ttft;
  std::optional<Duration> tpot;
  std::optional<Duration> e2e;

  bool any() const { return ttft || tpot || e2e; }
};

// In seconds. All are NaN where nothing was measured.
struct Distribution {
  double mean, p50, p90, p95, p99, max;
  uint64_t count = 0;
};

struct Figures {
  uint64_t requests = 0;  // that were asked
  uint64_t completed = 0;
  std::map<std::string, uint64_t> ended;  // NameOf(AnswerEnd), without complete ones
  double requests_per_second = 0;         // completed
  double prompt_tokens_per_second = 0;
  double output_tokens_per_second = 0;
  int64_t prompt_tokens = 0;
  int64_t output_tokens = 0;
  std::optional<double> cached_share;  // of the prompt tokens; nullopt: no server said
  Distribution ttft, tpot, e2e;        // of completed ones
  std::optional<double> good_share;    // of all that were asked; nullopt: no objectives
  std::optional<double> goodput_per_second;
};

struct Summary {
  Figures all;
  std::vector<std::pair<RecordGroup, Figures>> groups;  // only where there is more than one
  Distribution gaps;                                    // between two events with output
  Distribution lateness;                                // of the generator itself
  std::map<std::string, uint64_t> errors;
  double seconds = 0;
  uint64_t warm_up = 0;
};

Summary Summarize(const RunRecords& run, const Objectives& objectives);

}  // namespace gw::bench
