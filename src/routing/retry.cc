#include "routing/retry.h"

namespace gw {

Duration RetryPolicy::BackOff(uint32_t number, Random& random) const {
  if (back_off <= Duration::zero()) return Duration::zero();
  Duration turn = back_off;
  for (uint32_t i = 1; i < number && turn * 2 <= kDoubledMax; ++i) turn *= 2;
  return turn + Duration(random.Below(static_cast<uint64_t>(turn.count()) / 4 + 1));
}

}  // namespace gw
