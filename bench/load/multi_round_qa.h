// MultiRoundQa: users who go on asking in conversations, each with a long history of their own
// behind a system prompt that all share; the multi-round QA benchmark of the vLLM project
// (vllm-project/production-stack, benchmarks/multi-round-qa), by its rules and with its texts, so
// that figures can be compared. It measures whether a conversation finds its cache again.
//
// Its rules: A user asks each `users` / `per_second` seconds, but never before the last answer is
// there: who waits longer falls behind and does not catch up. A session thus takes that gap times
// (`rounds` - 1), and a new user joins each time that this divided by `users` has passed. At the
// start `users` are in the middle of their sessions, evenly spread and without what they would have
// said; the first of them is just through, and a further one begins. As each user asks `rounds`
// times within `rounds` - 1 gaps, what is asked in all comes to
// `per_second` * `rounds` / (`rounds` - 1).
//
// All is looked at each 0.1 s, and at most one user joins then. The original waits until more than
// a gap has passed, but looks a little later than each 0.1 s: here as there, a gap that is a
// multiple of it has passed at the look that many later.
//
// A conversation grows by the answers that came. A question without a whole answer is taken back
// and the user goes on with the next one; there, it would never ask again.

#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "bench/load/load_workload.h"
#include "bench/load/request_body.h"

namespace gw::bench {

struct MultiRoundQaOptions {
  RequestForm form = {};
  uint32_t users = 10;                          // --users: at the same time, if none falls behind
  uint32_t rounds = 5;                          // --rounds
  double per_second = 0.5;                      // --rate
  uint32_t system_tokens = 1000;                // --system-tokens, as the word "hi" so many times
  uint32_t history_tokens = 2000;               // --history-tokens, likewise
  uint32_t output_tokens = 100;                 // --output-tokens
  Duration duration = std::chrono::minutes(1);  // --duration; none is asked later
  uint64_t users_before = 0;  // --users-before: users are numbered from the next one on
  // --warm-up: requests that come before, all at once; the rest begins when all are answered.
  uint32_t warm_up = 10;
};

// An error names the flag and what was wanted. Each Ask has the field x-user-id; Ask::session is
// that, and Ask::turn counts what the user asked in this run.
absl::StatusOr<std::unique_ptr<LoadWorkload>> NewMultiRoundQa(const MultiRoundQaOptions& options);

}  // namespace gw::bench
