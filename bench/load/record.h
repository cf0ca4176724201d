// What a run has measured: a Record for each request, and distributions that are too large to keep
// in full. Input of all reports.

#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "bench/load/ask.h"
#include "bench/load/histogram.h"

namespace gw::bench {

// Without texts: of a million requests it stays small.
struct Record {
  Duration due{};
  Duration sent{};
  Duration first{};  // zero: no output came
  Duration last{};
  Duration ended{};
  Duration gap_max{};
  uint32_t events = 0;
  int64_t prompt_tokens = -1;
  int64_t output_tokens = -1;  // as reported, else `events`
  int64_t cached_tokens = -1;
  AnswerEnd end = AnswerEnd::kUnfinished;
  int status = 0;
  uint16_t group = 0;    // indexes RunRecords::groups
  uint32_t session = 0;  // numbers them in the order in which they began
  uint32_t turn = 0;

  bool ok() const { return end == AnswerEnd::kComplete; }
  Duration ttft() const { return first - due; }
  Duration e2e() const { return ended - due; }
  // Between output tokens, on average; zero with fewer than two of them.
  Duration tpot() const;
};

// A tenant and a priority, which figures are also gathered under.
struct RecordGroup {
  std::string tenant;
  std::string priority;

  bool operator==(const RecordGroup&) const = default;
};

struct RunRecords {
  std::vector<Record> records;             // of those that count, in the order in which they ended
  std::vector<RecordGroup> groups;         // the first is {"", ""}
  Histogram gaps;                          // between two events with output, all requests
  Histogram lateness;                      // sent - due: the generator's own
  std::map<std::string, uint64_t> errors;  // Answer::error, how often
  Duration length{};                       // of the run, from its start until the last answer
  uint64_t warm_up = 0;                    // requests that were left out

  // One that was asked and answered; what does not count is counted in warm_up only.
  void Add(const Ask& ask, const Answer& answer);
};

}  // namespace gw::bench
