// What a run has measured: a Record for each request, and distributions that are too large to keep
// in full. Input of all reports.
//
// The figures are those of `vllm bench serve` (vllm/benchmarks/serve.py, calculate_metrics), but
// for these:
//   latency    counts from when a request was due, not from when it was sent: a generator or a
//              connection that was late is part of what a user waits (coordinated omission)
//   E2E        ends with the answer; vLLM's with its last event before [DONE]
//   tokens     of servers that report none are counted by events; vLLM asks a tokenizer
//   TTFT       is left out of answers without output, which vLLM calls failed

#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "bench/load/ask.h"
#include "bench/load/histogram.h"

namespace gw::bench {

// Without texts: of a million requests it stays small. Times count from the start of the run.
struct Record {
  Duration due{};
  Duration sent{};   // zero: never
  Duration first{};  // zero: no output came
  Duration last{};
  Duration ended{};
  Duration gap_max{};
  Duration held{};  // of what is before `sent`: it waited for a place, which is nobody's lateness
  uint32_t events = 0;
  int64_t prompt_tokens = -1;  // as reported, else as the workload means it; -1: neither
  int64_t output_tokens = -1;  // as reported, else `events`
  int64_t cached_tokens = -1;  // -1: not reported
  AnswerEnd end = AnswerEnd::kUnfinished;
  int status = 0;
  uint16_t group = 0;    // indexes RunRecords::groups
  uint32_t session = 0;  // numbers them from 1, in the order in which they are added; 0: none
  uint32_t turn = 0;

  bool operator==(const Record&) const = default;
  bool ok() const { return end == AnswerEnd::kComplete; }
  bool has_output() const { return first != Duration(0); }
  // REQUIRES: has_output()
  Duration ttft() const { return first - due; }
  Duration e2e() const { return ended - due; }
  // Between output tokens, on average: (E2E - TTFT) / (output tokens - 1); zero with fewer than two
  // of them.
  Duration tpot() const;
};

// A tenant and a priority, which figures are also gathered under.
struct RecordGroup {
  std::string tenant;
  std::string priority;

  bool operator==(const RecordGroup&) const = default;
};

struct RunRecords {
  // Groups and errors of further names are counted under kOther: names come from workloads and
  // servers, and reports are read by people.
  static constexpr size_t kGroupsMax = 200;
  static constexpr size_t kErrorsMax = 100;
  static constexpr std::string_view kOther = "(other)";

  std::vector<Record> records;             // of those that count, in the order in which they ended
  std::vector<RecordGroup> groups = {{}};  // the first is {"", ""}
  Histogram gaps;                          // between two events with output, all requests
  Histogram lateness;                      // sent - due - held: the generator's own
  std::map<std::string, uint64_t> errors;  // Answer::error (or how it ended), how often
  Duration length{};                       // from the start of the run until the last answer
  uint64_t warm_up = 0;                    // requests that were left out
  std::unordered_map<std::string, uint32_t> sessions = {};  // Ask::session -> Record::session

  // One that was asked and answered; what does not count is counted in warm_up only. All but `gaps`
  // is kept by it, which takes one value for each gap of a request that counts.
  void Add(const Ask& ask, const Answer& answer);

  // Another run that came behind this one, as if it had begun where this one ended.
  void Append(const RunRecords& next);

 private:
  uint16_t GroupOf(RecordGroup wanted);
};

}  // namespace gw::bench
