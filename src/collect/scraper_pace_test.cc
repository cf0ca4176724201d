// What the scraper does when, in virtual time: thousands of endpoints share a few model servers.

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "collect/fake_model_server.h"
#include "collect/look_plan.h"
#include "collect/scraper.h"
#include "pool/health.h"

namespace gw {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr char kIdlePage[] = "vllm:num_requests_running 0\nvllm:num_requests_waiting 0\n";
constexpr char kBusyPage[] = "vllm:num_requests_running 1\nvllm:num_requests_waiting 0\n";
// Until news of an endpoint are noticed: a round comes each 2 ms and is a millisecond late.
constexpr Duration kNoticed = milliseconds(3 * (LookPlan::kSweepRounds + 1));

class ScraperPaceTest : public testing::Test {
 protected:
  ~ScraperPaceTest() override {
    scraper_.reset();
    servers_.clear();
  }

  FakeModelServer& AddServer(const std::string& page) {
    servers_.push_back(
        std::make_unique<FakeModelServer>(*loop_, *SocketAddress::Parse("127.0.0.1:0")));
    servers_.back()->page = page;
    return *servers_.back();
  }
  // One more at that server's address.
  EndpointState& AddEndpoint(const FakeModelServer& server) {
    Endpoint endpoint;
    endpoint.ip = server.address().ip();
    endpoint.port = server.address().port();
    endpoint.address = server.address().ToString();
    endpoint.state = std::make_shared<EndpointState>(pool_->pool.endpoints.size());
    pool_->pool.endpoints.push_back(std::move(endpoint));
    return *pool_->pool.endpoints.back().state;
  }
  void Add(size_t endpoints, size_t servers, const std::string& page) {
    for (size_t i = 0; i < servers; ++i) AddServer(page);
    for (size_t i = 0; i < endpoints; ++i) AddEndpoint(*servers_[i % servers]);
  }
  // They are all looked at for the first time.
  void Start() {
    pool_->pool.kind = Pool::Kind::kInferencePool;
    pool_->pool.id = "default/qwen";
    pool_->pool.metrics_age_max = std::chrono::hours(3);
    auto snapshot = std::make_shared<Snapshot>();
    snapshot->pools.push_back(pool_);
    store_.Publish(std::move(snapshot));
    scraper_ = std::make_unique<MetricsScraper>(*loop_, store_, index_, metrics_, options_);
    Run(seconds(1));
    for (const Endpoint& endpoint : pool_->pool.endpoints) {
      ASSERT_NE(endpoint.state->scraped_at_ns, 0) << endpoint.address;
    }
  }
  void Run(Duration time) {
    for (Duration passed{0}; passed < time; passed += milliseconds(1)) {
      clock_.Advance(milliseconds(1));
      for (int i = 0; i < 3; ++i) loop_->RunOnce(Duration(0));  // request, answer, its end
    }
  }
  uint64_t Scrapes() { return metrics_.AddCounter("penstock_scrapes_total", "").value(); }

