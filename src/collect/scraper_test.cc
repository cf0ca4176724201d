#include "collect/scraper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "collect/fake_model_server.h"
#include "pool/health.h"

namespace gw {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::string Page(int waiting, int running, double kv) {
  const std::string labels = "{engine=\"0\",model_name=\"base\"} ";
  return "# HELP vllm:num_requests_running x\n"
         "vllm:num_requests_running" +
         labels + std::to_string(running) + "\n" + "vllm:num_requests_waiting" + labels +
         std::to_string(waiting) + "\n" + "vllm:kv_cache_usage_perc" + labels + std::to_string(kv) +
         "\n" + "vllm:cache_config_info{block_size=\"16\",num_gpu_blocks=\"1000\"} 1.0\n";
}

class ScraperTest : public ::testing::Test {
 protected:
  ScraperTest() : loop_(std::move(*EventLoop::New())) {
    options_.interval = milliseconds(5);
    options_.load_ratio_max = 1;
    options_.idle_interval = milliseconds(5);
    options_.failure_interval = milliseconds(5);
    options_.failure_interval_max = milliseconds(20);
    options_.timeout = milliseconds(300);
    options_.health.backoff_base = milliseconds(30);
  }
  ~ScraperTest() override {
    scraper_.reset();
    servers_.clear();
  }

  FakeModelServer& AddServer(std::string page = Page(0, 0, 0)) {
    servers_.push_back(
        std::make_unique<FakeModelServer>(*loop_, *SocketAddress::Parse("127.0.0.1:0")));
    servers_.back()->page = std::move(page);
    return *servers_.back();
  }

  EndpointState& StateOf(const FakeModelServer& server) {
    return *table_.Get(server.address().ToString());
  }

  void Publish(std::vector<const FakeModelServer*> servers,
               Pool::Kind kind = Pool::Kind::kInferencePool) {
    PublishPools({MakePool(servers, kind, "default/qwen", Runtime::kVllm)});
  }
  std::shared_ptr<PoolEntry> MakePool(std::vector<const FakeModelServer*> servers, Pool::Kind kind,
                                      std::string id, Runtime runtime) {
    auto entry = std::make_shared<PoolEntry>();
    entry->pool.kind = kind;
    entry->pool.id = std::move(id);
    entry->pool.metrics_age_max = metrics_age_max_;
    for (const FakeModelServer* server : servers) {
      Endpoint endpoint;
      endpoint.ip = server->address().ip();
      endpoint.port = server->address().port();
      endpoint.address = server->address().ToString();
      endpoint.runtime = runtime;
      endpoint.state = table_.Get(endpoint.address);
      held_.push_back(endpoint.state);
      entry->pool.endpoints.push_back(std::move(endpoint));
    }
    return entry;
  }
  void PublishPools(std::vector<std::shared_ptr<PoolEntry>> pools) {
    auto snapshot = std::make_shared<Snapshot>();
    snapshot->pools.assign(pools.begin(), pools.end());
    store_.Publish(std::move(snapshot));
    if (!scraper_) {
      scraper_ = std::make_unique<MetricsScraper>(*loop_, store_, index_, metrics_, options_);
    }
  }

  // Runs the loop until `done`, or fails after ten seconds.
  void WaitFor(const std::function<bool()>& done) {
    const TimePoint deadline = RealClock().Now() + seconds(10);
    while (!done()) {
      ASSERT_LT(RealClock().Now(), deadline) << "still waiting";
      loop_->RunOnce(milliseconds(10));
    }
  }
  void WaitForScrapes(const FakeModelServer& server, int more) {
    const int goal = server.scrapes + more;
    WaitFor([&] { return server.scrapes >= goal; });
  }
  uint64_t Failures(std::string reason) {
    return metrics_.AddCounter("penstock_scrape_failures_total", "", {{"reason", reason}}).value();
  }
  // How many blocks of a prompt of two the index holds of that server.
  uint32_t BlocksHeld(const FakeModelServer& server) {
    const uint32_t slots[] = {StateOf(server).slot};
    uint32_t hits[] = {0};
    index_.Match(kBlocks, slots, hits);
    return hits[0];
  }
  uint64_t Scrapes() { return metrics_.AddCounter("penstock_scrapes_total", "").value(); }
  uint64_t Ejections() {
    return metrics_.AddCounter("penstock_ejections_total", "", {{"pool", "default/qwen"}}).value();
  }

