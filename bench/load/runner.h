// LoadRunner: sends what a workload asks to one server, when it is due, and measures what comes.
//
// One thread, one event loop. It waits exactly: the last millisecond before something is due it
// looks instead of sleeping. How late it was all the same is measured (RunRecords::lateness), and
// is part of each latency, since latency counts from when a request was due: a server that is slow
// to take requests does not get fewer of them (no "coordinated omission").

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "bench/load/load_workload.h"
#include "bench/load/record.h"
#include "client/pool.h"
#include "net/event_loop.h"

namespace gw::bench {

struct LoadTarget {
  std::string address;                   // "127.0.0.1:8080"
  std::string authority;                 // as the Host field has it
  std::string path = {};                 // before that of the API: "", "/models/a"
  std::shared_ptr<const ClientTls> tls;  // nullptr: plain
  std::vector<std::pair<std::string, std::string>> fields = {};  // of every request
};

struct RunnerOptions {
  // Nothing is asked after it; nullopt: as long as the workload has something.
  std::optional<Duration> length = std::nullopt;
  // How long answers are waited for when nothing is asked any more; they are kUnfinished then.
  Duration patience = std::chrono::seconds(60);
  // --in-flight-max: what is due while so many are in flight waits for a place, in the order in
  // which it was due, and its latency counts from then all the same; 0: no limit.
  uint64_t in_flight_max = 0;
  Duration tick = std::chrono::seconds(1);  // between two calls of Run's `on_tick`
  // All connections are kept: to close and open some for each request would be measured with it.
  ClientOptions client = {.idle_connections_max = 65536};
};

// How far a run is, for whoever watches it.
struct LiveFigures {
  Duration now{};
  uint64_t asked = 0;
  uint64_t in_flight = 0;
  uint64_t completed = 0;
  uint64_t failed = 0;
  uint64_t output_events = 0;
  std::vector<Duration> ttfts;  // of those that have ended since the last tick
};

class LoadRunner {
 public:
  // All outlive it.
  LoadRunner(EventLoop& loop, const LoadTarget& target, const RunnerOptions& options,
             LoadWorkload& workload, RunRecords& records);
  ~LoadRunner();

  // Until the workload is done, its time is over, or `on_tick` returns false: then what is under
  // way is ended. REQUIRES: called once
  void Run(const std::function<bool(const LiveFigures&)>& on_tick);

 private:
  class Request;

  Duration now() const { return loop_.clock().Now() - began_; }
  bool IsFull() const {
    return options_.in_flight_max > 0 && live_.in_flight >= options_.in_flight_max;
  }
  // Something is, and the run is not over for it.
  bool IsDue() const;
  void SendDue();
  // What waits for a place when the run ends was asked for and not answered.
  void AbandonWaiting();
  void OnEnded(Request* request, Ask ask, Answer answer);
  bool IsOver() const;
  Duration WaitMax() const;

  EventLoop& loop_;
  const LoadTarget& target_;
  const RunnerOptions options_;
  LoadWorkload& workload_;
  RunRecords& records_;
  ClientPool pool_;
  TimePoint began_{};
  Duration place_free_{};  // when the last place came free of those that were all taken
  LiveFigures live_;
  std::vector<std::unique_ptr<Request>> requests_;  // all that were ever in flight at once
  std::vector<Request*> idle_;
};

}  // namespace gw::bench
