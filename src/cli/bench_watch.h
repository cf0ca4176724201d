// GatewayWatch: looks at a gateway's admin port once a second while a run goes on, in a thread of
// its own that gives way to the one that measures.

#pragma once

#include <condition_variable>
#include <string>
#include <thread>
#include <utility>

#include "admin/client.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/status.h"
#include "bench/load/fleet_series.h"
#include "cli/bench.h"

namespace gw {

// Asks it once. An error names the flag: there is no gateway, or it wants a token.
absl::StatusOr<AdminTarget> WatchedGateway(const BenchFlags& flags);

class GatewayWatch {
 public:
  explicit GatewayWatch(AdminTarget gateway) : gateway_(std::move(gateway)) {}
  ~GatewayWatch();

  // Looks once, and then goes on by itself. Times count from here. REQUIRES: called once
  void Start();
  // A line that says that the gateway does not answer, or that it does again; "": nothing is new.
  std::string TakeNews();
  // Looks for the last time. REQUIRES: Start; called once
  bench::FleetSeries End();

 private:
  void Loop();
  void Look();
  // False: it ends.
  bool WaitForNext();
  void EndLoop();
  absl::Status Read();

  const AdminTarget gateway_;
  TimePoint began_{};
  std::thread thread_;
  bench::FleetRecorder recorder_;  // of the thread, and of End when that has ended
  bool fails_ = false;             // likewise
  Mutex mutex_;
  std::condition_variable changed_;
  bool ends_ ABSL_GUARDED_BY(mutex_) = false;
  std::string news_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace gw
