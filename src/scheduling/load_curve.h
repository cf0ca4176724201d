// LoadScore: the shape shared by the scorers of own accounting.
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

// `load_of(view)` is the candidate's load, >= 0.
template <typename LoadOf>
void LoadScore(std::span<const EndpointView> candidates, float slack, LoadOf&& load_of,
               std::span<float> scores) {
  float least = load_of(candidates[0]);
  double sum = 0;
  for (size_t i = 0; i < candidates.size(); ++i) {
    scores[i] = load_of(candidates[i]);
    least = std::min(least, scores[i]);
    sum += scores[i];
  }
  const float scale = slack + static_cast<float>(sum / static_cast<double>(candidates.size())) / 2;
  for (float& score : scores) score = scale / (scale + (score - least));
}

}  // namespace gw
