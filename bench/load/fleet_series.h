// FleetSeries: how loaded a gateway's endpoints were while a run went on, and what waited in the
// queues of its pools, as its admin port says it now and then: /endpoints and
// /get?kind=queues&output=json.
//
// Bounded: when there are kSamplesMax samples every second one goes, and from then on only every
// second one is kept, so that a run of any length has between half as many and as many, evenly.

#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/clock.h"

namespace gw::bench {

// One value for each of FleetSeries::times_s; NaN: it was not there, or nobody knows. Empty where
// there were kSeriesMax endpoints before it.
struct EndpointSeries {
  std::string pool;
  std::string pod;
  std::string endpoint;
  uint64_t requests = 0;  // that the gateway sent there in the run
  std::vector<double> in_flight = {};
  std::vector<double> waiting = {};
  std::vector<double> running = {};
  std::vector<double> kv_cache_ratio = {};

  bool has_series() const { return !in_flight.empty(); }
};

struct QueueSeries {
  std::string pool;
  int64_t priority = 0;
  std::vector<double> waiting = {};
};

struct FleetSeries {
  static constexpr size_t kSamplesMax = 300;
  static constexpr size_t kSeriesMax = 200;      // endpoints with their load over time
  static constexpr size_t kEndpointsMax = 5000;  // that are counted
  static constexpr size_t kQueuesMax = 50;       // pools and priorities

  std::vector<double> times_s;  // from the start of the run; ascending
  std::vector<EndpointSeries> endpoints;
  std::vector<QueueSeries> queues;
  bool left_out = false;  // there were more endpoints, or more queues
  uint64_t failed_reads = 0;
  std::string error;  // the last one's, without where

  bool empty() const { return times_s.empty(); }
  uint64_t requests() const;  // sent to all endpoints
};

// One endpoint at one time. NaN: nobody knows.
struct EndpointLoad {
  static constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
  std::string pool;
  std::string pod;
  std::string endpoint;   // its address
  uint64_t requests = 0;  // ever sent there
  double in_flight = kUnknown;
  double waiting = kUnknown;
  double running = kUnknown;
  double kv_cache_ratio = kUnknown;
};

// What waits in a pool's queue.
struct QueueLoad {
  std::string pool;
  int64_t priority = 0;
  double waiting = EndpointLoad::kUnknown;
};

class FleetRecorder {
 public:
  // Another run begins: what was sent until its first look is of none. Times go on behind those of
  // the run before.
  void BeginRun() { run_begins_ = true; }
  // Once for each look, in the order of time.
  void Add(Duration at, const std::vector<EndpointLoad>& endpoints,
           const std::vector<QueueLoad>& queues);
  // The same, as a gateway's admin port tells it. Texts that are not what it answers are an error,
  // and change nothing.
  absl::Status Add(Duration at, std::string_view endpoints_json, std::string_view queues_json);
  // A look of which nothing came.
  void AddFailure(std::string error);
  const FleetSeries& series() const { return series_; }

 private:
  using Key = std::pair<std::string, std::string>;  // pool and address

  void Count(const EndpointLoad& endpoint, bool is_first);
  void Keep(Duration at, const std::vector<EndpointLoad>& endpoints,
            const std::vector<QueueLoad>& queues);
  void Thin();

  FleetSeries series_;
  // Where an endpoint stands in `series_` and how many requests it had, by pool and address.
  struct Known {
    size_t place;
    uint64_t requests;
  };
  std::map<Key, Known> known_;
  std::map<std::pair<std::string, int64_t>, size_t> queues_;
  bool run_begins_ = true;  // and has not been looked at
  uint64_t looks_ = 0;
  uint64_t stride_ = 1;  // of this many looks one is kept
};

}  // namespace gw::bench
