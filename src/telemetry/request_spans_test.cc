#include "telemetry/request_spans.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gw {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr TimePoint kEnded{std::chrono::seconds(5)};
constexpr int64_t kOffset = 1'700'000'000'000'000'000;

RequestRecord Handled() {
  RequestRecord record;
  record.trace = {{0xa, 0xb}, 0xc, true};
  record.parent_span = 0xd;
  record.trace_id = "000000000000000a000000000000000b";
  record.method = "POST";
  record.path = "/v1/chat/completions";
  record.api = ApiKind::kChatCompletions;
  record.outcome = "complete";
  record.status = 200;
  record.ended = kEnded;
  record.total_ms = 10;
  record.body_ms = 1;
  record.response_ms = 4;
  record.ttft_ms = 5;
  record.endpoint = "10.0.0.1:8000";
  record.target_model = "m";
  record.all_tries[0] = {.endpoint_name = "pod-0",
                         .endpoint = "10.0.0.1:8000",
                         .began_ms = 2,
                         .took_ms = 8,
                         .span = 0xe,
                         .decode_began_ms = 2,
                         .prefill_ended_ms = 10};
  record.try_count = 1;
  record.tries = 1;
  return record;
}

std::string Spans(const RequestRecord& record, size_t count,
                  const PromptMessages* prompt = nullptr) {
  OtlpSpans spans({}, "penstock", "1");
  Random random(1);
  AppendSpans(record, prompt, kOffset, random, &spans);
  EXPECT_EQ(spans.count(), count);
  EXPECT_EQ(SpanCount(record), count);
  return spans.Finish();
}

// So much of a span's text.
std::string SpanNamed(const std::string& spans, const std::string& name) {
  const size_t found = spans.find("\"name\":\"" + name + "\",\"kind\"");
  EXPECT_NE(found, spans.npos) << name;
  return spans.substr(found, spans.find("\"status\":{", found) + 40 - found);
}

TEST(RequestSpans, TimesAreTheRecordsOnTheWallClock) {
  const std::string spans = Spans(Handled(), 4);
  EXPECT_THAT(SpanNamed(spans, "POST /v1/chat/completions"),
              HasSubstr(R"("kind":2,"startTimeUnixNano":"1700000004990000000",)"
                        R"("endTimeUnixNano":"1700000005000000000")"));
  EXPECT_THAT(SpanNamed(spans, "parse"),
              HasSubstr(R"("kind":1,"startTimeUnixNano":"1700000004990000000",)"
                        R"("endTimeUnixNano":"1700000004991000000")"));
  EXPECT_THAT(SpanNamed(spans, "try"),
              HasSubstr(R"("kind":3,"startTimeUnixNano":"1700000004992000000",)"
                        R"("endTimeUnixNano":"1700000005000000000")"));
  EXPECT_THAT(SpanNamed(spans, "try"),
              HasSubstr(R"({"timeUnixNano":"1700000004995000000","name":"first_token"})"));
}

TEST(RequestSpans, ArePartsOfTheCallersTrace) {
  const std::string spans = Spans(Handled(), 4);
  EXPECT_THAT(spans, HasSubstr(R"({"traceId":"000000000000000a000000000000000b",)"
                               R"("spanId":"000000000000000c","parentSpanId":"000000000000000d",)"
                               R"("name":"POST /v1/chat/completions")"));
  EXPECT_THAT(spans, HasSubstr(R"("spanId":"000000000000000e","parentSpanId":"000000000000000c",)"
                               R"("name":"try")"));
}

TEST(RequestSpans, ARequestThatIsRefusedAtItsHeadIsOneSpan) {
  RequestRecord record;
  record.trace = {{1, 2}, 3, true};
  record.outcome = "rejected";
  record.reason = "bad_request";
  record.status = 400;
  record.ended = kEnded;
  record.total_ms = 1;
  const std::string spans = Spans(record, 1);
  EXPECT_THAT(spans, HasSubstr(R"("name":"HTTP","kind":2)"));
  EXPECT_THAT(spans, Not(HasSubstr("parentSpanId")));
  EXPECT_THAT(spans, Not(HasSubstr("error.type")));
}

TEST(RequestSpans, ThePromptIsTheRequestsAloneAndWhatIsCutIsSaid) {
  EXPECT_THAT(Spans(Handled(), 4), Not(HasSubstr("gen_ai.input.messages")));
  PromptMessages prompt{.messages = R"([{"role":"user"}])", .system = "[1]"};
  std::string spans = Spans(Handled(), 4, &prompt);
  EXPECT_THAT(SpanNamed(spans, "POST /v1/chat/completions"),
              HasSubstr(R"({"key":"gen_ai.input.messages","value":{"stringValue":)"
                        R"("[{\"role\":\"user\"}]"}},)"
                        R"({"key":"gen_ai.system_instructions","value":{"stringValue":"[1]"}})"));
  EXPECT_EQ(spans.find("gen_ai.input"), spans.rfind("gen_ai.input"));
  EXPECT_THAT(spans, Not(HasSubstr("prompt_cut_bytes")));
  prompt.cut_bytes = 7;
  EXPECT_THAT(Spans(Handled(), 4, &prompt),
              HasSubstr(R"({"key":"penstock.prompt_cut_bytes","value":{"intValue":"7"}})"));
}

