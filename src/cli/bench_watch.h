// GatewayWatch: looks at a gateway's admin port once a second while a run goes on, in a thread of
// its own that gives way to the one that measures. Several runs of one gateway, each with a watch
// of its own, are one series.

#pragma once

#include <condition_variable>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "admin/client.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/status.h"
#include "bench/load/fleet_series.h"
#include "cli/bench.h"

namespace gw {

// A flag with the URL of an admin port, and the one with the file of its token.
struct AdminFlag {
  std::string_view name;
  const std::string& url;
  const std::string& token_file;
};

// Asks it once. An error names the flag: there is no gateway, or it wants a token. `trust`: of the
// flags.
absl::StatusOr<AdminTarget> WatchedGateway(const AdminFlag& flag, const ServerTrust& trust);

class GatewayWatch {
 public:
  // `flag`: its name, for news. `at`: when the run begins, of the recorder's time, which outlives
  // this and is nobody else's until End.
  GatewayWatch(AdminTarget gateway, std::string_view flag, Duration at,
               bench::FleetRecorder& recorder)
      : gateway_(std::move(gateway)), flag_(flag), at_(at), recorder_(recorder) {}
  ~GatewayWatch();

  // Looks once, and then goes on by itself. REQUIRES: called once
  void Start();
  // A line that says that the gateway does not answer, or that it does again; "": nothing is new.
  std::string TakeNews();
  // Looks for the last time. REQUIRES: Start; called once
  void End();

 private:
  void Loop();
  void Look();
  // False: it ends.
  bool WaitForNext();
  void EndLoop();
  absl::Status Read();

  const AdminTarget gateway_;
  const std::string flag_;
  const Duration at_;
  TimePoint began_{};
  std::thread thread_;
  bench::FleetRecorder& recorder_;  // of the thread, and of End when that has ended
  bool fails_ = false;              // likewise
  Mutex mutex_;
  std::condition_variable changed_;
  bool ends_ ABSL_GUARDED_BY(mutex_) = false;
  std::string news_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace gw