  ManualClock clock_;
  std::unique_ptr<EventLoop> loop_ = std::move(*EventLoop::New(clock_));
  SnapshotStore store_;
  PrefixIndex index_{{.bytes_max = 1 << 20, .shards = 1}};
  MetricRegistry metrics_;
  ScrapeOptions options_;
  std::shared_ptr<PoolEntry> pool_ = std::make_shared<PoolEntry>();
  std::vector<std::unique_ptr<FakeModelServer>> servers_;
  std::unique_ptr<MetricsScraper> scraper_;
};

TEST_F(ScraperPaceTest, FiveThousandIdleEndpointsAreVisitedForTheirPagesOnly) {
  options_.idle_interval = seconds(20);
  Add(5000, 20, kIdlePage);
  Start();
  const uint64_t looks_before = scraper_->looks();
  const uint64_t scrapes_before = Scrapes();
  constexpr int kSeconds = 30;
  Run(seconds(kSeconds));
  const uint64_t scrapes = Scrapes() - scrapes_before;
  EXPECT_GE(scrapes, 5000u);
  EXPECT_LE(scrapes, 10'000u);
  // Left out, its turn; and in each of some 400 rounds the one at which the budget ends.
  EXPECT_LE(scraper_->looks() - looks_before, 2 * scrapes + kSeconds * 500u);
}

TEST_F(ScraperPaceTest, EndpointsOfWhichNothingIsDueAreNotVisited) {
  options_.idle_interval = std::chrono::hours(1);
  Add(1000, 20, kIdlePage);
  Start();
  const uint64_t looks_before = scraper_->looks();
  Run(seconds(60));
  EXPECT_EQ(scraper_->looks(), looks_before);
}

TEST_F(ScraperPaceTest, AnIdleEndpointOfManyThatComesIntoUseIsScrapedSoonAndThenAtTheUsualPace) {
  options_.idle_interval = std::chrono::hours(1);
  Add(2000, 20, kIdlePage);
  FakeModelServer& server = AddServer(kIdlePage);
  EndpointState& state = AddEndpoint(server);
  Start();
  for (int use = 1; use <= 3; ++use) {
    Run(milliseconds(777));
    const int before = server.scrapes;
    state.in_flight_requests = 1;
    Run(kNoticed);
    EXPECT_EQ(server.scrapes, before + 1);
    Run(seconds(1));
    EXPECT_GE(server.scrapes, before + 17);
    EXPECT_LE(server.scrapes, before + 21);
    state.in_flight_requests = 0;
    const int after = server.scrapes;
    Run(seconds(10));
    EXPECT_LE(server.scrapes, after + 1);
  }
}

TEST_F(ScraperPaceTest, AnIdleEndpointOfManyThatRequestsDoubtOrEjectIsProbed) {
  options_.idle_interval = std::chrono::hours(1);
  Add(2000, 20, kIdlePage);
  FakeModelServer& server = AddServer(kIdlePage);
  EndpointState& state = AddEndpoint(server);
  Start();
  RecordRefusal(state, clock_.Now(), true);
  Run(kNoticed);
  EXPECT_EQ(server.probes, 1);
  RecordRefusal(state, clock_.Now(), true);
  Run(milliseconds(900));
  EXPECT_EQ(server.probes, 1) << "once a second";
  Run(milliseconds(150));
  EXPECT_EQ(server.probes, 2);

  RecordFailure(state, clock_.Now(), EndpointFailure::kConnectRefused);
  Run(milliseconds(990));
  EXPECT_EQ(server.probes, 2) << "its back-off";
  EXPECT_TRUE(IsEjected(state));
  Run(milliseconds(30));
  EXPECT_EQ(server.probes, 3);
  EXPECT_FALSE(IsEjected(state));
}

TEST_F(ScraperPaceTest, AServerThatAnswersNothingIsGivenUpInTime) {
  FakeModelServer& server = AddServer(kBusyPage);
  EndpointState& state = AddEndpoint(server);
  Start();
  server.hang = true;
  Run(milliseconds(100));  // the one under way then
  Run(options_.timeout - milliseconds(150));
  EXPECT_EQ(state.unanswered_scrapes, 0u);
  Run(milliseconds(150));
  EXPECT_EQ(state.unanswered_scrapes, 1u);
}

TEST_F(ScraperPaceTest, BeyondTheBudgetEveryoneGetsTheSame) {
  options_.pages_per_second_max = 100;
  Add(40, 40, kBusyPage);
  Start();
  Run(seconds(2));
  std::vector<int> before;
  for (const auto& server : servers_) before.push_back(server->scrapes);
  constexpr int kSeconds = 20;
  for (int ms = 0; ms < kSeconds * 1000; ++ms) {
    Run(milliseconds(1));
    // Work that comes and goes makes nobody come sooner or later.
    for (size_t i = 0; i < 20; ++i) {
      pool_->pool.endpoints[i].state->in_flight_requests = static_cast<int32_t>(ms % (i + 2) == 0);
    }
  }
  for (size_t i = 0; i < servers_.size(); ++i) {
    EXPECT_NEAR(servers_[i]->scrapes - before[i], 100 * kSeconds / 40, 3) << i;
  }
}

TEST_F(ScraperPaceTest, WhoComesIntoUseBeyondTheBudgetWaitsForOneTurnOfAllAtMost) {
  options_.pages_per_second_max = 100;
  options_.idle_interval = std::chrono::hours(1);
  Add(40, 40, kBusyPage);
  FakeModelServer& server = AddServer(kIdlePage);
  EndpointState& state = AddEndpoint(server);
  Start();
  Run(seconds(2));
  const int before = server.scrapes;
  state.in_flight_requests = 1;
  Run(kNoticed + milliseconds(410 + 20));
  EXPECT_GE(server.scrapes, before + 1);
}

}  // namespace
}  // namespace gw
