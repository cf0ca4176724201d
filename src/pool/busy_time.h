// BusyTime: how busy one endpoint has been with prompts, lately: 10 s times the share of time in
// which at least one was pending there, where what was t ago counts by exp(-t / 20 s). It tells
// endpoints apart that have nothing to do at this moment.
//
// Any thread may call anything at any time; no lock is taken. The caller's time is taken as it is:
// of two threads' times the later one holds.

#pragma once

#include <atomic>
#include <bit>
#include <cstdint>

#include "base/clock.h"

namespace gw {

class BusyTime {
 public:
  static constexpr float kSecondsMax = 10;
  static constexpr Duration kDecay = std::chrono::seconds(20);

  // A prompt is pending from Begin to End, which comes once for each Begin.
  void Begin(TimePoint now) { Add(1, now); }
  void End(TimePoint now) { Add(-1, now); }
  // So many begin, or end if it is negative.
  void Add(int32_t prompts, TimePoint now);
  int32_t pending() const { return pending_.load(std::memory_order_relaxed); }
  float SecondsAt(TimePoint now) const {  // 0 to kSecondsMax
    return SecondsOf(reading(), TickOf(now));
  }

  // The same in parts, for decisions, which ask for every candidate: what there is is collected
  // first, and what it says is computed of several at a time.
  struct Reading {
    uint32_t share;  // in the highest 31 bits; the last one: whether a prompt is pending
    uint32_t tick;   // as of it
  };
  Reading reading() const {
    const uint64_t word = word_.load(std::memory_order_relaxed);
    return {static_cast<uint32_t>(word >> 32), static_cast<uint32_t>(word)};
  }
  static uint32_t TickOf(TimePoint now) {
    return static_cast<uint32_t>(now.time_since_epoch().count() / 1'000'000);
  }
  static float SecondsOf(Reading reading, uint32_t tick);

 private:
  // A time so little earlier is another thread's, not one that the 32 bits have gone around to:
  // they do so after 49 days.
  static constexpr uint32_t kEarlierMax = 1 << 20;
  static constexpr double kWhole = 2147483647;  // the share 1, in 31 bits

  static float LeftAfter(float elapsed_ms);
  static uint32_t Elapsed(uint64_t word, uint32_t tick);
  static double ShareAt(uint64_t word, uint32_t tick);
  static uint64_t Pack(double share, bool pending, uint32_t tick);
  void Follow(TimePoint now);

  // The share as of a time, whether any was pending from then on, and that time: the share in the
  // highest 31 bits, one bit, milliseconds in 32 bits.
  std::atomic<uint64_t> word_{0};
  std::atomic<int32_t> pending_{0};
};

// exp(-t / kDecay) to 4e-6 of itself, as 2^-n * 2^-f with f from 0 to 1: std::exp takes longer, and
// cannot be had of several at a time. 0 where nothing is left of a share.
inline float BusyTime::LeftAfter(float elapsed_ms) {
  constexpr float kHalvingsPerMs = 1.442695041f * 1e6f / static_cast<float>(kDecay.count());
  constexpr float kHalvingsMax = 19;
  const float halvings = elapsed_ms * kHalvingsPerMs;
  const float within = halvings < kHalvingsMax ? halvings : kHalvingsMax;
  const auto whole = static_cast<int32_t>(within);
  const float x = within - static_cast<float>(whole);
  // 2^-x on 0 to 1, 1 and 0.5 at its ends, so that it is continuous and never rises.
  const float part =
      1 + x * (-0.69306962f + x * (0.23948248f + x * (-0.05325163f + x * 0.00683876f)));
  constexpr int32_t kExponentOfOne = 127;
  constexpr int kMantissaBits = 23;
  const float power = std::bit_cast<float>((kExponentOfOne - whole) << kMantissaBits);
  return halvings < kHalvingsMax ? part * power : 0;
}

inline float BusyTime::SecondsOf(Reading reading, uint32_t tick) {
  // As signed ones: they are converted in one instruction.
  const auto bits = static_cast<int32_t>(reading.share >> 1);
  const auto elapsed = static_cast<int32_t>(tick - reading.tick);
  const float share = static_cast<float>(bits) * static_cast<float>(1 / kWhole);
  // Below 0: an earlier time, or one 25 to 49 days later.
  const float below = elapsed >= -static_cast<int32_t>(kEarlierMax) ? 0.0f : 4e9f;
  const float ahead = static_cast<float>(elapsed);
  const float left = LeftAfter(elapsed >= 0 ? ahead : below);
  const float pending = 1 - (1 - share) * left;
  const float idle = share * left;
  return kSecondsMax * ((reading.share & 1) != 0 ? pending : idle);
}

}  // namespace gw
