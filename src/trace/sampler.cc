#include "trace/sampler.h"

#include "base/check.h"

namespace gw {

Sampler::Sampler(double ratio) {
  CHECK(ratio >= 0 && ratio <= 1);
  bound_ = static_cast<uint64_t>(ratio * 0x1p63);
}

}  // namespace gw
