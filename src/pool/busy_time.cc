#include "pool/busy_time.h"

#include <algorithm>
#include <cmath>

namespace gw {
namespace {

constexpr uint64_t kPendingBit = uint64_t{1} << 32;

bool IsPending(uint64_t word) { return (word & kPendingBit) != 0; }

}  // namespace

uint32_t BusyTime::Elapsed(uint64_t word, uint32_t tick) {
  const uint32_t elapsed = tick - static_cast<uint32_t>(word);
  return elapsed > UINT32_MAX - kEarlierMax ? 0 : elapsed;
}

// While a prompt is pending the share goes to 1 as it goes to 0 while none is.
double BusyTime::ShareAt(uint64_t word, uint32_t tick) {
  const double share = static_cast<double>(word >> 33) / kWhole;
  const double left = std::exp(-static_cast<double>(Elapsed(word, tick)) / ToMillis(kDecay));
  return IsPending(word) ? 1 - (1 - share) * left : share * left;
}

uint64_t BusyTime::Pack(double share, bool pending, uint32_t tick) {
  const auto bits = static_cast<uint64_t>(std::lround(std::clamp(share, 0.0, 1.0) * kWhole));
  return bits << 33 | (pending ? kPendingBit : 0) | tick;
}

void BusyTime::Add(int32_t prompts, TimePoint now) {
  const int32_t before = pending_.fetch_add(prompts);
  if ((before > 0) != (before + prompts > 0)) Follow(now);
}

// Whoever has changed the word looks at the count again, and whoever changes the count looks at the
// word after it: so the last of them leaves both in agreement, in whatever order they come.
void BusyTime::Follow(TimePoint now) {
  const uint32_t tick = TickOf(now);
  while (true) {
    uint64_t seen = word_.load();
    const bool pending = pending_.load() > 0;
    if (IsPending(seen) == pending) return;
    const uint32_t as_of = static_cast<uint32_t>(seen) + Elapsed(seen, tick);
    word_.compare_exchange_strong(seen, Pack(ShareAt(seen, tick), pending, as_of));
  }
}

}  // namespace gw
