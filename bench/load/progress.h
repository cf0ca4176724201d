// Progress: how far a run is, for people: on a terminal one line that stays in place, with a
// sparkline of the TTFT; elsewhere a plain line now and then.

#pragma once

#include <deque>
#include <optional>
#include <ostream>
#include <string>

#include "base/clock.h"
#include "bench/load/runner.h"

namespace gw::bench {

class Progress {
 public:
  static constexpr Duration kPlainInterval = std::chrono::seconds(5);

  // `out` outlives it. `length`: of the whole run, if it is known.
  Progress(std::ostream& out, bool is_terminal, std::optional<Duration> length)
      : out_(out), is_terminal_(is_terminal), length_(length) {}
  // At each tick of a run.
  void Tell(const LiveFigures& live);
  // Leaves a terminal's line.
  void End();

 private:
  std::string LineOf(const LiveFigures& live) const;

  std::ostream& out_;
  const bool is_terminal_;
  const std::optional<Duration> length_;
  LiveFigures last_;              // of the line before
  std::deque<double> medians_s_;  // TTFTs of the last ticks
  std::vector<Duration> ttfts_;   // since the last line
  bool told_ = false;
};

}  // namespace gw::bench
