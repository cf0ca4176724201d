// The whole of an exchange under everything that befalls it, in virtual time: no request is lost or
// answered twice, and nothing is held in the end. FLEET_REQUESTS and FLEET_SEED say how many and
// which; `make soak` asks for a million.

#include "bench/virtual/fleet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "base/check.h"
#include "base/log.h"

namespace gw::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::IsEmpty;

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* const text = std::getenv(name);
  uint64_t value = 0;
  if (text == nullptr) return otherwise;
  CHECK(absl::SimpleAtoi(text, &value));
  return value;
}

// Small ones, so that there is much of everything.
sim::ServerSpec SmallReplica() {
  sim::ServerSpec spec = *sim::FindServerSpec("llama-8b-pro6000");
  spec.sequences_max = 8;
  spec.kv_blocks = 200;
  return spec;
}

constexpr int kReplicas = 5;
constexpr int kGateways = 2;
constexpr int kWorkers = 3;
constexpr const char* kModels[] = {"critical", "standard", "sheddable"};

class Storm {
 public:
  Storm(uint64_t seed, uint64_t requests)
      : random_(seed),
        requests_(requests),
        fleet_({.replicas = std::vector(kReplicas, SmallReplica()),
                .gateways = kGateways,
                .workers = kWorkers,
                .post_time_max = milliseconds(3),
                .checks_room = true,
                .seed = seed},
               [this](const FleetAnswer& answer) { OnEnd(answer); }) {
    Reload();
  }

  void Run() {
    Arrive();
    Befall();
    fleet_.RunWhile([this] { return sent_ < requests_ || ended_ < sent_; });
    for (size_t i = 0; i < kReplicas; ++i) {
      if (!fleet_.replica(i).up()) fleet_.replica(i).Start();
    }
    fleet_.RunFor(seconds(2));  // whatever is on its way arrives
  }

  VirtualFleet& fleet() { return fleet_; }
  uint64_t sent() const { return sent_; }
  uint64_t ended() const { return ended_; }
  uint64_t count(const std::string& what) const {
    const auto found = counts_.find(what);
    return found == counts_.end() ? 0 : found->second;
  }
  const std::map<std::string, uint64_t>& counts() const { return counts_; }
  const std::vector<std::string>& wrong() const { return wrong_; }

 private:
  bool Chance(double share) { return random_.Unit() < share; }
  size_t Pick(size_t count) { return random_.Below(count); }
  Duration Upto(Duration most) {
    return Duration(static_cast<int64_t>(random_.Below(static_cast<uint64_t>(most.count()))));
  }

  void Arrive();
  void SendOne();
  FleetRequest Draw();
  void Befall();
  void Reload();
  void AddRelease(api::ResourceSet* set);
  void CountReleases();
  void OnEnd(const FleetAnswer& answer);
  void Expect(bool right, const FleetAnswer& answer, std::string_view what);

  Random random_;
  const uint64_t requests_;
  VirtualFleet fleet_;
  uint64_t sent_ = 0;
  uint64_t ended_ = 0;
  std::vector<uint32_t> wanted_tokens_ = {0};  // by id
  std::vector<uint8_t> ends_ = {0};            // by id
  std::map<std::string, uint64_t> counts_;
  std::vector<std::string> wrong_;
};

// By turns less than the fleet can do, and much more.
void Storm::Arrive() {
  if (sent_ == requests_) return;
  SendOne();
  const bool is_rush = sent_ / 500 % 2 == 1;
  fleet_.timeline().After(Upto(is_rush ? milliseconds(10) : milliseconds(60)),
                          [this] { Arrive(); });
}

FleetRequest Storm::Draw() {
  FleetRequest request;
  request.prompt_tokens = static_cast<uint32_t>(1 + Pick(Chance(0.1) ? 1500 : 200));
  request.output_tokens = static_cast<uint32_t>(1 + Pick(40));
  request.body = CompletionBody(kModels[Pick(3)], std::string(4 * request.prompt_tokens, 'a'));
  request.fields = "x-llm-d-inference-fairness-id: " + std::to_string(Pick(6)) + "\r\n";
  request.fields += "authorization: Bearer sk-" + std::to_string(Pick(3)) + "\r\n";
  if (Chance(0.1)) {
    request.fields += "x-penstock-queue-timeout-ms: " + std::to_string(Pick(300)) + "\r\n";
  }
  if (Chance(0.5)) request.body_time = Upto(milliseconds(20));
  return request;
}