TEST(RequestSpans, AMethodOfTheClientsOwnIsNoName) {
  RequestRecord record = Handled();
  record.method = "FROB";
  record.api = ApiKind::kOther;
  EXPECT_THAT(Spans(record, 4), HasSubstr(R"("name":"HTTP","kind":2)"));
}

TEST(RequestSpans, TriesHaveTheirFailuresAndThePausesBetweenThem) {
  RequestRecord record = Handled();
  record.all_tries[1] = record.all_tries[0];
  record.all_tries[1].span = 0xf;
  record.all_tries[1].began_ms = record.all_tries[1].decode_began_ms = 6;
  record.all_tries[1].took_ms = 4;
  record.all_tries[0].took_ms = 1;
  record.all_tries[0].reason = "reset";
  record.all_tries[0].detail = "more";
  record.try_count = 2;
  const std::string spans = Spans(record, 6);
  EXPECT_THAT(SpanNamed(spans, "back-off"),
              HasSubstr(R"("startTimeUnixNano":"1700000004993000000",)"
                        R"("endTimeUnixNano":"1700000004996000000")"));
  EXPECT_THAT(SpanNamed(spans, "try"), HasSubstr(R"("status":{"code":2,"message":"more"})"));
  EXPECT_THAT(SpanNamed(spans, "try"),
              HasSubstr(R"({"key":"error.type","value":{"stringValue":"reset"}})"));
}

TEST(RequestSpans, OfAPairEachHalfThatWasSentIsOne) {
  RequestRecord record = Handled();
  RequestRecord::Try& pair = record.all_tries[0];
  pair.prefill_span = 0x10;
  pair.prefill_endpoint = "[::1]:8000";
  pair.prefill_ended_ms = 3;
  pair.decode_began_ms = 3;
  const std::string spans = Spans(record, 5);
  EXPECT_THAT(SpanNamed(spans, "prefill"), HasSubstr(R"("endTimeUnixNano":"1700000004993000000")"));
  EXPECT_THAT(SpanNamed(spans, "prefill"),
              HasSubstr(R"({"key":"server.address","value":{"stringValue":"::1"}},)"
                        R"({"key":"server.port","value":{"intValue":"8000"}})"));
  EXPECT_THAT(SpanNamed(spans, "decode"),
              HasSubstr(R"("startTimeUnixNano":"1700000004993000000")"));
  pair.reason = "reset";
  pair.prefill_failed = true;
  pair.decode_began_ms = -1;
  record.response_ms = -1;
  const std::string failed = Spans(record, 4);
  EXPECT_THAT(failed, Not(HasSubstr(R"("name":"decode")")));
  EXPECT_THAT(SpanNamed(failed, "prefill"), HasSubstr(R"("status":{"code":2})"));
}

TEST(RequestSpans, WhatCutsAnAnswerIsAFailureAndAClientThatLeavesIsNone) {
  RequestRecord record = Handled();
  record.outcome = "upstream_broke";
  EXPECT_THAT(Spans(record, 4),
              HasSubstr(R"({"key":"error.type","value":{"stringValue":"upstream_broke"}})"));
  record.outcome = "client_left";
  EXPECT_THAT(Spans(record, 4), Not(HasSubstr("error.type")));
}

// 0.1 + 0.2 is more than 0.3: the answer's end and the try's are one moment all the same.
TEST(RequestSpans, SumsOfMillisecondsThatMeanTheSameAreTheSame) {
  RequestRecord record = Handled();
  record.total_ms = record.ttft_ms = 0.3;
  record.body_ms = 0.1;
  record.response_ms = 0.28999999999999998;
  record.all_tries[0].began_ms = record.all_tries[0].decode_began_ms = 0.1;
  record.all_tries[0].took_ms = 0.2 - 1e-12;
  const std::string tried = SpanNamed(Spans(record, 4), "try");
  EXPECT_THAT(tried, HasSubstr(R"("endTimeUnixNano":"1700000005000000000")"));
  EXPECT_THAT(tried, HasSubstr(R"({"timeUnixNano":"1700000005000000000","name":"first_token"})"));
}

TEST(RequestSpans, NothingIsOutsideOfTheRequest) {
  RequestRecord record = Handled();
  record.all_tries[0].took_ms = 1000;
  record.body_ms = 1000;
  const std::string spans = Spans(record, 4);
  EXPECT_THAT(spans, Not(HasSubstr(R"("endTimeUnixNano":"1700000005990000000")")));
}

}  // namespace
}  // namespace gw
