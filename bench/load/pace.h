// Pace: when single requests are asked, in an open loop (by Arrivals), in a closed one (so many at
// a time, the next as soon as one is answered), or at given times.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "bench/load/arrivals.h"

namespace gw::bench {

struct PaceOptions {
  // Of a closed loop only duration and count mean something, and no rate is wanted.
  ArrivalOptions arrivals = {};
  uint32_t concurrency = 0;  // --concurrency; 0: an open loop
};

// As of LoadWorkload, for requests that do not depend on each other.
class Pace {
 public:
  virtual ~Pace() = default;

  virtual std::optional<Duration> due() const = 0;
  // The time that was due. REQUIRES: due()
  virtual Duration Take() = 0;
  virtual void OnAnswer(Duration now) = 0;
  virtual bool done() const = 0;
  virtual std::optional<Duration> length() const = 0;
  virtual std::optional<uint64_t> count() const = 0;
  virtual std::string Describe() const = 0;  // "2/s", "8 at a time"
};

// An error names the flag and what was wanted.
absl::StatusOr<std::unique_ptr<Pace>> NewPace(const PaceOptions& options, uint64_t seed);
// REQUIRES: times ascend
std::unique_ptr<Pace> NewListedPace(std::vector<Duration> times, std::string description);

}  // namespace gw::bench