  static constexpr uint64_t kBlocks[] = {11, 12};
  std::unique_ptr<EventLoop> loop_;
  EndpointTable table_;
  std::vector<std::shared_ptr<EndpointState>> held_;
  SnapshotStore store_;
  PrefixIndex index_{{.bytes_max = 1 << 20, .shards = 1}};
  MetricRegistry metrics_;
  ScrapeOptions options_;
  Duration metrics_age_max_ = seconds(2);
  std::vector<std::unique_ptr<FakeModelServer>> servers_;
  std::unique_ptr<MetricsScraper> scraper_;
};

TEST_F(ScraperTest, KeepsTheStateOfEveryEndpointTrueOverOneConnectionEach) {
  FakeModelServer& a = AddServer(Page(1, 2, 0.25));
  FakeModelServer& b = AddServer(Page(0, 0, 0));
  b.chunked = true;
  Publish({&a, &b});
  WaitFor([&] { return StateOf(a).scraped_at_ns != 0 && StateOf(b).scraped_at_ns != 0; });
  EXPECT_EQ(StateOf(a).waiting_requests, 1);
  EXPECT_EQ(StateOf(a).running_requests, 2);
  EXPECT_EQ(StateOf(a).kv_cache_utilization_ratio, 0.25f);
  EXPECT_EQ(StateOf(a).cache_block_tokens, 16u);
  EXPECT_EQ(StateOf(a).cache_blocks, 1000u);
  b.page = Page(7, 8, 0.5);
  WaitFor([&] { return StateOf(b).waiting_requests == 7; });
  EXPECT_EQ(StateOf(b).running_requests, 8);
  WaitForScrapes(a, 5);
  WaitForScrapes(b, 5);
  EXPECT_EQ(a.connections, 1);
  EXPECT_EQ(b.connections, 1);
  EXPECT_GE(Scrapes(), 10u);
}

TEST_F(ScraperTest, BeyondTheBudgetEndpointsTakeTurns) {
  options_.interval = milliseconds(2);
  options_.pages_per_second_max = 100;
  std::vector<const FakeModelServer*> servers;
  for (int i = 0; i < 12; ++i) servers.push_back(&AddServer(Page(1, 2, 0.25)));
  Publish(servers);
  WaitFor([&] { return Scrapes() >= 48; });
  for (const FakeModelServer* server : servers) {
    EXPECT_NEAR(server->scrapes, 4, 2);
    EXPECT_GE(StateOf(*server).paced_age_ns, Duration(2 * milliseconds(120)).count());
  }
  EXPECT_GT(metrics_.AddCounter("penstock_scrapes_deferred_total", "").value(), 0u);
}

TEST_F(ScraperTest, AFirstLookDoesNotWaitForTheBudget) {
  options_.pages_per_second_max = 0.01;
  std::vector<const FakeModelServer*> servers;
  for (int i = 0; i < 12; ++i) servers.push_back(&AddServer(Page(1, 2, 0.25)));
  Publish(servers);
  const auto seen = [&](const auto* server) { return StateOf(*server).scraped_at_ns != 0; };
  WaitFor([&] { return std::all_of(servers.begin(), servers.end(), seen); });
}

TEST_F(ScraperTest, RequestsBeyondOurOwnAreForeign) {
  FakeModelServer& a = AddServer(Page(1, 4, 0));
  Publish({&a});
  StateOf(a).in_flight_requests = 3;
  WaitFor([&] { return StateOf(a).foreign_requests == 2; });
  StateOf(a).in_flight_requests = 9;
  WaitFor([&] { return StateOf(a).foreign_requests == 0; });
}

TEST_F(ScraperTest, TheMoreGatewaysThereAreTheLessEachAsksAndTheOlderMetricsMayGet) {
  options_.gateways = 1'000'000;  // each at most once in a million answering times
  FakeModelServer& a = AddServer(Page(1, 4, 0));
  Publish({&a});
  WaitFor([&] { return StateOf(a).paced_age_ns > Duration(seconds(2)).count(); });
  scraper_->SetGateways(1);
  WaitForScrapes(a, 3);
}

TEST_F(ScraperTest, AFailedScrapeKeepsValuesAndAgeAndIsCountedByReason) {
  FakeModelServer& a = AddServer(Page(3, 4, 0.5));
  Publish({&a});
  WaitFor([&] { return StateOf(a).waiting_requests == 3; });

  const auto fails_with = [&](const std::string& reason) {
    const uint64_t before = Failures(reason);
    WaitFor([&] { return Failures(reason) > before; });
  };
  a.metrics_status = 500;
  fails_with("status");
  const int64_t scraped_at = StateOf(a).scraped_at_ns;
  fails_with("status");
  a.metrics_status = 200;
  a.page = "up 1\n";
  fails_with("no_metrics");
  a.not_http = true;
  fails_with("malformed");
  a.not_http = false;
  a.hang = true;
  fails_with("timeout");
  EXPECT_EQ(StateOf(a).scraped_at_ns, scraped_at);
  EXPECT_EQ(StateOf(a).waiting_requests, 3);
  EXPECT_EQ(StateOf(a).running_requests, 4);
  EXPECT_FALSE(IsEjected(StateOf(a))) << "what a server answers, or late, does not eject it";

  a.hang = false;
  a.page = Page(5, 0, 0);
  WaitFor([&] { return StateOf(a).waiting_requests == 5; });
  EXPECT_GT(StateOf(a).scraped_at_ns, scraped_at);
}

TEST_F(ScraperTest, AValueThatCannotBeLeavesTheLastGoodOneAndItsAge) {
  FakeModelServer& a = AddServer(Page(3, 4, 0.5));
  Publish({&a});
  WaitFor([&] { return StateOf(a).waiting_requests == 3; });
  const auto refused = [&](std::string value) {
    return metrics_.AddCounter("penstock_scrape_refused_values_total", "", {{"value", value}})
        .value();
  };
  const std::string running = "vllm:num_requests_running 6\n";
  a.page = running + "vllm:num_requests_waiting 1e39\nvllm:kv_cache_usage_perc 0.25\n";
  WaitFor([&] { return refused("waiting_requests") > 0; });
  const int64_t scraped_at = StateOf(a).scraped_at_ns;
  WaitFor([&] { return refused("waiting_requests") > 3; });
  EXPECT_EQ(StateOf(a).waiting_requests, 3);
  EXPECT_EQ(StateOf(a).running_requests, 6);
  EXPECT_EQ(StateOf(a).kv_cache_utilization_ratio, 0.25f);
  EXPECT_EQ(StateOf(a).scraped_at_ns, scraped_at);
  a.page = running + "vllm:num_requests_waiting 2\nvllm:kv_cache_usage_perc 0.25\n";
  WaitFor([&] { return StateOf(a).scraped_at_ns > scraped_at; });
  EXPECT_EQ(StateOf(a).waiting_requests, 2);
}

TEST_F(ScraperTest, AKvCacheUseThatWasNeverANumberIsAsGoodAsNotReported) {
  FakeModelServer& a = AddServer("vllm:num_requests_waiting 3\nvllm:kv_cache_usage_perc NaN\n");
  Publish({&a});
  WaitFor([&] { return StateOf(a).scraped_at_ns != 0; });
  EXPECT_EQ(StateOf(a).waiting_requests, 3);
}

TEST_F(ScraperTest, APageBeyondTheLimitIsRefused) {
  options_.page_bytes_max = 10'000;
  FakeModelServer& a = AddServer(std::string(20'000, '#') + "\n" + Page(1, 1, 0));
  Publish({&a});
  WaitFor([&] { return Failures("too_large") > 0; });
  EXPECT_EQ(StateOf(a).scraped_at_ns, 0);
}

TEST_F(ScraperTest, AKeptConnectionThatTheServerClosedIsNoFailure) {
  FakeModelServer& a = AddServer();
  Publish({&a});
  for (int round = 1; round <= 20; ++round) {
    WaitForScrapes(a, 2);
    // One that was under way would be cut short, and rightly counted.
    WaitFor([&] { return Scrapes() == static_cast<uint64_t>(a.scrapes); });
    a.CloseConnections();
    WaitFor([&] { return a.connections > round; });
  }
  for (const char* reason : {"connect", "timeout", "closed", "status", "malformed"}) {
    EXPECT_EQ(Failures(reason), 0u) << reason;
  }
  EXPECT_FALSE(IsEjected(StateOf(a)));
}

TEST_F(ScraperTest, AServerThatIsDownIsEjectedAndComesBackByItsProbe) {
  FakeModelServer& a = AddServer(Page(1, 0, 0));
  Publish({&a});
  WaitFor([&] { return StateOf(a).waiting_requests == 1; });
  a.Stop();
  WaitFor([&] { return IsEjected(StateOf(a)); });
  EXPECT_EQ(Ejections(), 1u);
  EXPECT_EQ(Failures("connect"), 1u);
  WaitFor([&] { return StateOf(a).ejections >= 3; });  // its probes fail

  a.health_status = 503;  // it starts, and is not ready yet
  a.page = Page(2, 0, 0);
  a.Start();
  WaitFor([&] { return a.probes > 0; });
  loop_->RunOnce(milliseconds(1));
  EXPECT_TRUE(IsEjected(StateOf(a)));
  EXPECT_EQ(StateOf(a).waiting_requests, 1);

  a.health_status = 200;
  WaitFor([&] { return !IsEjected(StateOf(a)); });
  WaitFor([&] { return StateOf(a).waiting_requests == 2; });
}

TEST_F(ScraperTest, AnEndpointEjectedByRequestsIsNotScrapedUntilItsProbe) {
  FakeModelServer& a = AddServer();
  a.health_status = 503;
  Publish({&a});
  WaitForScrapes(a, 1);
  RecordFailure(StateOf(a), RealClock().Now(), EndpointFailure::kConnectRefused, options_.health);
  WaitFor([&] { return a.probes > 0; });
  const int scrapes = a.scrapes;
  WaitFor([&] { return a.probes > 2; });
  EXPECT_EQ(a.scrapes, scrapes);
  a.health_status = 200;
  WaitForScrapes(a, 3);
  EXPECT_FALSE(IsEjected(StateOf(a)));
}

TEST_F(ScraperTest, UnderTrtLlmEitherServersHealthPathBringsAnEndpointBack) {
  FakeModelServer& a = AddServer("trtllm_num_requests_waiting 1\n");
  PublishPools({MakePool({&a}, Pool::Kind::kInferencePool, "default/qwen", Runtime::kTrtLlm)});
  WaitForScrapes(a, 1);
  const auto eject = [&] {
    RecordFailure(StateOf(a), RealClock().Now(), EndpointFailure::kConnectRefused, options_.health);
  };
  a.health_status = 404;  // Triton
  a.ready_status = 503;
  eject();
  WaitFor([&] { return a.probes >= 4; });
  EXPECT_TRUE(IsEjected(StateOf(a)));
  a.ready_status = 200;
  WaitFor([&] { return !IsEjected(StateOf(a)); });
  a.health_status = 200;  // trtllm-serve
  a.ready_status = 404;
  eject();
  WaitFor([&] { return !IsEjected(StateOf(a)); });
}

TEST_F(ScraperTest, AServerThatKnowsNoHealthPathIsBackWhenItAnswers) {
  FakeModelServer& a = AddServer();
  Publish({&a});
  WaitForScrapes(a, 1);
  a.health_status = 404;
  RecordFailure(StateOf(a), RealClock().Now(), EndpointFailure::kConnectRefused, options_.health);
  WaitFor([&] { return !IsEjected(StateOf(a)); });
  EXPECT_GE(a.probes, 1);
}

TEST_F(ScraperTest, EndpointsOfServicesAreProbedByConnectingAndNeverScraped) {
  FakeModelServer& a = AddServer();
  Publish({&a}, Pool::Kind::kService);
  RecordFailure(StateOf(a), RealClock().Now(), EndpointFailure::kConnectRefused, options_.health);
  WaitFor([&] { return !IsEjected(StateOf(a)); });
  EXPECT_EQ(a.connections, 1);
  EXPECT_EQ(a.scrapes + a.probes, 0);
  EXPECT_EQ(StateOf(a).scraped_at_ns, 0);
}

TEST_F(ScraperTest, ScrapingEndsWithTheSnapshotThatDropsTheEndpoint) {
  FakeModelServer& a = AddServer();
  FakeModelServer& b = AddServer();
  Publish({&a, &b});
  WaitForScrapes(a, 2);
  WaitForScrapes(b, 2);
  Publish({&a});
  WaitForScrapes(a, 2);
  const int scrapes = b.scrapes;
  WaitForScrapes(a, 10);
  EXPECT_EQ(b.scrapes, scrapes);
  EXPECT_EQ(a.connections, 1) << "what stays keeps its connection";
  Publish({&a, &b});
  WaitForScrapes(b, 2);
}

TEST_F(ScraperTest, AnEndpointWhoseRuntimeChangesIsReadInItsNewWords) {
  constexpr auto kKind = Pool::Kind::kInferencePool;
  FakeModelServer& a = AddServer("sglang:num_running_reqs 3\nsglang:num_queue_reqs 7\n");
  PublishPools({MakePool({&a}, kKind, "default/qwen", Runtime::kVllm)});
  WaitFor([&] { return Failures("no_metrics") > 0; });
  EXPECT_EQ(StateOf(a).scraped_at_ns, 0);
  PublishPools({MakePool({&a}, kKind, "default/qwen", Runtime::kSglang)});
  WaitFor([&] { return StateOf(a).waiting_requests == 7; });
}

TEST_F(ScraperTest, AnEndpointThatMovesToAnotherPoolIsThatPools) {
  constexpr auto kKind = Pool::Kind::kInferencePool;
  FakeModelServer& a = AddServer();
  PublishPools({MakePool({&a}, kKind, "default/old", Runtime::kVllm)});
  WaitForScrapes(a, 2);
  PublishPools({MakePool({&a}, kKind, "default/qwen", Runtime::kVllm)});
  WaitForScrapes(a, 2);
  a.Stop();
  WaitFor([&] { return Ejections() == 1; });
}

TEST_F(ScraperTest, AnEndpointOfSeveralPoolsIsScrapedOnceAndKeepsItsConnection) {
  FakeModelServer& a = AddServer(Page(1, 4, 0));
  for (int i = 0; i < 3; ++i) {
    PublishPools({MakePool({&a}, Pool::Kind::kService, "service default/web:80", Runtime::kVllm),
                  MakePool({&a}, Pool::Kind::kInferencePool, "default/qwen", Runtime::kVllm),
                  MakePool({&a}, Pool::Kind::kInferencePool, "default/other", Runtime::kSglang)});
    WaitForScrapes(a, 3);
  }
  EXPECT_EQ(a.connections, 1);
  EXPECT_EQ(StateOf(a).waiting_requests, 1);
  EXPECT_EQ(metrics_.AddGauge("penstock_scrape_endpoints", "").value(), 1);
}

TEST_F(ScraperTest, AnIdleEndpointIsLeftAloneUntilWorkIsDispatched) {
  options_.idle_interval = std::chrono::hours(1);
  metrics_age_max_ = std::chrono::hours(3);
  FakeModelServer& idle = AddServer(Page(0, 0, 0));
  FakeModelServer& busy = AddServer(Page(0, 1, 0));
  Publish({&idle, &busy});
  WaitForScrapes(idle, 1);
  WaitForScrapes(busy, 20);
  EXPECT_EQ(idle.scrapes, 1);
  StateOf(idle).in_flight_requests = 1;
  WaitForScrapes(idle, 5);
}

TEST_F(ScraperTest, AdaptersAreKeptAndForgottenWithTheServer) {
  const std::string lora =
      "vllm:lora_requests_info{max_lora=\"2\",running_lora_adapters=\"sql, chat\","
      "waiting_lora_adapters=\"\"} 1.5e9\n";
  FakeModelServer& a = AddServer(Page(0, 1, 0) + lora);
  Publish({&a});
  WaitFor([&] { return StateOf(a).lora_version != 0; });
  const auto adapters = StateOf(a).lora();
  EXPECT_EQ(adapters->max_active, 2u);
  EXPECT_EQ(adapters->base_model, "base");
  EXPECT_THAT(adapters->running, ::testing::ElementsAre("sql", "chat"));
  EXPECT_TRUE(adapters->waiting.empty());
  const uint32_t version = StateOf(a).lora_version;
  WaitForScrapes(a, 5);
  EXPECT_EQ(StateOf(a).lora_version, version) << "nothing has changed";
  a.page = Page(0, 1, 0);
  WaitFor([&] { return StateOf(a).lora_version == 0; });
}

TEST_F(ScraperTest, AServerThatRefusesConnectionsHasLostItsPrefixCache) {
  FakeModelServer& a = AddServer();
  FakeModelServer& b = AddServer();
  Publish({&a, &b});
  for (const FakeModelServer* server : {&a, &b}) index_.Insert(kBlocks, StateOf(*server).slot);
  WaitForScrapes(a, 2);
  EXPECT_EQ(BlocksHeld(a), 2u);
  a.Stop();
  WaitFor([&] { return Ejections() == 1; });
  EXPECT_EQ(BlocksHeld(a), 0u);
  EXPECT_EQ(BlocksHeld(b), 2u);
}

TEST_F(ScraperTest, AServerThatWasStartedAnewHasLostItsPrefixCache) {
  const auto started = [](const char* at) {
    return std::string("process_start_time_seconds ") + at + "\n" + Page(1, 1, 0);
  };
  FakeModelServer& a = AddServer(started("1.79538357901e+09"));
  Publish({&a});
  WaitForScrapes(a, 2);
  index_.Insert(kBlocks, StateOf(a).slot);
  WaitForScrapes(a, 3);
  EXPECT_EQ(BlocksHeld(a), 2u);
  a.page = started("1.79538357925e+09");
  WaitForScrapes(a, 2);
  WaitFor([&] { return BlocksHeld(a) == 0; });
  index_.Insert(kBlocks, StateOf(a).slot);
  WaitForScrapes(a, 3);
  EXPECT_EQ(BlocksHeld(a), 2u);
}

TEST_F(ScraperTest, TheFirstUseOfAnAdapterIsNoticedOnAConnectionThatIsKept) {
  options_.details_interval = milliseconds(50);
  FakeModelServer& a = AddServer();
  Publish({&a});
  WaitForScrapes(a, 3);
  a.page += "vllm:lora_requests_info{max_lora=\"2\",running_lora_adapters=\"sql\"} 1.5e9\n";
  const int before = a.scrapes;
  WaitFor([&] { return StateOf(a).lora_version != 0; });
  EXPECT_EQ(a.connections, 1);
  EXPECT_LT(a.scrapes - before, 60);
}

TEST_F(ScraperTest, RunsOnAThreadOfItsOwn) {
  FakeModelServer& a = AddServer(Page(1, 2, 0.25));
  Publish({&a});
  scraper_.reset();
  auto thread = ScraperThread::Start(store_, index_, metrics_, options_);
  ASSERT_TRUE(thread.ok());
  WaitForScrapes(a, 5);
  WaitFor([&] { return StateOf(a).waiting_requests == 1; });
  Publish({});
  WaitFor([&] { return metrics_.AddGauge("penstock_scrape_endpoints", "").value() == 0; });
}

TEST(ScraperThread, StartsAndStops) {
  SnapshotStore store;
  store.Publish(std::make_shared<Snapshot>());
  PrefixIndex index({.bytes_max = 1 << 20, .shards = 1});
  MetricRegistry metrics;
  for (int i = 0; i < 3; ++i) {
    auto thread = ScraperThread::Start(store, index, metrics, ScrapeOptions{});
    ASSERT_TRUE(thread.ok());
  }
  EXPECT_EQ(metrics.AddGauge("penstock_scrape_endpoints", "").value(), 0);
}

}  // namespace
}  // namespace gw
