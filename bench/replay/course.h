// Replay: a workload against a scenario, from beginning to end in virtual time. What decides is the
// gateway's own code (bench/virtual/fleet.h); what a workload asks is what `penstock bench` would
// send (bench/load). The same options and seeds are the same run, to the nanosecond.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "base/clock.h"
#include "bench/load/fleet_series.h"
#include "bench/load/load_workload.h"
#include "bench/load/record.h"
#include "bench/replay/scenario.h"

namespace gw::bench {

struct ReplayOptions {
  std::optional<Duration> length = std::nullopt;  // nothing is asked after it
  Duration warm_up{};  // what is due before it is left out of all figures
  // How long answers are waited for when nothing is asked any more; they are kUnfinished then.
  Duration patience = std::chrono::minutes(10);
  // Asked once for each virtual second; false ends the run, what is in flight is kUnfinished.
  std::function<bool()> goes_on = nullptr;
};

struct Replayed {
  RunRecords records;  // of what the gateways were asked
  FleetSeries fleet;
  uint64_t foreign = 0;  // requests that went past the gateways, which no record is of
  uint64_t preemptions = 0;
  uint64_t pages = 0;    // of metrics that gateways have read
  double imbalance = 0;  // most requests in flight at an engine / mean of all, averaged over time
  Duration lasted{};     // in virtual time
};

// Leaves the workload where it is then. REQUIRES: scenario.engines is not empty; gateways >= 1; the
// annotations are taken by a gateway
Replayed Replay(const Scenario& scenario, const ReplayOptions& options, LoadWorkload& workload);

}  // namespace gw::bench
