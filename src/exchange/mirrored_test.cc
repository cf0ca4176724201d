// Copies of requests at the pools of mirrors.

#include "exchange/mirrored.h"

#include <gtest/gtest.h>

#include <map>

#include "base/check.h"
#include "exchange/exchange.h"
#include "http/h1_parser.h"
#include "pool/health.h"
#include "scheduling/registry.h"

namespace gw {
namespace {

constexpr char kChat[] =
    R"({"model":"a","messages":[{"role":"user","content":"Hello"}],"stream":true})";

class MirroredTest : public testing::Test {
 protected:
  MirroredTest() {
    pool_.pool.id = "default/shadow";
    for (int i = 0; i < 3; ++i) {
      Endpoint endpoint;
      endpoint.name = "shadow-" + std::to_string(i);
      endpoint.address = "127.0.0." + std::to_string(11 + i) + ":8000";
      endpoint.state = table_.Get(endpoint.address);
      pool_.pool.endpoints.push_back(endpoint);
    }
    pool_.profile = ProfileFor(RoutingStrategy::kDefault);
    pool_.load_profile = LoadProfile();
  }

  MirrorResult Begin(Mirrored& copy, std::string_view body, bool coded = false,
                     const std::string& path = "/v1/chat/completions") {
    text_ = "POST " + path + " HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n";
    parser_.Reset();
    CHECK(parser_.Next(text_).event == http::H1Event::kHead);
    asked_.head = &parser_.head();
    asked_.target = *http::ParseTarget(asked_.head->target);
    body_.assign(body);
    body_.reserve(body_.size() + Exchange::kBodyPadding);
    return copy.Begin(pool_, asked_, coded, body_, clock_.Now());
  }
  int64_t Held() const {
    int64_t sum = 0;
    for (const Endpoint& endpoint : pool_.pool.endpoints) {
      const EndpointState& state = *endpoint.state;
      sum += state.in_flight_requests + state.pending_prompt_tokens +
             state.decoding_context_tokens + state.context_tokens + state.generated_tokens +
             state.awaiting_requests;
    }
    return sum;
  }
  const EndpointState& StateOf(const Mirrored& copy) const {
    for (const Endpoint& endpoint : pool_.pool.endpoints) {
      if (endpoint.address == copy.address()) return *endpoint.state;
    }
    CHECK(false);
  }

  ManualClock clock_;
  EndpointTable table_;
  PoolEntry pool_;
  std::string text_;
  std::string body_;
  http::RequestParser parser_;
  Asked asked_;
  PrefixIndex index_{PrefixIndex::Options{}};
  MetricRegistry registry_;
  ExchangeEnvironment environment_{clock_, 1, index_, registry_};
};

TEST_F(MirroredTest, ItsLoadIsSeenAndGivenBack) {
  {
    Mirrored copy(environment_);
    ASSERT_EQ(Begin(copy, kChat), MirrorResult::kAnswered);
    EXPECT_EQ(StateOf(copy).in_flight_requests.load(), 1);
    EXPECT_GT(StateOf(copy).pending_prompt_tokens.load(), 0);
    copy.OnFirstByte(clock_.Now());
    EXPECT_EQ(StateOf(copy).pending_prompt_tokens.load(), 0);
    EXPECT_GT(StateOf(copy).decoding_context_tokens.load(), 0);
    copy.OnHead(200);
    copy.OnAnswered(clock_.Now());
    copy.End();
    EXPECT_EQ(Held(), 0);
    ASSERT_EQ(Begin(copy, kChat), MirrorResult::kAnswered);
  }
  EXPECT_EQ(Held(), 0) << "whoever forgets to end it";
}

TEST_F(MirroredTest, CopiesAreSpreadByLoad) {
  std::vector<std::unique_ptr<Mirrored>> copies;
  std::map<std::string, int> counts;
  std::vector<std::string> bodies;
  for (int i = 0; i < 30; ++i) {
    copies.push_back(std::make_unique<Mirrored>(environment_));
    ASSERT_EQ(Begin(*copies.back(), kChat), MirrorResult::kAnswered);
    ++counts[copies.back()->address()];
  }
  ASSERT_EQ(counts.size(), 3u);
  for (const auto& [address, count] : counts) EXPECT_EQ(count, 10) << address;
}

TEST_F(MirroredTest, TheModelIsWhatThePoolMakesOfIt) {
  pool_.models = ModelTable({{"a", Criticality::kCritical, {{"b", 1}}}});
  Mirrored copy(environment_);
  ASSERT_EQ(Begin(copy, kChat), MirrorResult::kAnswered);
  EXPECT_EQ(copy.body().ToString(),
            R"({"model":"b","messages":[{"role":"user","content":"Hello"}],"stream":true})");
}

TEST_F(MirroredTest, WhatThePoolCannotServeIsNotSent) {
  Mirrored copy(environment_);
  EXPECT_EQ(Begin(copy, "no json"), MirrorResult::kUnreadable);
  EXPECT_EQ(Begin(copy, kChat, true), MirrorResult::kUnreadable) << "it is compressed";
  EXPECT_EQ(Begin(copy, "no json", false, "/v1/other"), MirrorResult::kAnswered);
  copy.End();
  pool_.models = ModelTable({{"other", Criticality::kCritical, {}}});
  EXPECT_EQ(Begin(copy, kChat), MirrorResult::kNoModel);
  pool_.models = {};
  pool_.pool.endpoints.clear();
  EXPECT_EQ(Begin(copy, kChat), MirrorResult::kNoEndpoint);
  EXPECT_EQ(Held(), 0);
}

TEST_F(MirroredTest, BodiesToServicesAreNotLookedAt) {
  pool_.pool.kind = Pool::Kind::kService;
  Mirrored copy(environment_);
  ASSERT_EQ(Begin(copy, "no json", true), MirrorResult::kAnswered);
  EXPECT_EQ(copy.body().ToString(), "no json");
}

TEST_F(MirroredTest, EndpointsAreChargedForTheirFailures) {
  Mirrored copy(environment_);
  ASSERT_EQ(Begin(copy, kChat), MirrorResult::kAnswered);
  const EndpointState& state = StateOf(copy);
  copy.OnFailed(TryFailure::kStaleConnection, clock_.Now());
  EXPECT_FALSE(IsEjected(state)) << "it closed an idle connection, as it may";
  copy.OnFailed(TryFailure::kConnectRefused, clock_.Now());
  EXPECT_TRUE(IsEjected(state));
  copy.End();
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(Begin(copy, kChat), MirrorResult::kAnswered);
    EXPECT_NE(&StateOf(copy), &state) << "it is out of use";
    copy.End();
  }
}

TEST_F(MirroredTest, SharesAreDrawn) {
  Random random(11);
  const auto count = [&](const Mirror& mirror) {
    int drawn = 0;
    for (int i = 0; i < 10000; ++i) drawn += mirror.Draw(random) ? 1 : 0;
    return drawn;
  };
  EXPECT_EQ(count({"p", 1, 1}), 10000);
  EXPECT_EQ(count({"p", 0, 100}), 0);
  EXPECT_EQ(count({"p", 100, 100}), 10000);
  EXPECT_NEAR(count({"p", 25, 100}), 2500, 200);
  EXPECT_NEAR(count({"p", 1, 1000}), 10, 15);
  EXPECT_NEAR(count({"p", 0x7ffffffe, 0x7fffffff}), 10000, 2);
}

}  // namespace
}  // namespace gw
