// A model server of one's own, as a JSON object:
//
//   {"name": "llama-70b-h100-tp4", "preset": "q32h100",
//    "h_us": 2000, "hseq_us": 20, "w0_us": 16500, "w1_us": 5, "wsat_us": 0, "nsat": 1, "c0_us":
//    3000, "c_us": 49, "kv_ns": 48, "at_ns": 0.75, "block_tokens": 16, "kv_tokens": 307328,
//    "sequences_max": 256, "batch_tokens_max": 8192}
//
// What is left out is as in the preset; without one, zero times and vLLM's limits. What each means:
// sim/engine/step_timer.h and server_spec.h.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "sim/engine/server_spec.h"

namespace gw::bench {

// An error names the field and what was wanted.
absl::StatusOr<sim::ServerSpec> ReadEngine(std::string_view json);

// "q30h200" for all of them, or "q30h200:8,q32h100:8", numbers in all: one for each engine. `own`:
// one more that may be named. `cache_scale`: times as many KV blocks.
absl::StatusOr<std::vector<sim::ServerSpec>> EnginesOf(std::string_view text, size_t engines,
                                                       const std::vector<sim::ServerSpec>& own,
                                                       double cache_scale);
// "8 x q30h200, 8 x q32h100"
std::string DescribeEngines(const std::vector<sim::ServerSpec>& engines);

}  // namespace gw::bench
