#include "bench/replay/study.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <thread>
#include <utility>

#include "api/annotations.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "scheduling/strategy.h"

namespace gw::bench {
namespace {

// Of a search: how much further it goes while it has no bound, and how often at most.
constexpr double kStride = 1.3;
constexpr int kStridesMax = 30;
constexpr int kCutsMax = 12;

double LargestShare(const FleetSeries& fleet) {
  uint64_t most = 0;
  for (const EndpointSeries& one : fleet.endpoints) most = std::max(most, one.requests);
  const uint64_t all = fleet.requests();
  return all == 0 ? 0 : static_cast<double>(most) / static_cast<double>(all);
}

class Lab {
 public:
  Lab(const StudyPlan& plan, const std::function<bool(const StudyProgress&)>& tell)
      : plan_(plan), tell_(tell) {
    for (const std::string& policy : plan.policies) {
      for (const uint64_t seed : plan.seeds) series_.push_back({.policy = policy, .seed = seed});
    }
    progress_.points_planned = series_.size() * plan.loads.size();
  }

  std::vector<StudySeries> Run() {
    MakeTasks();
    std::vector<std::thread> threads;
    for (int i = 1; i < plan_.threads; ++i) threads.emplace_back([this] { Work(); });
    Work();
    for (std::thread& thread : threads) thread.join();
    for (StudySeries& one : series_) {
      std::ranges::sort(one.points, {}, &StudyPoint::load);
    }
    return std::move(series_);
  }

 private:
  // A search goes from point to point; points that are given are each a task of its own.
  void MakeTasks() {
    for (StudySeries& one : series_) {
      if (plan_.finds_capacity) {
        tasks_.emplace_back([this, &one] { FindCapacity(&one); });
        continue;
      }
      for (const double load : plan_.loads) {
        tasks_.emplace_back([this, &one, load] { PointAt(&one, load); });
      }
    }
  }

  void Work() {
    for (size_t task = next_++; task < tasks_.size() && !stopped_; task = next_++) tasks_[task]();
  }

  // The share of good requests; nullopt: the study has been ended, or nothing counts.
  std::optional<double> PointAt(StudySeries* of, double load);
  void FindCapacity(StudySeries* of);

  const StudyPlan& plan_;
  const std::function<bool(const StudyProgress&)>& tell_;
  std::vector<StudySeries> series_;
  std::vector<std::function<void()>> tasks_;
  std::atomic<size_t> next_{0};
  std::atomic<bool> stopped_{false};
  Mutex mutex_;
  StudyProgress progress_ ABSL_GUARDED_BY(mutex_);
};

std::optional<double> Lab::PointAt(StudySeries* of, double load) {
  Scenario scenario = plan_.scenario;
  scenario.seed = of->seed;
  scenario.annotations[api::kRoutingStrategyAnnotation] = of->policy;
  ReplayOptions options = plan_.options;
  options.goes_on = [this] {
    if (plan_.options.goes_on && !plan_.options.goes_on()) stopped_ = true;
    return !stopped_;
  };
  const absl::StatusOr<std::unique_ptr<LoadWorkload>> workload = plan_.workload(load, of->seed);
  if (!workload.ok()) return std::nullopt;
  const TimePoint began = RealClock().Now();
  Replayed replayed = Replay(scenario, options, **workload);
  if (stopped_) return std::nullopt;
  StudyPoint point{.load = load,
                   .summary = Summarize(replayed.records, plan_.objectives),
                   .fleet = std::move(replayed.fleet),
                   .imbalance = replayed.imbalance,
                   .preemptions = replayed.preemptions,
                   .took_s = ToSeconds(RealClock().Now() - began)};
  point.largest_share = LargestShare(point.fleet);
  const std::optional<double> good = point.summary.all.good_share;
  const MutexLock lock(mutex_);
  of->points.push_back(std::move(point));
  ++progress_.points_done;
  progress_.points_planned = std::max(progress_.points_planned, progress_.points_done);
  progress_.last =
      fmt::format("{}, seed {}, {:.4g} {}: {}", of->policy, of->seed, load, UnitOf(plan_.axis),
                  good ? fmt::format("{:.1f} % good", *good * 100) : "no request that counts");
  if (!tell_(progress_)) stopped_ = true;
  return good;
}

// A bracket first, then cuts of it where the line between its ends meets the share that is wanted,
// though never close to an end: goodput falls slowly and then at once.
void Lab::FindCapacity(StudySeries* of) {
  const bool whole = plan_.axis == LoadAxis::kUsers;
  const auto rounded = [whole](double load) {
    return whole ? std::max(1.0, std::round(load)) : load;
  };
  struct End {
    double load = 0;
    double good = 1;
  };
  std::optional<End> low;
  std::optional<End> high;
  double load = rounded(plan_.loads[0]);
  for (int stride = 0; stride < kStridesMax && !(low && high); ++stride) {
    const std::optional<double> good = PointAt(of, load);
    if (!good) return;
    (*good >= kGoodShare ? low : high) = End{load, *good};
    const double next = rounded(*good >= kGoodShare ? load * kStride : load / kStride);
    if (next == load) break;  // one user is too many
    load = next;
  }
  if (!low || !high) return;
  for (int cut = 0; cut < kCutsMax; ++cut) {
    const double width = high->load - low->load;
    if (width <= (whole ? 1.0 : plan_.precision * high->load)) break;
    const double at = std::clamp((low->good - kGoodShare) / (low->good - high->good), 0.25, 0.75);
    load = rounded(low->load + at * width);
    if (load <= low->load || load >= high->load) break;
    const std::optional<double> good = PointAt(of, load);
    if (!good) return;
    (*good >= kGoodShare ? *low : *high) = End{load, *good};
  }
  of->capacity =
      low->load + (low->good - kGoodShare) / (low->good - high->good) * (high->load - low->load);
}

}  // namespace

std::string_view UnitOf(LoadAxis axis) {
  switch (axis) {
    case LoadAxis::kSpeed:
      return "times as fast";
    case LoadAxis::kRate:
      return "requests/s";
    case LoadAxis::kUsers:
      return "users";
  }
  return "";
}

absl::StatusOr<std::vector<std::string>> ReadPolicies(const std::vector<std::string>& texts) {
  std::vector<std::string> policies;
  for (const std::string& text : texts) {
    for (std::string& policy : SplitStrategies(text)) {
      const auto profile = ReadStrategy(policy);
      if (!profile.ok()) {
        return absl::InvalidArgumentError(
            fmt::format("--policy: {}", std::string(profile.status().message())));
      }
      policies.push_back(std::move(policy));
    }
  }
  return policies;
}

std::vector<StudySeries> RunStudy(const StudyPlan& plan,
                                  const std::function<bool(const StudyProgress&)>& tell) {
  CHECK(!plan.policies.empty() && !plan.seeds.empty() && !plan.loads.empty());
  return Lab(plan, tell).Run();
}

}  // namespace gw::bench
