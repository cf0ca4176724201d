// Disaggregated requests in virtual time: a front end that does what the Steps say, and halves that
// answer, fail and hang in any order.

#include "exchange/pair.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "base/check.h"
#include "exchange/exchange.h"
#include "exchange/test_snapshot.h"
#include "http/h1_parser.h"
#include "pool/health.h"
#include "pool/pushback.h"
#include "scheduling/registry.h"

namespace gw {
namespace {

constexpr uint16_t kPort = 8080;

constexpr char kRoleEvent[] = "data: {\"choices\":[{\"delta\":{\"content\":\"\"}}]}\n\n";
constexpr char kOutput[] = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
constexpr char kErrorEvent[] = "data: {\"error\":{\"message\":\"no\"}}\n\n";
constexpr char kAbortEvent[] =
    "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"abort\"}]}\n\n";
constexpr char kHandedOver[] = R"({"kv_transfer_params":{"do_remote_prefill":true}})";

// Two endpoints of each role and runtime, and one vLLM endpoint that does both.
class PairTest : public testing::Test {
 protected:
  void SetUp() override {
    auto entry = std::make_shared<PoolEntry>();
    entry->pool.id = "default/qwen";
    auto split = std::make_shared<Disaggregation>();
    split->prefill = {{Runtime::kVllm, {}}, {Runtime::kSglang, {}}};
    split->uncached_tokens_min = 4;
    for (const Runtime runtime : {Runtime::kVllm, Runtime::kSglang}) {
      Pool& prefill = split->prefill[runtime == Runtime::kVllm ? 0 : 1].second;
      for (int i = 0; i < 2; ++i) {
        prefill.endpoints.push_back(Add(*entry, runtime, Role::kPrefill));
        split->decode.endpoints.push_back(Add(*entry, runtime, Role::kDecode));
      }
    }
    const Endpoint both = Add(*entry, Runtime::kVllm, Role::kBoth);
    split->prefill[0].second.endpoints.push_back(both);
    split->decode.endpoints.push_back(both);
    entry->profile = split->prefill_profile = split->decode_profile =
        ProfileFor(RoutingStrategy::kPrefixCache);
    entry->load_profile = LoadProfile();
    entry->uses_prefix = split->prefill_uses_prefix = split->decode_uses_prefix = true;
    entry->disaggregation = split;
    Publish(std::move(entry));
  }

  Endpoint Add(PoolEntry& entry, Runtime runtime, Role role) {
    Endpoint endpoint;
    const size_t n = entry.pool.endpoints.size();
    endpoint.ip = "127.0.0." + std::to_string(11 + n);
    endpoint.address = endpoint.ip + ":8000";
    endpoint.name = "e" + std::to_string(n);
    endpoint.runtime = runtime;
    endpoint.role = role;
    endpoint.state = table_.Get(endpoint.address);
    entry.pool.endpoints.push_back(endpoint);
    return endpoint;
  }

  void Publish(std::shared_ptr<PoolEntry> entry) {
    pool_ = entry;
    snapshot_ = SnapshotOf(entry, {kPort});
  }

  // The front end.

  void Begin(bool stream, const std::string& prompt) {
    text_ =
        "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n" + fields_ + "\r\n";
    parser_.Reset();
    CHECK(parser_.Next(text_).event == http::H1Event::kHead);
    exchange_.Begin(snapshot_, {kPort}, "127.0.0.1", clock_.Now());
    CHECK(exchange_.OnRequestHead(parser_.head()).kind == Step::Kind::kReadBody);
    body_ = std::string(R"({"model":"m","stream":)") + (stream ? "true" : "false") +
            R"(,"messages":[{"role":"user","content":")" + prompt + R"("}]})";
    body_.reserve(body_.size() + InferenceParser::kPadding);
    sent_ = dispatches_ = 0;
    Act(exchange_.OnRequestBody(body_, clock_.Now()));
  }

  void Act(const Step& step) {
    const bool both = step.kind == Step::Kind::kForwardPair;
    if (both || step.kind == Step::Kind::kPrefill) {
      prefill_ = true;
      ++dispatches_;
      EXPECT_EQ(exchange_.prefill_endpoint().runtime, exchange_.endpoint().runtime);
      EXPECT_NE(exchange_.prefill_endpoint().address, exchange_.endpoint().address);
      EXPECT_EQ(both, exchange_.endpoint().runtime == Runtime::kSglang);
      EXPECT_GT(exchange_.prefill_body().size(), body_.size());
    }
    if (both || step.kind == Step::Kind::kForward) {
      decode_ = true;
      has_head_ = false;
      ++dispatches_;
    }
    if (step.kind == Step::Kind::kRespond) End(Outcome::kRejected);
    if (step.kind == Step::Kind::kRelay) End(Outcome::kComplete);
  }

