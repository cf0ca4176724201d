// LoadScore: the shape shared by the scorers of load: own accounting and the model server's queue.
//
//   score = scale / (scale + load - load_min)        scale = slack + load_mean / 2
//
// 1 for the least loaded candidate and strictly falling with every unit of load above it, without
// ever reaching 0: so equal candidates fill up evenly, and there is no load at which the term stops
// objecting. `slack` is the excess that halves the score of an idle pool; it grows with the mean
// since 4 requests more than another matter at 0 and hardly at 50. The published min-max form is
// not used: it makes one request of difference worth as much as a hundred.

#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include "pool/endpoint.h"

namespace gw {

// What a candidate scores whose load is not known.
inline constexpr float kUnknownLoadScore = 0.5f;

// `load_of(view)` is the candidate's load; below 0 if it is not known.
template <typename LoadOf>
void LoadScore(std::span<const EndpointView> candidates, float slack, LoadOf&& load_of,
               std::span<float> scores) {
  float least = 0;
  double sum = 0;
  size_t known = 0;
  for (size_t i = 0; i < candidates.size(); ++i) {
    scores[i] = load_of(candidates[i]);
    if (scores[i] < 0) continue;
    least = known == 0 ? scores[i] : std::min(least, scores[i]);
    sum += scores[i];
    ++known;
  }
  const double mean = known == 0 ? 0 : sum / static_cast<double>(known);
  const float scale = slack + static_cast<float>(mean) / 2;
  for (float& score : scores) {
    score = score < 0 ? kUnknownLoadScore : scale / (scale + (score - least));
  }
}

}  // namespace gw
