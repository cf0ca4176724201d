// What requests of each criticality get of a fleet that is asked for twice what it can do, in
// virtual time.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "api/annotations.h"
#include "base/check.h"
#include "bench/virtual/fleet.h"

namespace gw::bench {
namespace {

constexpr int kReplicas = 2;
constexpr uint32_t kSequencesMax = 64;  // as --max-num-seqs of vLLM
constexpr const char* kClasses[] = {"critical", "standard", "sheddable"};
constexpr double kShares[] = {0.2, 0.4, 0.4};  // of the requests
enum Class : size_t { kCritical, kStandard, kSheddable };

struct Load {
  double per_second = 0;  // of all classes together
  int requests = 0;
  bool only_critical = false;  // the others' are left out
  bool queueing = true;
  bool evicts = false;             // Standard and Sheddable for Critical
  int64_t lower_requests_max = 0;  // concurrent-requests of Standard and of Sheddable; 0: none
  std::string requests_max = "";   // saturation-requests; empty: it is not set
  std::string reserved = "";       // queue-reserved
};

struct Served {
  std::vector<double> ttfts_ms;
  int shed = 0;  // refused, or ended for others

  double P99() const {
    std::vector<double> sorted = ttfts_ms;
    std::sort(sorted.begin(), sorted.end());
    return sorted.at((sorted.size() - 1) * 99 / 100);
  }
};

struct Result {
  std::array<Served, 3> of;
  double per_second = 0;  // that were served, in the middle of the run
};

sim::ServerSpec Replica() {
  sim::ServerSpec spec = *sim::FindServerSpec("llama-8b-pro6000");
  spec.sequences_max = kSequencesMax;
  return spec;
}

api::ResourceSet ObjectsFor(const Load& load) {
  api::StringMap annotations;
  if (load.queueing) {
    annotations = {{"penstock.dev/queueing", "true"},
                   {"penstock.dev/queue-requests-max", "100"},
                   {"penstock.dev/queue-timeout", "5s"}};
  }
  if (load.evicts) annotations["penstock.dev/queue-evict-below"] = "1";
  if (!load.requests_max.empty()) {
    annotations[api::kSaturationRequestsAnnotation] = load.requests_max;
  }
  if (!load.reserved.empty()) annotations[api::kQueueReservedAnnotation] = load.reserved;
  api::ResourceSet set = PoolObjects(kReplicas, annotations, true);
  api::HttpRoute& route = set.http_routes.begin()->second;
  route.access.emplace();
  route.access->labels = {{"app", "keys"}};
  for (const char* name : kClasses) {
    api::Secret& secret = set.secrets[{"default", name}];
    secret.meta.name = name;
    secret.meta.labels = {{"app", "keys"}};
    secret.data = {{name, std::string("sk-") + name}};
    if (load.lower_requests_max > 0 && name != std::string("critical")) {
      secret.queue_terms.requests_max = load.lower_requests_max;
    }
  }
  return set;
}

class Run {
 public:
  Run(const Load& load, uint64_t seed)
      : load_(load),
        random_(seed + 100),
        fleet_({.replicas = std::vector(kReplicas, Replica()), .workers = 2, .seed = seed},
               [this](const FleetAnswer& answer) { OnEnd(answer); }) {
    fleet_.Load(ObjectsFor(load));
  }

  Result Do() {
    Arrive();
    fleet_.RunWhile([this] { return drawn_ < load_.requests || ended_ < classes_.size(); });
    // Neither while it fills nor while it empties.
    const size_t quarter = served_at_.size() / 4;
    const TimePoint from = served_at_[quarter];
    const TimePoint to = served_at_[3 * quarter];
    result_.per_second = static_cast<double>(2 * quarter) / ToSeconds(to - from);
    return std::move(result_);
  }

 private:
  // At random times: those between two are distributed exponentially.
  void Arrive() {
    if (drawn_++ == load_.requests) return;
    const double draw = random_.Unit();
    const Class of = draw < kShares[0]                ? kCritical
                     : draw < kShares[0] + kShares[1] ? kStandard
                                                      : kSheddable;
    const auto prompt_tokens = static_cast<uint32_t>(20 + random_.Below(181));
    const auto output_tokens = static_cast<uint32_t>(50 + random_.Below(151));
    if (of == kCritical || !load_.only_critical) Send(of, prompt_tokens, output_tokens);
    const std::chrono::duration<double> pause(-std::log(1 - random_.Unit()) / load_.per_second);
    fleet_.timeline().After(std::chrono::duration_cast<Duration>(pause), [this] { Arrive(); });
  }

  void Send(Class of, uint32_t prompt_tokens, uint32_t output_tokens) {
    FleetRequest request{.fields = std::string("authorization: Bearer sk-") + kClasses[of] + "\r\n",
                         .body = CompletionBody(kClasses[of], std::string(4 * prompt_tokens, 'a')),
                         .prompt_tokens = prompt_tokens,
                         .output_tokens = output_tokens};
    const size_t worker = classes_.size() % 2;
    classes_.push_back(of);
    CHECK(fleet_.Send(0, worker, std::move(request)) == classes_.size());
  }

