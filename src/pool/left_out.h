// LeftOuts: endpoints that are no candidates since they have pushed back (pool/pushback.h), for
// whoever asks why they were not chosen.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace gw {

struct Endpoint;

struct LeftOut {
  const Endpoint* endpoint = nullptr;
  int32_t in_flight_requests = 0;
  int32_t allowed_requests = 0;  // 0: no limit
  Duration paused_for{};         // wants none
};

// The first of them.
struct LeftOuts {
  static constexpr size_t kMax = 3;
  std::array<LeftOut, kMax> first = {};
  size_t count = 0;

  void Add(const LeftOut& left_out) {
    if (count < kMax) first[count++] = left_out;
  }
};

}  // namespace gw
