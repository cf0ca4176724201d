#include "pool/busy_time.h"

#include <algorithm>
#include <cmath>

namespace gw {
namespace {

constexpr double kWhole = 2147483647;  // the share 1, in 31 bits
constexpr uint64_t kPendingBit = uint64_t{1} << 32;

// A time so little earlier is another thread's, not one that the 32 bits have gone around to: they
// do so after 49 days.
constexpr uint32_t kEarlierMax = 1 << 20;

uint32_t TickOf(TimePoint now) {
  return static_cast<uint32_t>(now.time_since_epoch().count() / 1'000'000);
}

bool IsPending(uint64_t word) { return (word & kPendingBit) != 0; }

uint32_t Elapsed(uint64_t word, uint32_t tick) {
  const uint32_t elapsed = tick - static_cast<uint32_t>(word);
  return elapsed > UINT32_MAX - kEarlierMax ? 0 : elapsed;
}

// While a prompt is pending the share goes to 1 as it goes to 0 while none is.
double ShareAt(uint64_t word, uint32_t tick) {
  const double share = static_cast<double>(word >> 33) / kWhole;
  const double left =
      std::exp(-static_cast<double>(Elapsed(word, tick)) / (ToMillis(BusyTime::kDecay)));
  return IsPending(word) ? 1 - (1 - share) * left : share * left;
}

uint64_t Pack(double share, bool pending, uint32_t tick) {
  const auto bits = static_cast<uint64_t>(std::lround(std::clamp(share, 0.0, 1.0) * kWhole));
  return bits << 33 | (pending ? kPendingBit : 0) | tick;
}

}  // namespace

void BusyTime::Begin(TimePoint now) {
  if (pending_.fetch_add(1) == 0) Follow(now);
}

void BusyTime::End(TimePoint now) {
  if (pending_.fetch_sub(1) == 1) Follow(now);
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

// A decision reads it of every candidate: in single precision, which takes half the time.
float BusyTime::SecondsAt(TimePoint now) const {
  constexpr float kPerTick = -1e6f / static_cast<float>(kDecay.count());
  const uint64_t word = word_.load(std::memory_order_relaxed);
  if (word >> 33 == 0 && !IsPending(word)) return 0;
  const auto share = static_cast<float>(word >> 33) / static_cast<float>(kWhole);
  const float left = std::exp(static_cast<float>(Elapsed(word, TickOf(now))) * kPerTick);
  return kSecondsMax * (IsPending(word) ? 1 - (1 - share) * left : share * left);
}

}  // namespace gw
