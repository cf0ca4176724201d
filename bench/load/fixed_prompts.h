// FixedPrompts: prompts that have nothing in common, of given lengths; the random data set of
// `vllm bench serve`.

#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "bench/load/load_workload.h"
#include "bench/load/pace.h"
#include "bench/load/request_body.h"

namespace gw::bench {

struct FixedPromptsOptions {
  RequestForm form = {};
  PaceOptions pace = {};
  uint32_t prompt_tokens = 1024;  // --prompt-tokens
  uint32_t output_tokens = 128;   // --output-tokens
  // --range-ratio: each length is drawn from those up to this share away from what was given, all
  // equally likely; 0: none is.
  double range_ratio = 0;
  uint64_t seed = 1;  // --seed
};

// An error names the flag and what was wanted.
absl::StatusOr<std::unique_ptr<LoadWorkload>> NewFixedPrompts(const FixedPromptsOptions& options);

}  // namespace gw::bench