void Storm::SendOne() {
  ++sent_;
  FleetRequest request = Draw();
  wanted_tokens_.push_back(request.output_tokens);
  ends_.push_back(0);
  const uint64_t id = fleet_.Send(Pick(kGateways), Pick(kWorkers), std::move(request));
  CHECK(id == sent_);
  // Before its body, while it waits, before its first token and within its stream.
  if (!Chance(0.2)) return;
  const Duration most = Chance(0.5) ? milliseconds(20) : seconds(2);
  fleet_.timeline().After(Upto(most), [this, id] {
    if (fleet_.Leave(id)) ++counts_["left"];
  });
}

void Storm::Befall() {
  fleet_.timeline().After(Upto(seconds(1)), [this] { Befall(); });
  CountReleases();
  if (sent_ == requests_) {  // what is left can end
    for (size_t i = 0; i < kReplicas; ++i) {
      if (!fleet_.replica(i).up()) fleet_.replica(i).Start();
    }
    return;
  }
  VirtualReplica& replica = fleet_.replica(Pick(kReplicas));
  switch (Pick(4)) {
    case 0:
      ++counts_[replica.up() ? "deaths" : "starts"];
      return replica.up() ? replica.Kill() : replica.Start();
    case 1:
      if (!replica.up()) replica.Start();
      return;
    case 2:
      if (Chance(0.1)) {
        ++counts_["aborts"];
        fleet_.Abort(Pick(kGateways), Pick(kWorkers));
      }
      return;
    default:
      ++counts_["reloads"];
      return Reload();
  }
}

// Other endpoints, other settings of the queue or none, with keys and without, other weights.
void Storm::Reload() {
  api::StringMap annotations;
  if (Chance(0.85)) {
    annotations = {{"penstock.dev/queueing", "true"},
                   {"penstock.dev/queue-requests-max", std::to_string(1 + Pick(40))},
                   {"penstock.dev/queue-timeout", std::to_string(1 + Pick(3000)) + "ms"}};
    if (Chance(0.3)) annotations["penstock.dev/queue-shares"] = "-1=0.2";
    if (Chance(0.3)) annotations["penstock.dev/queue-without-endpoints"] = "true";
    if (Chance(0.5)) annotations["penstock.dev/queue-evict-below"] = std::to_string(Pick(2));
    if (Chance(0.3))
      annotations["penstock.dev/queue-reserved"] = "1=" + std::to_string(1 + Pick(3));
    if (Chance(0.2)) annotations["penstock.dev/max-waiting"] = std::to_string(5 + Pick(30));
  }
  if (Chance(0.3)) annotations["penstock.dev/saturation-requests"] = std::to_string(4 + Pick(8));
  if (Chance(0.3)) annotations["penstock.dev/saturation-waiting"] = std::to_string(Pick(6));
  if (Chance(0.2)) annotations["penstock.dev/max-requests"] = std::to_string(20 + Pick(60));
  api::ResourceSet set = PoolObjects(kReplicas, annotations, true);
  for (auto& [key, pod] : set.pods) pod.ready = Chance(0.8);
  if (Chance(0.5)) {
    set.http_routes.begin()->second.access.emplace();
    set.http_routes.begin()->second.access->labels = {{"app", "keys"}};
    for (size_t i = 0; i < 3; ++i) {
      const std::string name = std::to_string(i);
      api::Secret& secret = set.secrets[{"default", name}];
      secret.meta.name = name;
      secret.meta.labels = {{"app", "keys"}};
      secret.data = {{"owner-" + name, "sk-" + name}};
      secret.queue_terms.weight = 0.5 + random_.Unit();
      if (Chance(0.3)) secret.queue_terms.requests_max = 1 + static_cast<int64_t>(Pick(20));
      if (Chance(0.2)) secret.queue_terms.tokens_max = 1000 + static_cast<int64_t>(Pick(5000));
    }
  }
  // For a while, so that it can come to its end.
  if (sent_ / 1000 % 3 != 0) AddRelease(&set);
  fleet_.Load(set);
}

