// Arrivals: when an open loop asks, whatever becomes of what it asked before.
//
// Gaps of mean 1 are drawn and laid end to end on an axis that counts expected requests; the rate
// over time, a line of straight pieces, says at what time each of them has come. So one drawing
// serves every course of the rate, and with exponential gaps each course is the Poisson process of
// that rate (time rescaling; Cinlar, "Introduction to Stochastic Processes", 1975).
//
// Gaps are gamma distributed with `burstiness` as their shape, as in `vllm bench serve`: their
// coefficient of variation is 1 / sqrt(burstiness).

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/random.h"

namespace gw::bench {

// Requests per second, going from `from` to `to` in a straight line.
struct RateStep {
  double from = 0;
  double to = 0;
  Duration lasts{};

  bool operator==(const RateStep&) const = default;
};

// Either a rate or a ladder, and an end: a duration, a count or both, of which the first ends it. A
// ladder ends by itself.
struct ArrivalOptions {
  std::optional<double> per_second =
      {};  // --rate; infinity: all at once, for which a count is wanted
  std::optional<double> to_per_second = {};  // --rate-to: there over the duration
  std::vector<RateStep> ladder = {};         // --ladder
  // --burstiness; 1: Poisson, below: bursts, above: more even, infinity: exactly even, the first at
  // the start.
  double burstiness = 1;
  std::optional<Duration> duration = {};  // --duration
  std::optional<uint64_t> count = {};     // --requests
};

// "3x20,10x20": 3/s for 20 s, then 10/s for 20 s.
absl::StatusOr<std::vector<RateStep>> ParseLadder(std::string_view text);

class Arrivals {
 public:
  // An error names the flag and what was wanted.
  static absl::StatusOr<Arrivals> From(const ArrivalOptions& options);

  // From the start of the run; ascending. nullopt: no more come.
  std::optional<Duration> Next(Random& random);

  // By its plan; nullopt: without a limit.
  std::optional<Duration> length() const;
  std::optional<uint64_t> count() const { return count_; }
  std::string Describe() const;  // "2/s", "1/s to 10/s in 60 s, burstiness 0.5"

 private:
  Arrivals() = default;
  std::optional<double> TimeOf(double place);

  std::vector<RateStep> steps_;  // the last one of Duration::max(): without end
  double burstiness_ = 1;
  std::optional<uint64_t> count_;
  uint64_t given_ = 0;
  double place_ = 0;  // of the last one, in expected requests
  // The step that it is in, and where that began.
  size_t step_ = 0;
  double step_second_ = 0;
  double step_place_ = 0;
};

}  // namespace gw::bench
