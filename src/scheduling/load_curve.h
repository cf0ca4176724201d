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

#include <span>

namespace gw {

// What a candidate scores whose load is not known.
inline constexpr float kUnknownLoadScore = 0.5f;

// `values` are loads, below 0 where they are not known; scores when it returns.
void LoadScore(float slack, std::span<float> values);

}  // namespace gw
