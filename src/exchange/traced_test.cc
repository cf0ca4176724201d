// Requests as parts of traces, in virtual time.

#include "exchange/traced.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/check.h"
#include "exchange/test_exchange.h"

namespace gw {
namespace {

constexpr char kTrace[] = "4bf92f3577b34da6a3ce929d0e0e4736";
constexpr char kCaller[] = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

struct KeptRecords final : TraceSink {
  void Take(const RequestRecord& record, std::unique_ptr<PromptMessages> prompt) override {
    records.push_back(record);
    prompts.push_back(std::move(prompt));
  }
  std::vector<RequestRecord> records;
  std::vector<std::unique_ptr<PromptMessages>> prompts;
};

class TracedTest : public ExchangeFixture {
 protected:
  TracedTest() {
    entry_ = MakePool("default/qwen", {"127.0.0.11:8000", "127.0.0.12:8000"});
    environment_.tracing = &tracing_;
  }
  Step Ask(const std::string& fields = "") {
    const Step head =
        SendHead(SnapshotOf(entry_, {kPort}, rule_),
                 "POST /v1/thing HTTP/1.1\r\nHost: a\r\n" + fields + "Content-Length: 2\r\n\r\n");
    CHECK(head.kind == Step::Kind::kReadBody);
    return SendBody("{}");
  }
  void End() { exchange_.End(Outcome::kComplete, 200, clock_.Now()); }

