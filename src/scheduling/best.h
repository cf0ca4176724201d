// The highest of many totals.

#pragma once

#include <cstddef>
#include <span>

#include "base/random.h"

namespace gw {

// REQUIRES: !totals.empty(); no total is NaN
float HighestOf(std::span<const float> totals);

// The highest total, or of those at most `tie` below it one at random, which is asked only then.
// REQUIRES: !totals.empty()
size_t PickHighest(std::span<const float> totals, float tie, Random& random);

// Indices of the highest totals but that of `but`, highest first; as many as `best` has room for
// and there are. Of equal ones those come first that a walk from `from` on, around the end, meets
// first. REQUIRES: from < totals.size()
size_t FindBest(std::span<const float> totals, size_t but, size_t from, std::span<size_t> best);

}  // namespace gw
