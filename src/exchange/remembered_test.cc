// What a pool's memory learns of requests as they go through the exchange, and that nothing stays
// held of their endpoints.

#include <gtest/gtest.h>

#include <cmath>

#include "exchange/mirrored.h"
#include "exchange/test_exchange.h"

namespace gw {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr char kToken[] = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
constexpr char kUsage[] =
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":500}}\n\n"
    "data: [DONE]\n\n";

class RememberedTest : public ExchangeFixture {
 protected:
  RememberedTest() {
    entry_ = MakePool("default/qwen", {"127.0.0.11:8000", "127.0.0.12:8000"});
    entry_->profile = ProfileNamed("COST");
    entry_->uses_prefix = true;
    entry_->memory = memory_;
  }

  // A stream of a prompt of that many tokens.
  Step Ask(size_t tokens) {
    const Step head = SendHead(SnapshotOf(entry_, {kPort}),
                               "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n"
                               "Content-Length: 2\r\n\r\n");
    CHECK(head.kind == Step::Kind::kReadBody);
    // The rest of the prompt is its template.
    const std::string text(4 * tokens, 'a');
    return SendBody(R"({"model":"m","stream":true,"messages":[{"role":"user","content":")" + text +
                    R"("}]})");
  }
  void AnswerBegins(const char* type = "text/event-stream", int status = 200) {
    http::ResponseHead head;
    head.status = status;
    head.headers.Add("content-type", type);
    exchange_.OnResponseHead(head, clock_.Now());
  }
  void AnswerEnds(Outcome outcome = Outcome::kComplete) {
    exchange_.OnResponseEnd(clock_.Now());
    exchange_.End(outcome, 200, clock_.Now());
  }
  void ExpectNothingHeld() {
    clock_.Advance(std::chrono::hours(1));
    for (const Endpoint& endpoint : entry_->pool.endpoints) {
      const EndpointState& state = *endpoint.state;
      EXPECT_EQ(state.in_flight_requests.load(), 0);
      EXPECT_EQ(state.pending_prompt_tokens.load(), 0);
      EXPECT_EQ(state.decoding_context_tokens.load(), 0);
      EXPECT_EQ(state.context_tokens.load(), 0);
      EXPECT_EQ(state.generated_tokens.load(), 0);
      EXPECT_NEAR(state.busy.SecondsAt(clock_.Now()), 0, 1e-4) << "no prompt is pending";
    }
  }
  float Window(const EndpointState& state) {
    EndpointView view;
    view.slot = state.slot;
    float tokens = -1;
    memory_->FillWindows(Candidates({&view, 1}), clock_.Now(), {&tokens, 1});
    return tokens;
  }
  // The next first token there, which makes the group before it a whole one.
  void Close(const EndpointState& state) {
    clock_.Advance(seconds(1));
    memory_->OnFirstToken(state, 0, clock_.Now(), clock_.Now());
  }

  std::shared_ptr<PoolMemory> memory_ = std::make_shared<PoolMemory>();
  std::shared_ptr<PoolEntry> entry_;
};

TEST_F(RememberedTest, AStreamTeachesSpeedAndLength) {
  ASSERT_EQ(Ask(4000).kind, Step::Kind::kForward);
  const EndpointState& state = *exchange_.endpoint().state;
  const auto tokens = static_cast<double>(exchange_.request().prompt_tokens_estimate);
  EXPECT_FLOAT_EQ(Window(state), static_cast<float>(tokens));
  EXPECT_EQ(state.context_tokens.load(), static_cast<int64_t>(tokens));
  clock_.Advance(seconds(1));
  EXPECT_NEAR(state.busy.SecondsAt(clock_.Now()), 10 * (1 - std::exp(-1.0 / 20)), 1e-3);
  AnswerBegins();
  for (int i = 0; i < 40; ++i) exchange_.OnResponseBody(kToken, clock_.Now());
  EXPECT_EQ(state.pending_prompt_tokens.load(), 0);
  EXPECT_EQ(state.generated_tokens.load(), 32) << "of 40: told each 16";
  exchange_.OnResponseBody(kUsage, clock_.Now());
  AnswerEnds();
  EXPECT_NEAR(memory_->OutputTokens("m"), 256 + 244.0 / 9, 0.1);
  EXPECT_FLOAT_EQ(Window(state), static_cast<float>(tokens) + 500);
  Close(state);
  EXPECT_NEAR(memory_->prefill_tokens_per_second(), (250e3 + tokens * tokens) / (25 + tokens), 1);
  ExpectNothingHeld();
}

TEST_F(RememberedTest, OnlyWhatIsNotHeldCounts) {
  Ask(4000);
  const EndpointState& state = *exchange_.endpoint().state;
  AnswerBegins();
  exchange_.OnResponseBody(kToken, clock_.Now());
  AnswerEnds();
  const float before = Window(state);
  ASSERT_EQ(Ask(4000).kind, Step::Kind::kForward);
  ASSERT_EQ(exchange_.endpoint().state.get(), &state) << "it has the prefix";
  EXPECT_LT(Window(state), before + 100);
  EXPECT_GE(state.context_tokens.load(), 4000);
  exchange_.End(Outcome::kClientLeft, 0, clock_.Now());
  ExpectNothingHeld();
}

