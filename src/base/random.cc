#include "base/random.h"

#include <sys/random.h>

#include "base/check.h"

namespace gw {

std::string RandomId(Random& random) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string id(32, '0');
  for (size_t half = 0; half < 2; ++half) {
    uint64_t word = random.Next();
    for (size_t i = 0; i < 16; ++i, word >>= 4) id[half * 16 + i] = kHex[word & 15];
  }
  return id;
}

uint64_t SeedFromSystem() {
  uint64_t seed = 0;
  // Eight bytes come whole or, before the system has gathered any entropy, later.
  CHECK(getrandom(&seed, sizeof(seed), 0) == static_cast<ssize_t>(sizeof(seed)));
  return seed >> 1;
}

}  // namespace gw
