// Study: one workload replayed under several policies, seeds and loads, on all cores: what a policy
// is judged by. Each replay is a run of its own, so that their number and order change nothing.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/load/fleet_series.h"
#include "bench/load/load_workload.h"
#include "bench/load/summary.h"
#include "bench/replay/course.h"
#include "bench/replay/scenario.h"

namespace gw::bench {

// What is turned to load the engines more.
enum class LoadAxis : uint8_t { kSpeed, kRate, kUsers };
std::string_view UnitOf(LoadAxis axis);  // "times as fast", "requests/s", "users"

using MakeWorkload =
    std::function<absl::StatusOr<std::unique_ptr<LoadWorkload>>(double load, uint64_t seed)>;

struct StudyPlan {
  Scenario scenario;  // but for its annotations and seed
  ReplayOptions options;
  Objectives objectives;
  LoadAxis axis = LoadAxis::kSpeed;
  // Of that load and seed, from its beginning. An error: it cannot be asked so much or so little.
  // Called by any thread.
  MakeWorkload workload;
  std::vector<std::string> policies;  // values of penstock.dev/routing-strategy
  std::vector<uint64_t> seeds = {1};
  std::vector<double>
      loads;  // ascending; of a search for the capacity the first is where it begins
  // Looks for the load at which kGoodShare of the requests keep the objectives.
  bool finds_capacity = false;
  double precision = 0.02;  // of that, relative
  int threads = 1;
};

inline constexpr double kGoodShare = 0.9;

// One replay.
struct StudyPoint {
  double load = 0;
  Summary summary;
  FleetSeries fleet;
  double largest_share = 0;  // of the requests, that one engine had
  double imbalance = 0;
  uint64_t preemptions = 0;
  double took_s = 0;  // of this machine

  double good_share() const { return summary.all.good_share.value_or(0); }
};

struct StudySeries {
  std::string policy;
  uint64_t seed = 0;
  std::vector<StudyPoint> points;  // by load, ascending
  // Where goodput crosses kGoodShare, between two of the points.
  std::optional<double> capacity = std::nullopt;
};

struct StudyProgress {
  size_t points_done = 0;
  size_t points_planned = 0;  // at least
  std::string last;           // that was done: "COST, seed 1, 7 times as fast: 91 % good"
};

// Of texts each of which has one or several, with commas between them. An error says which are
// known, or which constants of one.
absl::StatusOr<std::vector<std::string>> ReadPolicies(const std::vector<std::string>& texts);

// In the order of the policies, and of the seeds within each. `tell` is called for each point, one
// call at a time; where it returns false, or plan.options.goes_on does, the study ends early, with
// what is done. A search ends where nothing counts, or no workload is as large or small.
// REQUIRES: policies, seeds and loads are not empty
std::vector<StudySeries> RunStudy(const StudyPlan& plan,
                                  const std::function<bool(const StudyProgress&)>& tell);

}  // namespace gw::bench
