// FleetEvents: what befalls the model servers of a replay, as a script: a line each,
//
//   5m    restart 3 60s     the process dies, and is there again after that, with an empty cache
//   5m    stop 3            it dies                    8m  start 3
//   10m   slow 0-3 0.5      half as fast from then on; 1: as at first
//   10m   remove 2          its Pod goes: what is there ends, nothing more comes
//   12m   add 2             and comes again, as it was
//
// Engines are numbers from 0, ranges and lists of them: "0-3,7". Lines may be blank; "#" begins a
// comment.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"

namespace gw::bench {

struct FleetEvent {
  enum class Kind : uint8_t { kStop, kStart, kSlow, kRemove, kAdd };
  Duration at{};
  Kind kind = Kind::kStop;
  size_t engine = 0;
  double speed = 1;  // kSlow

  bool operator==(const FleetEvent&) const = default;
};

// An error names the line and what was wanted there. In the order of their times.
absl::StatusOr<std::vector<FleetEvent>> ReadFleetEvents(std::string_view script, size_t engines);

}  // namespace gw::bench
