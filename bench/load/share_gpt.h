// ShareGpt: what people have asked a chat model, and answers as long as they got; the data set that
// `vllm bench serve` calls sharegpt (ShareGPT_V3_unfiltered_cleaned_split.json):
//   [{"id": "a", "conversations": [{"from": "human", "value": "..."}, {"from": "gpt", ...}]}, ..]
//
// By its rules (vllm/benchmarks/datasets): of each conversation the first turn's text is the prompt
// and the second one's length that of the answer; dropped are conversations of fewer than two
// turns, prompts of fewer than 4 tokens or more than 1024, answers of fewer than 4, and what is
// more than 2048 together; the rest is shuffled once. Lengths are estimated, where it has a
// tokenizer. When all have been asked it begins again: those are cached then.

#pragma once

#include <cstdint>
#include <istream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/load/load_workload.h"
#include "bench/load/pace.h"
#include "bench/load/request_body.h"

namespace gw::bench {

struct SharedPrompt {
  std::string text;
  uint32_t prompt_tokens = 0;
  uint32_t output_tokens = 0;
};

// In the order of the file, which is read one conversation after the other: it may be larger than
// memory. `output_tokens`: in place of the answers' lengths. An error names the conversation, from
// 1, and what was wanted there.
absl::StatusOr<std::vector<SharedPrompt>> ReadShareGpt(std::istream& in,
                                                       std::optional<uint32_t> output_tokens);

struct ShareGptOptions {
  RequestForm form = {};
  PaceOptions pace = {};
  uint64_t seed = 1;  // --seed: of the order
};

// An error names the flag and what was wanted. REQUIRES: prompts
absl::StatusOr<std::unique_ptr<LoadWorkload>> NewShareGpt(std::vector<SharedPrompt> prompts,
                                                          const ShareGptOptions& options);

}  // namespace gw::bench
