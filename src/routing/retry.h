// RetryPolicy: what a rule of an HTTPRoute says of further tries (GEP-1731). It is in place of the
// gateway's own count of them; without one, an answer is an answer, whatever its status.

#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "base/random.h"

namespace gw {

struct RetryPolicy {
  static constexpr uint32_t kAttemptsDefault = 2;
  // The wait doubles with each further try as long as it is at most that.
  static constexpr Duration kDoubledMax = std::chrono::seconds(30);

  std::vector<int> codes;                // of answers that are followed by another try, sorted
  uint32_t attempts = kAttemptsDefault;  // beside the first
  Duration back_off{};                   // the least wait before each; 0: none

  bool Has(int status) const { return std::ranges::binary_search(codes, status); }
  // Before the further try of that number, from 1. Never shorter than `back_off`; up to a quarter
  // longer than its turn, so that what failed together does not come back together.
  Duration BackOff(uint32_t number, Random& random) const;
};

}  // namespace gw