TEST_F(RememberedTest, AStreamThatBeginsWithAnErrorTeachesNoSpeed) {
  Ask(4000);
  const EndpointState& state = *exchange_.endpoint().state;
  clock_.Advance(milliseconds(1));
  AnswerBegins();
  exchange_.OnResponseBody("data: {\"error\":{\"message\":\"dead\",\"code\":500}}\n\n",
                           clock_.Now());
  AnswerEnds();
  Close(state);
  EXPECT_FLOAT_EQ(memory_->prefill_tokens_per_second(), 10'000);
  ExpectNothingHeld();
}

TEST_F(RememberedTest, WhatIsNoStreamOrFailedTeachesNeither) {
  Ask(4000);
  const EndpointState& first = *exchange_.endpoint().state;
  clock_.Advance(seconds(1));
  AnswerBegins("application/json");
  exchange_.OnResponseBody("{", clock_.Now());
  AnswerEnds(Outcome::kClientLeft);
  Close(first);
  Ask(3000);
  const EndpointState& second = *exchange_.endpoint().state;
  clock_.Advance(seconds(1));
  AnswerBegins("text/event-stream", 400);
  exchange_.OnResponseBody(kUsage, clock_.Now());
  AnswerEnds();
  Close(second);
  EXPECT_FLOAT_EQ(memory_->prefill_tokens_per_second(), 10'000);
  EXPECT_FLOAT_EQ(memory_->OutputTokens("m"), 256);
  ExpectNothingHeld();
}

TEST_F(RememberedTest, AFurtherTryIsOneMore) {
  Ask(4000);
  const EndpointState& first = *exchange_.endpoint().state;
  clock_.Advance(milliseconds(5));
  ASSERT_EQ(exchange_.OnTryFailed(TryFailure::kReset, false, clock_.Now()).kind,
            Step::Kind::kForward);
  const EndpointState& second = *exchange_.endpoint().state;
  ASSERT_NE(&first, &second);
  EXPECT_EQ(first.context_tokens.load(), 0);
  EXPECT_GT(Window(first), 0);
  EXPECT_GT(Window(second), 0);
  clock_.Advance(milliseconds(5));
  exchange_.OnTryFailed(TryFailure::kReset, false, clock_.Now());
  exchange_.End(Outcome::kRejected, 502, clock_.Now());
  ExpectNothingHeld();
}

TEST_F(RememberedTest, OfAPairThePrefillHalfTeachesTheSpeed) {
  auto split = std::make_shared<Disaggregation>();
  std::vector<Endpoint> halves;
  for (const Endpoint& endpoint : entry_->pool.endpoints) halves.push_back(endpoint);
  halves[0].role = Role::kPrefill;
  halves[1].role = Role::kDecode;
  split->prefill.emplace_back(Runtime::kVllm, Pool());
  split->prefill[0].second.endpoints.push_back(halves[0]);
  split->decode.endpoints.push_back(halves[1]);
  split->prefill_profile = split->decode_profile = entry_->profile;
  split->prefill_uses_prefix = split->decode_uses_prefix = true;
  entry_->disaggregation = split;
  ASSERT_EQ(Ask(4000).kind, Step::Kind::kPrefill);
  const EndpointState& prefill = *halves[0].state;
  const EndpointState& decode = *halves[1].state;
  const auto tokens = static_cast<double>(exchange_.request().prompt_tokens_estimate);
  EXPECT_FLOAT_EQ(Window(prefill), static_cast<float>(tokens));
  EXPECT_FLOAT_EQ(Window(decode), 0);
  EXPECT_EQ(decode.context_tokens.load(), static_cast<int64_t>(tokens));
  clock_.Advance(seconds(1));
  EXPECT_GT(prefill.busy.SecondsAt(clock_.Now()), 0);
  EXPECT_EQ(decode.busy.SecondsAt(clock_.Now()), 0) << "it computes no prompt";
  ASSERT_EQ(exchange_
                .OnPrefillEnd({.status = 200,
                               .content_type = "application/json",
                               .body = R"({"kv_transfer_params":{"do_remote_prefill":true}})"},
                              clock_.Now())
                .kind,
            Step::Kind::kForward);
  EXPECT_EQ(prefill.context_tokens.load(), 0);
  clock_.Advance(seconds(1));
  AnswerBegins();
  exchange_.OnResponseBody(kToken, clock_.Now());
  exchange_.OnResponseBody(kUsage, clock_.Now());
  AnswerEnds();
  EXPECT_GT(memory_->OutputTokens("m"), 257);
  Close(prefill);
  Close(decode);
  EXPECT_NEAR(memory_->prefill_tokens_per_second(), (250e3 + tokens * tokens) / (25 + tokens), 1);
  ExpectNothingHeld();
}

TEST_F(RememberedTest, CopiesAreHeldAndTeachNothing) {
  std::string body = R"({"model":"m","messages":[{"role":"user","content":"Hello"}]})";
  body.reserve(body.size() + Exchange::kBodyPadding);
  Ask(1);
  {
    Mirrored copy(environment_);
    ASSERT_EQ(copy.Begin(*entry_, exchange_.asked(), false, body, clock_.Now()),
              MirrorResult::kAnswered);
    clock_.Advance(seconds(1));
    copy.OnFirstByte(clock_.Now());
  }
  exchange_.End(Outcome::kClientLeft, 0, clock_.Now());
  EXPECT_FLOAT_EQ(memory_->prefill_tokens_per_second(), 10'000);
  ExpectNothingHeld();
}

TEST_F(RememberedTest, TheRecordSaysWhatEachTermCost) {
  Ask(4000);
  AnswerBegins();
  exchange_.OnResponseBody(kUsage, clock_.Now());
  AnswerEnds();
  const auto record = environment_.history.FindLast("");
  ASSERT_TRUE(record.has_value());
  ASSERT_EQ(record->scores.size(), 8u);
  EXPECT_EQ(record->scores[0].first, "wait");
  EXPECT_NEAR(record->scores[0].second, -0.4, 0.01);
  EXPECT_EQ(record->scores[7].first, "failures");
}

}  // namespace
}  // namespace gw
