// Scrapes and probes speak to endpoints as requests do.

#include <gtest/gtest.h>

#include "collect/fake_model_server.h"
#include "collect/scraper.h"
#include "net/tls_test_util.h"
#include "pool/health.h"

namespace gw {
namespace {

using std::chrono::milliseconds;

constexpr char kPage[] = "vllm:num_requests_running 0.0\nvllm:num_requests_waiting 3.0\n";

class ScrapeAccessTest : public LoopTest {
 protected:
  ScrapeAccessTest() {
    options_.interval = options_.idle_interval = milliseconds(5);
    options_.failure_interval = options_.failure_interval_max = milliseconds(5);
    options_.timeout = milliseconds(300);
    options_.health.backoff_base = milliseconds(10);
    options_.health.backoff_max = milliseconds(20);
    server_.page = kPage;
    access_.credential = {.value = "Bearer a"};
  }
  ~ScrapeAccessTest() override { scraper_.reset(); }

  void OverTls(const std::string& name = "test.example.com") {
    server_.tls = MakeServerTls({{"*", {ServerCertificate(name).Parsed()}}});
    access_.tls = ClientTlsForTest();
  }
  void Publish(Pool::Kind kind = Pool::Kind::kInferencePool) {
    auto entry = std::make_shared<PoolEntry>();
    entry->pool.kind = kind;
    entry->pool.id = "default/qwen";
    entry->pool.access = std::make_shared<const EndpointAccess>(access_);
    Endpoint endpoint;
    endpoint.ip = server_.address().ip();
    endpoint.port = server_.address().port();
    endpoint.address = server_.address().ToString();
    endpoint.state = state_ = table_.Get(endpoint.address);
    entry->pool.endpoints.push_back(std::move(endpoint));
    auto snapshot = std::make_shared<Snapshot>();
    snapshot->pools = {entry};
    store_.Publish(std::move(snapshot));
    if (scraper_ == nullptr) {
      scraper_ = std::make_unique<MetricsScraper>(*loop_, store_, index_, metrics_, options_);
    }
  }
  void Eject() {
    while (!RecordFailure(*state_, loop_->clock().Now(), EndpointFailure::kNoAnswer,
                          options_.health)) {
    }
  }
  uint64_t Handshakes(const std::string& result) {
    return metrics_.AddCounter("penstock_endpoint_tls_handshakes_total", "", {{"result", result}})
        .value();
  }
  uint64_t Failures(const std::string& reason) {
    return metrics_.AddCounter("penstock_scrape_failures_total", "", {{"reason", reason}}).value();
  }

  ScrapeOptions options_;
  EndpointAccess access_;
  FakeModelServer server_{*loop_, Loopback()};
  EndpointTable table_;
  std::shared_ptr<EndpointState> state_;
  PrefixIndex index_{PrefixIndex::Options{}};
  MetricRegistry metrics_;
  SnapshotStore store_;
  std::vector<std::unique_ptr<Stream>> held_;
  std::unique_ptr<MetricsScraper> scraper_;
};

TEST_F(ScrapeAccessTest, ACredentialIsSentAndFollowed) {
  Publish();
  RunUntil([&] { return server_.authorization == "Bearer a"; });
  access_.credential->value = "Bearer b";
  Publish();
  RunUntil([&] { return server_.authorization == "Bearer b"; });
}

TEST_F(ScrapeAccessTest, ScrapesAndProbesGoOverTls) {
  OverTls();
  Publish();
  RunUntil([&] { return server_.scrapes >= 5; });
  EXPECT_EQ(server_.connections, 1);
  EXPECT_EQ(Handshakes("ok"), 1u);
  Eject();
  RunUntil([&] { return server_.probes >= 1 && !IsEjected(*state_); });
  EXPECT_GE(Handshakes("ok"), 2u);
}

TEST_F(ScrapeAccessTest, AServerThatIsNotBelievedIsEjectedUntilItIs) {
  OverTls("other.example.com");
  Publish();
  RunUntil([&] { return IsEjected(*state_) && Handshakes("bad_peer") >= 5; });
  EXPECT_GE(Failures("tls_handshake"), 1u);
  EXPECT_EQ(server_.scrapes + server_.probes, 0);
  OverTls();
  RunUntil([&] { return server_.scrapes > 0 && !IsEjected(*state_); });
}

TEST_F(ScrapeAccessTest, ThatSomebodyListensIsNotEnoughWhereTlsIsSpoken) {
  OverTls("other.example.com");
  Publish(Pool::Kind::kService);
  Eject();
  RunUntil([&] { return Handshakes("bad_peer") >= 3; });
  EXPECT_TRUE(IsEjected(*state_));
  OverTls();
  RunUntil([&] { return !IsEjected(*state_); });
  EXPECT_EQ(server_.scrapes + server_.probes, 0);
}

TEST_F(ScrapeAccessTest, AHandshakeThatHangsFailsTheProbe) {
  options_.timeout = milliseconds(10);
  access_.tls = ClientTlsForTest();
  server_.hang = true;
  Publish(Pool::Kind::kService);
  Eject();
  // The fake reads what it takes for a request: it must not be spoken to before it hangs.
  server_.Stop();
  const auto silent = Listener::New(*loop_, server_.address(), {},
                                    [this](auto stream) { held_.push_back(std::move(stream)); });
  RunUntil([&] { return Handshakes("timeout") >= 2; });
  EXPECT_TRUE(IsEjected(*state_));
}

TEST_F(ScrapeAccessTest, WhatIsClosedIsNotAsked) {
  access_.closed = true;
  Publish();
  for (int i = 0; i < 20; ++i) loop_->RunOnce(milliseconds(2));
  EXPECT_EQ(server_.connections, 0);
  access_.closed = false;
  Publish();
  RunUntil([&] { return server_.scrapes > 0; });
}

}  // namespace
}  // namespace gw
