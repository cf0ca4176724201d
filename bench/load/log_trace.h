// The log of a gateway as a trace that TraceReplay replays: that of `penstock serve
// --log-prompt-blocks`, JSON a line, of which each "Request Handled" of a pool is a request (other
// lines may stand between them). What fell back is of the pool that it came to first. It arrived
// when its line was written less what it took (total_ms); its tokens are those that the model
// server counted, else a quarter of its characters, and of an answer that there was none of, 1. Its
// blocks are the names that prompt_blocks has of what the prompt begins with. What is behind the
// last one becomes the request's own.

#pragma once

#include <cstdint>
#include <istream>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/load/trace_replay.h"

namespace gw::bench {

struct LogTrace {
  std::vector<TraceRequest> requests = {};  // as ReadTrace gives them
  // For TraceReplayOptions. The log's names stand for so many characters; it also says how many
  // tokens prompts of so many characters had, so that blocks are as large a part of made-up prompts
  // as they were of the real ones: the median of all requests, 4 characters a token without one.
  uint32_t block_tokens = 512;
};

// Those of that pool ("default/qwen"), or of the only one that the log has if `pool` is empty;
// `count` at most, the first that arrived. An error names the line and what was wanted there, the
// pools among which to choose, or the flag of `penstock serve` that was missing. A log of a sample
// is refused: most of what was asked is not in it.
absl::StatusOr<LogTrace> ReadLogTrace(std::istream& in, std::string_view pool,
                                      std::optional<uint64_t> count);

}  // namespace gw::bench
