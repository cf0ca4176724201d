// What tenants of one priority get of a fleet that has less than they want, in virtual time.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "base/check.h"
#include "bench/virtual/fleet.h"

namespace gw::bench {
namespace {

using std::chrono::seconds;

constexpr int kReplicas = 2;
constexpr uint32_t kSequencesMax = 8;

// With one worker, so that what is dispatched first is sent first.
FleetOptions Options(uint64_t seed) {
  sim::ServerSpec spec = *sim::FindServerSpec("llama-8b-pro6000");
  spec.sequences_max = kSequencesMax;
  return {.replicas = std::vector(kReplicas, spec), .seed = seed};
}

struct Tenant {
  std::string name;
  int clients = 0;  // each asks again when it has its answer
  uint32_t prompt_tokens_min = 0;
  uint32_t prompt_tokens_max = 0;
  uint32_t answer_tokens_min = 0;
  uint32_t answer_tokens_max = 0;
};

struct Asked {
  size_t tenant = 0;
  uint32_t tokens = 0;
  FleetAnswer answer = {};
};

class Tenants {
 public:
  Tenants(std::vector<Tenant> tenants, uint64_t seed)
      : tenants_(std::move(tenants)),
        random_(seed + 1),
        fleet_(Options(seed), [this](const FleetAnswer& answer) { OnEnd(answer); }) {
    fleet_.Load(PoolObjects(kReplicas, {{"penstock.dev/queueing", "true"}}));
    for (size_t tenant = 0; tenant < tenants_.size(); ++tenant) {
      for (int i = 0; i < tenants_[tenant].clients; ++i) Ask(tenant);
    }
  }

  void Ask(size_t tenant) {
    const Tenant& who = tenants_[tenant];
    FleetRequest request;
    request.fields = "x-llm-d-inference-fairness-id: " + who.name + "\r\n";
    request.prompt_tokens = Draw(who.prompt_tokens_min, who.prompt_tokens_max);
    request.output_tokens = Draw(who.answer_tokens_min, who.answer_tokens_max);
    request.body = CompletionBody("m", std::string(4 * request.prompt_tokens, 'a'));
    asked_.push_back({tenant, request.prompt_tokens + request.output_tokens});
    CHECK(fleet_.Send(0, 0, std::move(request)) == asked_.size());
  }

  // Tokens of each tenant's requests that end within that time.
  std::vector<double> ServedIn(Duration time) {
    const TimePoint from = fleet_.timeline().now();
    fleet_.RunFor(time);
    std::vector<double> served(tenants_.size());
    for (const Asked& each : asked_) {
      if (each.answer.ended > from) served[each.tenant] += each.tokens;
    }
    return served;
  }

  void StopAsking() { asks_ = false; }
  VirtualFleet& fleet() { return fleet_; }
  const std::vector<Asked>& asked() const { return asked_; }

 private:
  uint32_t Draw(uint32_t min, uint32_t max) {
    return min + static_cast<uint32_t>(random_.Below(max - min + 1));
  }
  void OnEnd(const FleetAnswer& answer) {
    Asked& asked = asked_[answer.id - 1];
    CHECK(answer.outcome == Outcome::kComplete);
    asked.answer = answer;
    const size_t tenant = asked.tenant;
    if (!asks_ || tenants_[tenant].clients == 0) return;
    fleet_.timeline().After(Duration(0), [this, tenant] { Ask(tenant); });
  }

  const std::vector<Tenant> tenants_;
  Random random_;
  VirtualFleet fleet_;
  bool asks_ = true;
  std::vector<Asked> asked_;
};

// Of what the first one got, the second.
double ShareOfSecond(const std::vector<Tenant>& tenants, uint64_t seed) {
  Tenants run(tenants, seed);
  run.ServedIn(seconds(30));
  const std::vector<double> served = run.ServedIn(seconds(120));
  return served[1] / served[0];
}

TEST(Fairness, TenTimesTheDemandIsServedTheSameTokens) {
  for (const uint64_t seed : {1, 2, 3}) {
    const double share =
        ShareOfSecond({{"many", 300, 100, 500, 20, 100}, {"few", 30, 100, 500, 20, 100}}, seed);
    EXPECT_NEAR(share, 1, 0.03) << "seed " << seed;
  }
}

TEST(Fairness, LongPromptsAndShortOnesAreServedTheSameTokens) {
  for (const uint64_t seed : {1, 2, 3}) {
    const double share =
        ShareOfSecond({{"long", 50, 1000, 3000, 10, 50}, {"short", 150, 20, 200, 20, 100}}, seed);
    EXPECT_NEAR(share, 1, 0.03) << "seed " << seed;
  }
}

TEST(Fairness, LongAnswersAndShortOnesAreServedTheSameTokens) {
  for (const uint64_t seed : {1, 2, 3}) {
    const double share =
        ShareOfSecond({{"long", 50, 100, 300, 400, 800}, {"short", 150, 100, 300, 5, 50}}, seed);
    EXPECT_NEAR(share, 1, 0.03) << "seed " << seed;
  }
}

// How many requests of others went between its arrival and its own dispatch.
int DispatchedBefore(const std::vector<Asked>& asked, const Asked& one) {
  return static_cast<int>(std::count_if(asked.begin(), asked.end(), [&one](const Asked& other) {
    return other.tenant != one.tenant && other.answer.dispatched &&
           *other.answer.dispatched >= one.answer.arrived &&
           *other.answer.dispatched < *one.answer.dispatched;
  }));
}

// Five tenants always have something waiting; a sixth comes with bursts of five from time to time.
// It begins at the least of the others' counters, and each of its requests lets each of them go on
// by as many tokens: about one request each, and two at most as they are of unequal length.
TEST(Fairness, WhoeverWaitsGoesWithinABoundWhileOthersGoOnComing) {
  constexpr int kBurst = 5;
  constexpr int kOthers = 5;
  for (const uint64_t seed : {1, 2, 3}) {
    std::vector<Tenant> tenants;
    for (int i = 0; i < kOthers; ++i) {
      tenants.push_back({"other-" + std::to_string(i), 20, 50, 500, 10, 100});
    }
    tenants.push_back({"late", 0, 50, 500, 10, 100});
    Tenants run(tenants, seed);
    for (int burst = 0; burst < 30; ++burst) {
      run.fleet().RunFor(seconds(3));
      for (int i = 0; i < kBurst; ++i) run.Ask(kOthers);
    }
    run.StopAsking();
    size_t ended = 0;
    run.fleet().RunFor(seconds(60));
    int most = 0;
    for (const Asked& each : run.asked()) {
      ended += each.answer.id != 0;
      if (each.tenant == kOthers) most = std::max(most, DispatchedBefore(run.asked(), each));
    }
    EXPECT_EQ(ended, run.asked().size()) << "seed " << seed;
    EXPECT_LE(most, 2 * kBurst * kOthers) << "seed " << seed;
    RecordProperty("most_dispatched_before", most);
  }
}

}  // namespace
}  // namespace gw::bench
