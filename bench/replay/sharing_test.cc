// Gateways side by side: what each loses that knows its own requests only, and what they have again
// that tell each other (src/peers).

#include <gtest/gtest.h>

#include <memory>
#include <optional>

#include "api/annotations.h"
#include "bench/load/chats.h"
#include "bench/replay/study.h"

namespace gw::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct Found {
  double good = 0;
  double cached = 0;
};

// Conversations of six turns, each turn at whatever gateway it comes to.
Found FoundWith(const char* policy, int gateways, std::optional<PeerOptions> peers) {
  StudyPlan plan;
  plan.scenario.engines.assign(4, *sim::FindServerSpec("llama-8b-pro6000"));
  plan.scenario.metrics_age = milliseconds(200);
  plan.scenario.gateways = gateways;
  plan.scenario.peers = peers;
  plan.objectives = {.ttft = milliseconds(500), .tpot = milliseconds(50)};
  plan.policies = {policy};
  plan.seeds = {1, 2, 3};
  plan.loads = {25};
  plan.workload = [](double load, uint64_t seed) {
    return *NewChats({.form = {.api = ApiKind::kCompletions, .model = "m"},
                      .per_second = load,
                      .rounds = 6,
                      .gap = seconds(5),
                      .system_tokens = 500,
                      .question_tokens = 800,
                      .output_tokens = 60,
                      .lasts = seconds(60),
                      .seed = seed});
  };
  const auto series = RunStudy(plan, [](const StudyProgress&) { return true; });
  Found mean;
  for (const StudySeries& one : series) {
    const StudyPoint& point = one.points[0];
    mean.good += point.good_share() / static_cast<double>(series.size());
    mean.cached += point.summary.all.cached_share.value_or(0) / static_cast<double>(series.size());
  }
  return mean;
}

class Sharing : public ::testing::TestWithParam<const char*> {};

TEST_P(Sharing, GivesBackWhatIsLostSideBySide) {
  const Found one = FoundWith(GetParam(), 1, std::nullopt);
  const Found alone = FoundWith(GetParam(), 3, std::nullopt);
  const Found shared = FoundWith(GetParam(), 3, PeerOptions{});
  EXPECT_LT(alone.cached, one.cached - 0.05);
  EXPECT_GE(shared.cached, one.cached - 0.03);
  EXPECT_GE(shared.good, one.good - 0.02);
}

TEST_P(Sharing, AlsoWhereMessagesAreLateOrLost) {
  const Found one = FoundWith(GetParam(), 1, std::nullopt);
  for (const PeerOptions& peers : {PeerOptions{.gather = milliseconds(200)},
                                   PeerOptions{.lost = 0.01}, PeerOptions{.lost = 0.1}}) {
    const Found shared = FoundWith(GetParam(), 3, peers);
    EXPECT_GE(shared.cached, one.cached - 0.05) << peers.lost;
    EXPECT_GE(shared.good, one.good - 0.03) << peers.lost;
  }
}

INSTANTIATE_TEST_SUITE_P(Policies, Sharing, ::testing::Values("COST", "PREFIX_CACHE"));

}  // namespace
}  // namespace gw::bench