  void EndBoth(const Step& step) {
    if (step.kind == Step::Kind::kContinue) return;
    EXPECT_EQ(sent_, 0) << "the client has seen something";
    prefill_ = decode_ = false;
    Act(step);
  }

  void End(Outcome outcome) {
    prefill_ = decode_ = false;
    exchange_.End(outcome, 200, clock_.Now());
  }

  void PrefillEnds(int status, const std::string& body) {
    prefill_ = false;
    const Step step = exchange_.OnPrefillEnd(
        {.status = status, .content_type = "application/json", .body = body}, clock_.Now());
    if (status == 200 && step.kind == Step::Kind::kForward) {
      Act(step);
    } else {
      EndBoth(step);
    }
  }

  void PrefillFails(TryFailure failure) {
    prefill_ = false;
    EndBoth(exchange_.OnPrefillFailed(failure, SentWhole(failure), clock_.Now()));
  }

  void DecodeHead(int status, const std::string& type) {
    http::ResponseHead head;
    head.status = status;
    head.headers.Add("content-type", type);
    has_head_ = true;
    EndBoth(exchange_.OnResponseHead(head, clock_.Now()));
  }

  void DecodeSays(const std::string& bytes) {
    exchange_.OnResponseBody(bytes, clock_.Now());
    if (!Held()) ++sent_;
  }

  // True while nothing of the response goes on, for whatever reason.
  bool Held() {
    if (!exchange_.holds_response()) return false;
    const Step step = exchange_.OnResponseHeld(clock_.Now());
    EndBoth(step);
    return step.kind != Step::Kind::kContinue || exchange_.holds_response();
  }

  void DecodeEnds() {
    exchange_.OnResponseEnd(clock_.Now());
    if (Held()) {
      if (!exchange_.holds_response()) return;  // another pair is at work
      exchange_.ReleaseResponse(clock_.Now());
    }
    End(exchange_.OutcomeOfEnd());
  }

  void DecodeFails(TryFailure failure) {
    decode_ = false;
    if (sent_ > 0) {
      exchange_.OnStreamBroken(clock_.Now());
      return End(Outcome::kUpstreamBroke);
    }
    prefill_ = false;
    Act(exchange_.OnTryFailed(failure, SentWhole(failure), clock_.Now()));
  }

  static bool SentWhole(TryFailure failure) {
    return failure != TryFailure::kConnectRefused && failure != TryFailure::kConnectTimeout &&
           failure != TryFailure::kTlsHandshake;
  }

  TryFailure AnyFailure(Random& random) {
    static constexpr TryFailure kAll[] = {TryFailure::kConnectRefused,  TryFailure::kConnectTimeout,
                                          TryFailure::kTlsHandshake,    TryFailure::kReset,
                                          TryFailure::kStaleConnection, TryFailure::kBadResponse,
                                          TryFailure::kResponseTimeout};
    return kAll[random.Below(std::size(kAll))];
  }

  void StepPrefill(Random& random) {
    static constexpr int kStatus[] = {200, 200, 200, 400, 429, 500, 503};
    const int status = kStatus[random.Below(std::size(kStatus))];
    const std::string bodies[] = {kHandedOver, kHandedOver, "{}", "garbage"};
    if (random.Below(4) == 0) return PrefillFails(AnyFailure(random));
    PrefillEnds(status, bodies[random.Below(std::size(bodies))]);
  }

  void StepDecode(Random& random, bool stream) {
    if (random.Below(8) == 0) return DecodeFails(AnyFailure(random));
    if (!has_head_) {
      if (random.Below(5) == 0) return DecodeHead(random.Below(2) == 0 ? 500 : 400, "text/plain");
      return DecodeHead(200, stream ? "text/event-stream" : "application/json");
    }
    const std::string events[] = {kRoleEvent, kOutput, kOutput, kErrorEvent, kAbortEvent};
    if (random.Below(4) == 0) return DecodeEnds();
    DecodeSays(stream ? events[random.Below(std::size(events))] : "{");
  }

  // One thing happens.
  void StepAny(Random& random, bool stream) {
    const uint64_t choice = random.Below(20);
    clock_.Advance(std::chrono::milliseconds(random.Below(50)));
    if (choice == 0) return End(Outcome::kClientLeft);
    if (choice == 1 && sent_ == 0 && exchange_.awaits_kv_cache()) {
      return EndBoth(exchange_.OnBootstrapTimeout(clock_.Now()));
    }
    if (choice == 2 && sent_ == 0 && exchange_.is_pair()) {
      return EndBoth(exchange_.OnPairTimeout(clock_.Now()));
    }
    if (prefill_ && (!decode_ || random.Below(2) == 0)) return StepPrefill(random);
    if (decode_) StepDecode(random, stream);
  }