// Of some of the replicas as another version, which has no queue of its own.
void Storm::AddRelease(api::ResourceSet* set) {
  constexpr char kCandidate[] = "candidate";
  const api::InferencePool stable = set->inference_pools.begin()->second;
  api::InferencePool candidate = stable;
  candidate.meta.name = kCandidate;
  candidate.meta.annotations.clear();
  const bool fails = sent_ / 1000 % 2 == 0;
  if (fails) candidate.meta.annotations["penstock.dev/max-requests"] = "1";
  candidate.selector = {{"app", kCandidate}};
  for (const char* name : {"3", "4"}) {
    set->pods.at({"default", name}).meta.labels = {{"app", kCandidate}};
  }
  set->inference_pools[{api::kInferenceGroup, "default", kCandidate}] = candidate;
  for (const char* model : kModels) {
    api::InferenceModel of = set->inference_models.at({"default", model});
    of.meta.name += "-candidate";
    of.pool_ref.name = kCandidate;
    set->inference_models[{"default", of.meta.name}] = of;
  }
  api::RouteRule& rule = set->http_routes.begin()->second.rules.front();
  rule.backend_refs.push_back(rule.backend_refs.front());
  rule.backend_refs.back().name = kCandidate;
  api::ModelRelease& release = set->model_releases[{"default", "release"}];
  release.meta.name = "release";
  release.route = "route";
  release.stable.name = stable.meta.name;
  release.candidate.name = kCandidate;
  release.steps = {{20, seconds(1), 20}, {60, seconds(1), 20}};
  release.criteria.error_rate = fails ? 0.0 : 0.9;
  if (fails) release.steps.front().samples_min = 400;
  release.on_breach = sent_ / 1000 % 3 == 1 ? api::ModelRelease::OnBreach::kHold
                                            : api::ModelRelease::OnBreach::kRollBack;
}

void Storm::CountReleases() {
  for (const ReleaseView& view : fleet_.gateway(0).releases().Look()) {
    const bool stopped =
        view.phase == release::Phase::kRolledBack || view.phase == release::Phase::kHolding;
    ++counts_[stopped ? "release stopped" : "release " + std::string(release::Name(view.phase))];
  }
}

void Storm::Expect(bool right, const FleetAnswer& answer, std::string_view what) {
  if (!right) wrong_.push_back("request " + std::to_string(answer.id) + ": " + std::string(what));
}

// It has one answer, or its client has left.
void Storm::OnEnd(const FleetAnswer& answer) {
  ++ended_;
  Expect(++ends_[answer.id] == 1, answer, "ended twice");
  if (answer.waited) ++counts_["waited"];
  switch (answer.outcome) {
    case Outcome::kComplete:
      ++counts_["complete"];
      Expect(answer.status == 200, answer, "complete and not 200");
      return Expect(answer.tokens == wanted_tokens_[answer.id], answer, "not all of its tokens");
    case Outcome::kRejected:
      ++counts_[std::string(InfoOf(answer.rejection).code)];
      Expect(answer.tokens == 0, answer, "refused, and has tokens");
      return Expect(answer.status >= 400, answer, "refused without an error's status");
    case Outcome::kEvicted:
      ++counts_["evicted"];
      return Expect(answer.status == (answer.tokens == 0 ? 429 : 200), answer, "evicted");
    case Outcome::kUpstreamBroke:
      ++counts_["broken"];
      return Expect(answer.status == 200 && answer.tokens > 0, answer, "broke before it began");
    default:
      Expect(answer.outcome == Outcome::kClientLeft, answer, "ended in another way");
      ++counts_["client left"];
      return Expect((answer.status == 0) == (answer.tokens == 0), answer, "left in between");
  }
}

TEST(VirtualFleet, UnderEverythingAtOnceNoRequestIsLostOrAnsweredTwice) {
  SetLogLevel(LogLevel::kError);  // releases tell of each step
  const uint64_t seed = FromEnvironment("FLEET_SEED", 1);
  const uint64_t requests = FromEnvironment("FLEET_REQUESTS", 20000);
  SCOPED_TRACE("FLEET_SEED=" + std::to_string(seed));
  Storm storm(seed, requests);
  storm.Run();
  EXPECT_EQ(storm.sent(), requests);
  EXPECT_EQ(storm.ended(), requests);
  EXPECT_THAT(storm.wrong(), IsEmpty());
  EXPECT_THAT(storm.fleet().Held(), IsEmpty());
  EXPECT_THAT(storm.fleet().Faults(), IsEmpty());
  EXPECT_EQ(storm.count("left"), storm.count("client left"));
  // Otherwise it proves little.
  for (const char* what : {"complete", "waited", "left", "broken", "deaths", "reloads", "aborts",
                           "queue_full", "queue_timeout", "shutting_down", "evicted",
                           "release Progressing", "release Promoted", "release stopped"}) {
    EXPECT_GT(storm.count(what), requests / 20000) << what;
  }
  for (const auto& [what, count] : storm.counts()) RecordProperty(what, std::to_string(count));
}

TEST(VirtualFleet, ASeedIsARun) {
  std::array<std::map<std::string, uint64_t>, 2> counts;
  for (auto& each : counts) {
    Storm storm(7, 1000);
    storm.Run();
    each = storm.counts();
  }
  EXPECT_EQ(counts[0], counts[1]);
}

}  // namespace
}  // namespace gw::bench
