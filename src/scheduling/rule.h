// Rule: what a request costs at each candidate; the least cost wins, ties at random. The other kind
// of decision beside weighted scores: a cost has a unit and no bounds, so that it can say that an
// endpoint is a hundred times worse than another, and may depend on the time and on what the pool
// has learned (pool_memory.h).
//
// A rule is a function, the names of its terms, which `penstock explain` shows, and its constants,
// which may be given with its name (strategy.h).

#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "base/clock.h"
#include "base/random.h"
#include "inference/request.h"
#include "pool/candidates.h"
#include "scheduling/loads.h"
#include "scheduling/pool_memory.h"

namespace gw {

struct RuleInput {
  const InferenceRequest& request;
  const Candidates& candidates;  // never empty
  const Loads& loads;
  PoolMemory& memory;
  TimePoint now;
  Random& random;
  std::span<const float> constants;  // as many as the rule has, in its order
};

// A threshold or a weight of a rule. Given ones are never below 0.
struct RuleConstant {
  std::string_view name;
  float value;            // unless another is given
  std::string_view what;  // it is, and its unit
};

struct Rule {
  std::string_view name;
  std::span<const std::string_view> terms;  // at most kTermsMax
  std::span<const RuleConstant> constants;
  bool reads_prefix;  // candidates' prefix hits
  // Row t of `rows`, which has candidates.size() places for each of the terms, gets the cost of
  // term t at each candidate, in a unit that all terms have in common. What is not a number, or
  // beyond 1e30, counts as that much.
  // Runs on the request path, on any worker: does not block for long or allocate.
  void (*cost)(const RuleInput& input, std::span<float> rows);

  // One less than a decision has room for: what failed lately is a term of every rule.
  static constexpr size_t kTermsMax = 7;
};

}  // namespace gw
