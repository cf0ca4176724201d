// SharedPrefix: groups of prompts that begin with the same system prompt, each asked again and
// again; the shared_prefix data of inference-perf (kubernetes-sigs/inference-perf), which the llm-d
// project publishes its figures on: 150 groups of 5, system prompts of 6,000 tokens, questions of
// 1,200, answers of 1,000, on a ladder from 3/s to 60/s (llm-d-kv-cache, benchmarking/73-capacity).
// It measures how well requests are sent to where their beginnings are cached.
//
// As there, all prompts are shuffled once and then asked in that order, round and round: a prompt
// comes back after all others have, which is the hardest for a cache that forgets the oldest.

#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "bench/load/load_workload.h"
#include "bench/load/pace.h"
#include "bench/load/request_body.h"

namespace gw::bench {

struct SharedPrefixOptions {
  RequestForm form = {};
  PaceOptions pace = {};
  uint32_t groups = 150;            // --groups
  uint32_t prompts_per_group = 5;   // --prompts-per-group
  uint32_t system_tokens = 6000;    // --system-tokens
  uint32_t question_tokens = 1200;  // --question-tokens
  uint32_t output_tokens = 1000;    // --output-tokens
  uint64_t seed = 1;                // --seed
};

// An error names the flag and what was wanted. Ask::session is the group.
absl::StatusOr<std::unique_ptr<LoadWorkload>> NewSharedPrefix(const SharedPrefixOptions& options);

}  // namespace gw::bench