  std::shared_ptr<PoolEntry> entry_;
  std::shared_ptr<RouteRule> rule_ = RuleToThePool();
  KeptRecords kept_;
  Tracing tracing_{Sampler(1), kept_};
};

TEST_F(TracedTest, GoesOnInTheCallersTrace) {
  Ask(std::string(kCaller) + "\r\ntracestate: a=1\r\n");
  const Traced& traced = exchange_.traced();
  EXPECT_EQ(traced.parent, 0x00f067aa0ba902b7);
  EXPECT_NE(traced.context.span, traced.parent);
  EXPECT_TRUE(traced.context.sampled);
  EXPECT_TRUE(traced.keeps_state);
  EXPECT_NE(exchange_.try_span(), 0);
  EXPECT_NE(exchange_.try_span(), traced.context.span);
  const SpanId tried = exchange_.try_span();
  End();
  ASSERT_EQ(kept_.records.size(), 1);
  EXPECT_EQ(kept_.records[0].trace_id, kTrace);
  EXPECT_EQ(kept_.records[0].parent_span, 0x00f067aa0ba902b7);
  ASSERT_EQ(kept_.records[0].try_count, 1);
  EXPECT_EQ(kept_.records[0].all_tries[0].span, tried);
}

TEST_F(TracedTest, BeginsATraceWhereItsCallerSaysNothingOrNonsense) {
  for (const std::string& fields :
       {std::string(), std::string("traceparent: 00-1\r\ntracestate: a=1\r\n"),
        std::string(kCaller) + "\r\n" + kCaller + "\r\ntracestate: a=1\r\n"}) {
    Ask(fields);
    EXPECT_EQ(exchange_.traced().parent, 0) << fields;
    EXPECT_FALSE(exchange_.traced().keeps_state) << fields;
    End();
    EXPECT_NE(kept_.records.back().trace_id, kTrace);
  }
  EXPECT_EQ(kept_.records.size(), 3);
}

TEST_F(TracedTest, StateThatIsNotWellFormedIsNotPassedOn) {
  Ask(std::string(kCaller) + "\r\ntracestate: a=1\r\nTraceState: B\r\n");
  EXPECT_EQ(exchange_.traced().parent, 0x00f067aa0ba902b7);
  EXPECT_FALSE(exchange_.traced().keeps_state);
  End();
}

TEST_F(TracedTest, WhatIsNotSampledHasIdsAndNoRecordIsKept) {
  std::string caller = kCaller;
  caller.back() = '0';
  Ask(caller + "\r\n");
  EXPECT_FALSE(exchange_.traced().context.sampled);
  EXPECT_NE(exchange_.try_span(), 0);
  End();
  EXPECT_TRUE(kept_.records.empty());
  EXPECT_EQ(environment_.history.FindLast("")->trace_id, kTrace);
}

TEST_F(TracedTest, EachTryHasASpanOfItsOwn) {
  Ask();
  const SpanId first = exchange_.try_span();
  const Step step = exchange_.OnTryFailed(TryFailure::kConnectRefused, false, clock_.Now());
  ASSERT_EQ(step.kind, Step::Kind::kForward);
  const SpanId second = exchange_.try_span();
  EXPECT_NE(first, second);
  End();
  ASSERT_EQ(kept_.records.at(0).try_count, 2);
  EXPECT_EQ(kept_.records[0].all_tries[0].span, first);
  EXPECT_EQ(kept_.records[0].all_tries[1].span, second);
}

TEST_F(TracedTest, ASampledRequestIsAnExemplarOfItsDuration) {
  Ask(std::string(kCaller) + "\r\n");
  const Traced traced = exchange_.traced();
  End();
  size_t kept = 0;
  const auto look = [&](const Labels&, const Histogram& histogram) {
    if (histogram.exemplars() == nullptr) return;
    for (size_t i = 0; i < histogram.BucketCounts().size(); ++i) {
      const auto exemplar = histogram.exemplars()->Last(i);
      if (!exemplar) continue;
      ++kept;
      EXPECT_EQ((TraceId{exemplar->of.trace_high, exemplar->of.trace_low}), traced.context.trace);
      EXPECT_EQ(exemplar->of.span, traced.context.span);
      EXPECT_EQ(exemplar->of.unix_ms, clock_.UnixNanos() / 1'000'000);
    }
  };
  registry_.VisitHistograms("penstock_request_duration_seconds", look);
  EXPECT_EQ(kept, 1);
}

TEST_F(TracedTest, AnotherIsNone) {
  std::string caller = kCaller;
  caller.back() = '0';
  Ask(caller + "\r\n");
  End();
  const auto look = [](const Labels&, const Histogram& histogram) {
    EXPECT_EQ(histogram.exemplars(), nullptr);
  };
  registry_.VisitHistograms("penstock_request_duration_seconds", look);
}

class TracedPromptTest : public TracedTest {
 protected:
  void Chat(const std::string& body, const std::string& fields = "") {
    SendHead(SnapshotOf(entry_, {kPort}, rule_), ChatHead(body, fields));
    SendBody(body);
    End();
  }
  static std::string ChatHead(const std::string& body, const std::string& fields) {
    return "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n" + fields +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
  }
};

constexpr char kChat[] = R"({"model":"m","messages":[{"role":"user","content":"hi"}]})";

TEST_F(TracedPromptTest, APromptGoesWithItsRecordOnlyWhereThatIsWanted) {
  Chat(kChat);
  EXPECT_EQ(kept_.prompts.back(), nullptr);
  const Tracing with_prompts{Sampler(1), kept_, 1000};
  environment_.tracing = &with_prompts;
  Chat(kChat);
  ASSERT_NE(kept_.prompts.back(), nullptr);
  EXPECT_EQ(kept_.prompts.back()->messages,
            R"([{"role":"user","parts":[{"type":"text","content":"hi"}]}])");
  EXPECT_EQ(kept_.prompts.back()->cut_bytes, 0);
  // The one before it leaves nothing behind.
  Ask();
  End();
  EXPECT_EQ(kept_.prompts.back(), nullptr);
  Chat(R"({"model":"m","messages":7})");
  EXPECT_EQ(kept_.prompts.back(), nullptr);
}

TEST_F(TracedPromptTest, OfWhatIsNotSampledNoPromptIsCopied) {
  const Tracing with_prompts{Sampler(0), kept_, 1000};
  environment_.tracing = &with_prompts;
  SendHead(SnapshotOf(entry_, {kPort}, rule_), ChatHead(kChat, ""));
  SendBody(kChat);
  EXPECT_EQ(exchange_.traced_prompt(), nullptr);
  End();
  EXPECT_TRUE(kept_.records.empty());
}

TEST_F(TracedTest, OffNothingIsRead) {
  environment_.tracing = nullptr;
  Ask(std::string(kCaller) + "\r\n");
  EXPECT_FALSE(exchange_.traced().active());
  EXPECT_EQ(exchange_.try_span(), 0);
  End();
  EXPECT_TRUE(kept_.records.empty());
  EXPECT_EQ(environment_.history.FindLast("")->trace_id, "");
}

}  // namespace
}  // namespace gw
