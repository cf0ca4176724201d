#include "base/random.h"

#include <sys/random.h>

#include "base/check.h"

namespace gw {

uint64_t SeedFromSystem() {
  uint64_t seed = 0;
  // Eight bytes come whole or, before the system has gathered any entropy, later.
  CHECK(getrandom(&seed, sizeof(seed), 0) == static_cast<ssize_t>(sizeof(seed)));
  return seed >> 1;
}

}  // namespace gw
