// Traces that TraceReplay replays besides Mooncake's.
//
// Azure's (Patel et al., "Splitwise: Efficient generative LLM inference using phase splitting",
// ISCA '24; github.com/Azure/AzurePublicDataset): CSV with the head
//   TIMESTAMP,ContextTokens,GeneratedTokens
//   2023-11-16 18:17:03.9799600,4808,10
// The times are UTC, or have an offset such as +00:00 behind them. Nothing is known of what prompts
// have in common: they are made up and share nothing.
//
// LMCache's of agents (github.com/LMCache/lmcache-agent-trace): a JSON object a line,
//   {"timestamp": 1760995991633938, "input": "user: ...", "output": "...", "session_id": "3a4c"}
// with microseconds since 1970 and the texts themselves, so that what prompts share is what real
// ones did. An input that is empty, as some are, becomes a token that is made up: nothing can be
// asked with an empty prompt. Output tokens are a quarter of the output's characters.

#pragma once

#include <cstdint>
#include <istream>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/load/trace_replay.h"

namespace gw::bench {

// As ReadTrace: ordered, `count` requests at most, errors name the line and what was wanted there.
absl::StatusOr<std::vector<TraceRequest>> ReadAzureTrace(std::istream& in,
                                                         std::optional<uint64_t> count);
absl::StatusOr<std::vector<TraceRequest>> ReadLmcacheTrace(std::istream& in,
                                                           std::optional<uint64_t> count);

}  // namespace gw::bench
