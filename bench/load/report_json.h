// A result as a JSON document, and back. The schema, field by field, is in docs/bench.md.

#pragma once

#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "bench/load/compare.h"
#include "bench/load/result.h"

namespace gw::bench {

// Written in `version`; fields may be added to it. Of another one ReadResult wants nothing to know.
inline constexpr int kResultVersion = 1;

// Ends with a line feed. `with_requests`: each on a line of its own, about 350 bytes; for them
// times are kept to 0.1 us.
std::string ResultJson(const Result& result, bool with_requests);

// Of `penstock bench ab`: both results, as above, and their comparison.
// REQUIRES: `comparison` is Compare's of `results`
std::string AbJson(std::span<const NamedResult> results, const Comparison& comparison, int pairs,
                   bool with_requests);

// Reads what ResultJson wrote, and the results of
//   vllm bench serve --save-result   (vllm/benchmarks/serve.py; requests with --save-detailed)
//   guidellm                         (its JSON report of one benchmark: 0.2, 0.3; from 0.4 on)
// What a document does not say stays NaN or empty; figures that vLLM was not asked for
// (--metric-percentiles) are computed from its requests, if it has them. Latencies of both count
// from when a request was sent. Errors (kInvalidArgument) say what was wanted, without the name of
// the file. Unknown fields are no error.
absl::StatusOr<Result> ReadResult(std::string_view json);

}  // namespace gw::bench