  void OnEnd(const FleetAnswer& answer) {
    ++ended_;
    Served& served = result_.of[classes_[answer.id - 1]];
    if (answer.outcome == Outcome::kComplete) {
      served.ttfts_ms.push_back(ToMillis(*answer.first_token - answer.arrived));
      served_at_.push_back(answer.ended);
      return;
    }
    const bool shed =
        answer.rejection == Rejection::kQueueFull || answer.rejection == Rejection::kQueueTimeout ||
        answer.rejection == Rejection::kSaturated || answer.rejection == Rejection::kEvicted;
    CHECK(shed);
    ++served.shed;
  }

  const Load load_;
  Random random_;
  VirtualFleet fleet_;
  std::vector<Class> classes_;  // of each id
  int drawn_ = 0;
  size_t ended_ = 0;
  std::vector<TimePoint> served_at_;
  Result result_;
};

Result ResultOf(const Load& load) { return Run(load, 1).Do(); }

class Classes : public testing::Test {
 protected:
  // What the fleet can do: what is served of much more.
  static void SetUpTestSuite() {
    capacity_ = ResultOf({.per_second = 300, .requests = 4500}).per_second;
  }
  static Load Twice() { return {.per_second = 2 * capacity_, .requests = 4000}; }
  void Record(const char* name, const Result& result) {
    for (const Class of : {kCritical, kStandard, kSheddable}) {
      const Served& served = result.of[of];
      const std::string key = std::string(name) + "_" + kClasses[of];
      if (!served.ttfts_ms.empty()) RecordProperty(key + "_p99_ms", std::to_string(served.P99()));
      RecordProperty(key + "_shed", served.shed);
    }
  }

  static double capacity_;
};

double Classes::capacity_ = 0;

// A model server's batch is first come, first served, and each step of it takes as long as all of
// it needs: what Critical's TTFT is to keep its value, the pool must keep free. Critical alone, at
// the rate that it has here, is what is compared with: that is 40 % of what the fleet can do, and
// such requests already wait for each other.
TEST_F(Classes, CeilingsOfTheOthersKeepCriticalsTtftAtTwiceTheCapacity) {
  Load alone = Twice();
  alone.only_critical = true;
  Load capped = Twice();
  capped.lower_requests_max = 16;
  const Result of_alone = ResultOf(alone);
  const Result of_capped = ResultOf(capped);
  Record("alone", of_alone);
  Record("capped", of_capped);
  EXPECT_EQ(of_capped.of[kCritical].shed, 0);
  EXPECT_LE(of_capped.of[kCritical].P99(), 1.2 * of_alone.of[kCritical].P99());
  EXPECT_GT(of_capped.of[kSheddable].shed, 0);
}

// The same by the pool alone, and with less of what it can do left unused.
TEST_F(Classes, ReservedPlacesKeepCriticalsTtftAtTwiceTheCapacity) {
  Load alone = Twice();
  alone.only_critical = true;
  Load reserved = Twice();
  reserved.requests_max = "56";
  reserved.reserved = "1=8";
  const Result of_alone = ResultOf(alone);
  const Result of_reserved = ResultOf(reserved);
  Record("reserved", of_reserved);
  EXPECT_EQ(of_reserved.of[kCritical].shed, 0);
  EXPECT_LE(of_reserved.of[kCritical].P99(), 1.2 * of_alone.of[kCritical].P99());
  EXPECT_GT(of_reserved.of[kSheddable].shed, 1500) << "of about 1590";
  EXPECT_LT(of_reserved.of[kStandard].shed, 1100);
  EXPECT_GT(of_reserved.per_second, 0.7 * capacity_);
}

// Strictly by priority: what cannot be served is Sheddable, as far as that goes.
TEST_F(Classes, TheQueueShedsSheddableAtTwiceTheCapacity) {
  const Result result = ResultOf(Twice());
  Record("queue", result);
  EXPECT_EQ(result.of[kCritical].shed, 0);
  EXPECT_GT(result.of[kSheddable].shed, 2 * result.of[kStandard].shed);
  EXPECT_LT(result.of[kCritical].P99(), result.of[kStandard].P99());
  EXPECT_GE(result.per_second, 0.9 * capacity_);
}

// Nobody of the others keeps a place that Critical needs, but what its model server's steps take.
TEST_F(Classes, EvictionTakesPlacesForCriticalFromTheOthers) {
  Load load = Twice();
  const Result without = ResultOf(load);
  load.evicts = true;
  const Result with = ResultOf(load);
  Record("evicts", with);
  EXPECT_EQ(with.of[kCritical].shed, 0);
  EXPECT_LT(with.of[kCritical].P99(), without.of[kCritical].P99());
}

TEST_F(Classes, WithoutAQueueStandardIsRefusedAsSheddableIs) {
  Load unloaded = Twice();
  unloaded.per_second = 0.02 * capacity_;
  unloaded.only_critical = true;
  Record("unloaded", ResultOf(unloaded));
  Load load = Twice();
  load.queueing = false;
  const Result result = ResultOf(load);
  Record("no_queue", result);
  EXPECT_EQ(result.of[kCritical].shed, 0);
  EXPECT_GT(result.of[kStandard].shed, 0);
  EXPECT_NEAR(result.of[kStandard].shed, result.of[kSheddable].shed, 100);
}

}  // namespace
}  // namespace gw::bench
