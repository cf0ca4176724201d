#include "pool/busy_time.h"

#include <algorithm>
#include <array>
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

// exp(-t / kDecay) of whole steps of 256 ms, up to where nothing is left of a share.
constexpr uint32_t kStepBits = 8;
constexpr auto kLeftAfterSteps = [] {
  constexpr double kLeftAfterOne = 0.98728157159029051;  // exp(-0.256 / 20)
  std::array<float, 1024> table{};
  double left = 1;
  for (float& entry : table) {
    entry = static_cast<float>(left);
    left *= kLeftAfterOne;
  }
  return table;
}();
static_assert(BusyTime::kDecay == std::chrono::seconds(20));

// The same of any number of milliseconds, to six digits: std::exp takes longer, and a decision
// asks for every candidate.
float LeftAfter(uint32_t elapsed_ms) {
  const uint32_t steps = elapsed_ms >> kStepBits;
  if (steps >= kLeftAfterSteps.size()) return 0;
  const auto rest_ms = static_cast<int32_t>(elapsed_ms % (1 << kStepBits));
  constexpr float kPerMs = 1e6f / static_cast<float>(BusyTime::kDecay.count());
  const float rest = static_cast<float>(rest_ms) * kPerMs;
  return kLeftAfterSteps[steps] * (1 - rest * (1 - rest * 0.5f));
}

}  // namespace

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

float BusyTime::SecondsAt(TimePoint now) const {
  const uint64_t word = word_.load(std::memory_order_relaxed);
  if (word >> 33 == 0 && !IsPending(word)) return 0;
  // As signed ones: they are converted in one instruction.
  const auto share =
      static_cast<float>(static_cast<int64_t>(word >> 33)) * static_cast<float>(1 / kWhole);
  const float left = LeftAfter(Elapsed(word, TickOf(now)));
  return kSecondsMax * (IsPending(word) ? 1 - (1 - share) * left : share * left);
}

}  // namespace gw
