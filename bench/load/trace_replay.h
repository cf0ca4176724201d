// TraceReplay: requests as a service has had them, at their times, as long and with as much in
// common; in the format of Mooncake's traces (Qin et al., "Mooncake: Trading more storage for less
// computation", FAST '25; github.com/kvcache-ai/Mooncake): a JSON object a line,
//   {"timestamp": 0, "input_length": 6758, "output_length": 500, "hash_ids": [0, 1, 2]}
// with milliseconds, tokens, and a name for each block of 512 tokens of the prompt, equal for equal
// text after equal beginnings. Prompts are made up of one text for each name. Traces of other
// formats: trace_formats.h.

#pragma once

#include <cstdint>
#include <istream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/load/load_workload.h"
#include "bench/load/request_body.h"

namespace gw::bench {

struct TraceRequest {
  Duration at{};  // from the first one on
  uint32_t prompt_tokens = 0;
  uint32_t output_tokens = 0;
  std::vector<uint64_t> block_ids = {};  // may be fewer than the prompt has: the rest is its own
  std::string text = {};                 // the prompt itself; empty: it is made up
  std::string session = {};              // that it belongs to, and its number there, from 0
  uint32_t turn = 0;
};

// Ordered by their times, in which the traces themselves are not always. Reads no more than
// `count` lines, if that is given. An error names the line and what was wanted there.
absl::StatusOr<std::vector<TraceRequest>> ReadTrace(std::istream& in,
                                                    std::optional<uint64_t> count);
// By its times, which count from the first one's then. Equal ones stay as they are.
void OrderTrace(std::vector<TraceRequest>* trace);

struct TraceReplayOptions {
  RequestForm form = {};
  double speed = 1;  // --speed: 2: all comes in half the time
  uint32_t block_tokens = 512;
  uint64_t seed = 1;  // --seed
};

// An error names the flag and what was wanted.
absl::StatusOr<std::unique_ptr<LoadWorkload>> NewTraceReplay(std::vector<TraceRequest> trace,
                                                             const TraceReplayOptions& options);

}  // namespace gw::bench
