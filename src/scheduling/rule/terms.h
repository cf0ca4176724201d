// What many rules are made of.

#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include "scheduling/rule.h"

namespace gw {

// Row t of a rule's rows.
inline std::span<float> RowOf(const RuleInput& input, std::span<float> rows, size_t t) {
  return rows.subspan(t * input.candidates.size(), input.candidates.size());
}

// The columns that nearly all rules read, by row; never below 0.
class Terms {
 public:
  explicit Terms(const RuleInput& input)
      : candidates_(input.candidates),
        prompt_(static_cast<float>(input.request.prompt_tokens_estimate)),
        blocks_(static_cast<float>(input.request.prefix_blocks.size())) {}

  size_t size() const { return candidates_.size(); }
  float prompt() const { return prompt_; }  // tokens
  // Tokens of the prompt that the candidate does not hold.
  float Uncached(size_t i) const {
    return std::max(0.0f, prompt_ - static_cast<float>(candidates_.prefix_hit_tokens()[i]));
  }
  // Tokens that were sent there and are yet to be computed.
  float Pending(size_t i) const {
    return std::max(0.0f, static_cast<float>(candidates_.pending_prompt_tokens()[i]));
  }
  // Requests in flight there, those with a pending prompt, too.
  float Requests(size_t i) const {
    return std::max(0.0f, static_cast<float>(candidates_.in_flight_requests()[i]));
  }
  // The share of the prompt's blocks that the candidate holds.
  float Held(size_t i) const {
    return blocks_ <= 0
               ? 0.0f
               : std::min(1.0f, static_cast<float>(candidates_.prefix_hit_blocks()[i]) / blocks_);
  }
  float MostHeld() const {
    float most = 0;
    for (size_t i = 0; i < size(); ++i) most = std::max(most, Held(i));
    return most;
  }
  struct Range {
    float least;
    float most;
  };
  Range RangeOfRequests() const {
    Range range{Requests(0), Requests(0)};
    for (size_t i = 1; i < size(); ++i) {
      range.least = std::min(range.least, Requests(i));
      range.most = std::max(range.most, Requests(i));
    }
    return range;
  }

 private:
  const Candidates& candidates_;
  const float prompt_;
  const float blocks_;
};

// More than anything costs: of those that a rule does not choose from. Beside it they are all the
// same.
inline constexpr float kOutside = 1e12f;

// Where a rule compares by one thing, and by another only where that is equal: what the first is
// above its least, so that the second is not lost in it.
inline void SubtractLeast(std::span<float> row) {
  const float least = *std::min_element(row.begin(), row.end());
  for (float& cost : row) cost -= least;
}

// Affinity as a gate: in the row `outside` 0 for candidates that hold more than `share` of the
// prompt (`or_equal`: or just so much) and kOutside for the others; 0 for all if there are none, or
// if the least of their pending tokens is more than `pending_more_max` above that of the others.
inline void FillGate(const Terms& terms, float share, bool or_equal, float pending_more_max,
                     std::span<float> outside) {
  const auto holds = [&](size_t i) {
    return or_equal ? terms.Held(i) >= share : terms.Held(i) > share;
  };
  bool any_in = false;
  bool any_out = false;
  float least_in = 0;
  float least_out = 0;
  for (size_t i = 0; i < terms.size(); ++i) {
    bool& any = holds(i) ? any_in : any_out;
    float& least = holds(i) ? least_in : least_out;
    least = any ? std::min(least, terms.Pending(i)) : terms.Pending(i);
    any = true;
  }
  const bool open = !any_in || !any_out || least_in - least_out > pending_more_max;
  for (size_t i = 0; i < terms.size(); ++i) outside[i] = open || holds(i) ? 0 : kOutside;
}

}  // namespace gw