  int64_t Held(const Endpoint& endpoint) const {
    const EndpointState& state = *endpoint.state;
    EXPECT_GE(state.pending_prompt_tokens.load(), 0);
    const bool busy = state.busy.SecondsAt(clock_.Now() + 60 * BusyTime::kDecay) > 0;
    return state.in_flight_requests + state.pending_prompt_tokens + state.decoding_context_tokens +
           state.context_tokens + state.generated_tokens + state.awaiting_requests + (busy ? 1 : 0);
  }

  ManualClock clock_;
  PrefixIndex index_{PrefixIndex::Options{}};
  MetricRegistry registry_;
  ExchangeEnvironment environment_{clock_, 1, index_, registry_};
  EndpointTable table_;
  std::shared_ptr<const PoolEntry> pool_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::string fields_;  // of the request's head, beside the usual ones
  std::string text_, body_;
  http::RequestParser parser_;
  Exchange exchange_{environment_};
  bool prefill_ = false;
  bool decode_ = false;
  bool has_head_ = false;
  int sent_ = 0;  // pieces of the response
  int dispatches_ = 0;
};

TEST_F(PairTest, ARequestIsShedIfEitherRoleIsShort) {
  auto entry = std::make_shared<PoolEntry>(*pool_);
  entry->models = ModelTable({{"m", Criticality::kSheddable, {}}});
  Publish(entry);
  const auto load = [&](Role role, float waiting) {
    for (const Endpoint& endpoint : pool_->pool.endpoints) {
      const bool both = endpoint.role == Role::kBoth;
      if (endpoint.role != role && !both) continue;
      endpoint.state->scraped_at_ns = clock_.Now().time_since_epoch().count();
      endpoint.state->waiting_requests = both ? 10 : waiting;
    }
  };
  const auto is_shed = [&] {
    Begin(false, std::string(400, 'x'));
    const bool shed = !exchange_.active();
    if (!shed) End(Outcome::kClientLeft);
    return shed;
  };
  load(Role::kPrefill, 0);
  load(Role::kDecode, 0);
  EXPECT_FALSE(is_shed());
  load(Role::kPrefill, 10);
  EXPECT_TRUE(is_shed()) << "decode has room, and nothing to decode";
  load(Role::kPrefill, 0);
  load(Role::kDecode, 10);
  EXPECT_TRUE(is_shed());
}

TEST_F(PairTest, WhateverHappensEverythingIsGivenBackAndTriesAreFew) {
  Random random(11);
  std::map<bool, int> ends;
  for (int request = 0; request < 20000; ++request) {
    const bool stream = random.Below(2) == 0;
    Begin(stream, std::string(random.Below(400), 'x'));
    int events = 0;
    while (exchange_.active()) {
      ASSERT_LT(++events, 10000) << "request " << request;
      StepAny(random, stream);
    }
    // Pairs and whole requests are counted alike; a pair is sent to two endpoints.
    ASSERT_LE(dispatches_, 2 * (1 + Tries::kRetriesMax + Tries::kStaleMax))
        << "request " << request;
    for (const Endpoint& endpoint : pool_->pool.endpoints) {
      ASSERT_EQ(Held(endpoint), 0) << "request " << request << ", " << endpoint.name;
      // Failed endpoints are used again, as if a probe had succeeded.
      RecordProbeSuccess(*endpoint.state, clock_.Now());
    }
    ++ends[sent_ > 0];
  }
  // The test goes both ways often.
  EXPECT_GT(ends[true], 2000);
  EXPECT_GT(ends[false], 2000);
}

TEST_F(PairTest, AThirdPairIsNotTriedButForAConnectionThatWasClosedAsItWasUsed) {
  Begin(true, std::string(400, 'x'));
  for (const TryFailure failure : {TryFailure::kStaleConnection, TryFailure::kStaleConnection}) {
    ASSERT_TRUE(exchange_.active() && exchange_.is_pair());
    EndBoth(exchange_.OnPrefillFailed(failure, false, clock_.Now()));
  }
  ASSERT_TRUE(exchange_.active() && exchange_.is_pair());
  EXPECT_EQ(registry_.Render().find("limit=\"retries\""), std::string::npos);
  EndBoth(exchange_.OnPrefillFailed(TryFailure::kConnectRefused, false, clock_.Now()));
  EXPECT_FALSE(exchange_.active());
  EXPECT_NE(registry_.Render().find("penstock_limit_reached_total{limit=\"retries\"} 1\n"),
            std::string::npos);
}

TEST_F(PairTest, AHalfThatPushesBackHasNotFailed) {
  for (const int status : {429, 503}) {
    Begin(true, std::string(400, 'x'));
    ASSERT_TRUE(exchange_.active() && exchange_.is_pair());
    const std::shared_ptr<EndpointState> prefill = exchange_.prefill_endpoint().state;
    PrefillEnds(status, "{}");
    ASSERT_TRUE(exchange_.active()) << "another pair";
    EXPECT_NE(exchange_.prefill_endpoint().state, prefill);
    EXPECT_TRUE(ShareOf(*prefill, clock_.Now()).is_limited());
    EXPECT_EQ(PenaltyOf(*prefill, clock_.Now()), 0);
    if (exchange_.endpoint().runtime == Runtime::kVllm) PrefillEnds(200, kHandedOver);
    const std::shared_ptr<EndpointState> decode = exchange_.endpoint().state;
    DecodeHead(status, "text/plain");
    EXPECT_TRUE(ShareOf(*decode, clock_.Now()).is_limited());
    EXPECT_EQ(PenaltyOf(*decode, clock_.Now()), 0);
    if (exchange_.active()) End(Outcome::kComplete);
    clock_.Advance(kShareTime);
  }
  EXPECT_NE(registry_.Render().find("penstock_endpoint_pushbacks_total{pool=\"default/qwen\"} 4\n"),
            std::string::npos)
      << registry_.Render();
}

TEST_F(PairTest, BothHalvesOfEveryTryAreOfTheEndpointsThatARequestSelects) {
  environment_.selection_field = "test-selection";
  // A prefill endpoint of vLLM, and its two decode endpoints.
  fields_ = "Test-Selection: 127.0.0.11, 127.0.0.12, 127.0.0.14:8000\r\n";
  for (int i = 0; i < 20; ++i) {
    Begin(true, std::string(400, 'p') + std::to_string(i));
    ASSERT_TRUE(exchange_.is_pair());
    EXPECT_EQ(exchange_.prefill_endpoint().ip, "127.0.0.11");
    const std::string first = exchange_.endpoint().ip;
    EXPECT_TRUE(first == "127.0.0.12" || first == "127.0.0.14") << first;
    PrefillEnds(200, kHandedOver);
    DecodeHead(500, "text/plain");
    ASSERT_TRUE(exchange_.active() && exchange_.is_pair());
    EXPECT_EQ(exchange_.prefill_endpoint().ip, "127.0.0.11");
    EXPECT_EQ(exchange_.endpoint().ip, first == "127.0.0.12" ? "127.0.0.14" : "127.0.0.12");
    PrefillFails(TryFailure::kConnectRefused);
    EXPECT_FALSE(exchange_.active()) << "nobody else was selected";
    for (const Endpoint& endpoint : pool_->pool.endpoints) {
      EXPECT_EQ(Held(endpoint), 0);
      RecordProbeSuccess(*endpoint.state, clock_.Now());
    }
  }
}

TEST_F(PairTest, UsageIsAskedOfTheHalfThatStreams) {
  auto entry = std::make_shared<PoolEntry>(*pool_);
  entry->asks_stream_usage = true;
  Publish(entry);
  const std::string asks = "\"include_usage\": true";
  bool vllm = false;
  for (int i = 0; i < 50 && !vllm; ++i) {
    Begin(true, std::string(400, 'p') + std::to_string(i));
    vllm = exchange_.endpoint().runtime == Runtime::kVllm;
    if (vllm) {
      EXPECT_EQ(exchange_.prefill_body().ToString().find(asks), std::string::npos);
      PrefillEnds(200, R"({"kv_transfer_params":{"a":1}})");
    }
    EXPECT_NE(exchange_.body().ToString().find(asks), std::string::npos);
    End(Outcome::kClientLeft);
  }
  EXPECT_TRUE(vllm);
}

TEST_F(PairTest, EachHalfHoldsThePromptAgainFromItsEndOn) {
  Begin(false, std::string(640, 'p'));
  ASSERT_TRUE(exchange_.is_pair());
  const uint32_t slots[] = {exchange_.prefill_endpoint().state->slot,
                            exchange_.endpoint().state->slot};
  const auto blocks = exchange_.request().prefix_blocks;
  const auto held = [&] {
    std::vector<uint32_t> hits(2);
    index_.Match(blocks, slots, hits);
    return hits;
  };
  const auto all = static_cast<uint32_t>(blocks.size());
  using Hits = std::vector<uint32_t>;
  EXPECT_EQ(held(), (Hits{all, all})) << "from the dispatch on";
  for (const uint32_t slot : slots) index_.RemoveEndpoint(slot);
  PrefillEnds(200, kHandedOver);
  EXPECT_EQ(held(), (Hits{all, 0}));
  DecodeHead(200, "application/json");
  DecodeSays("{");
  DecodeEnds();
  EXPECT_EQ(held(), (Hits{all, all}));
}

}  // namespace
}  // namespace gw
