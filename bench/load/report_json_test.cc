#include "bench/load/report_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"
#include "bench/load/report_html.h"
#include "bench/load/report_text.h"

namespace gw::bench {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using ::testing::HasSubstr;

// Times of whole microseconds, which a document keeps.
Result SomeResult(int requests) {
  Random random(5);
  RunRecords run;
  for (int i = 0; i < requests; ++i) {
    Ask ask;
    ask.due = microseconds(i * 1000 + 1);
    if (i % 3 > 0) ask.tenant = i % 3 == 1 ? "a \"b\"" : "c";
    if (i % 2 > 0) ask.priority = "high";
    if (i % 5 > 0) ask.session = std::to_string(i % 7);
    ask.turn = static_cast<uint32_t>(i / 7);
    Answer answer{.end = i % 10 == 9 ? AnswerEnd::kStatus : AnswerEnd::kComplete};
    answer.status = i % 10 == 9 ? 429 : 200;
    if (i % 10 == 9) answer.error = "429 queue_full";
    answer.sent = ask.due + microseconds(random.Below(100));
    if (i % 10 != 9) answer.first = answer.sent + microseconds(random.Below(1'000'000) + 1);
    answer.ended = answer.sent + microseconds(random.Below(3'000'000) + 1'000'001);
    answer.last = answer.ended;
    answer.gap_max = microseconds(random.Below(1000));
    answer.events = 5;
    answer.output_tokens = static_cast<int64_t>(random.Below(300));
    answer.prompt_tokens = i % 4 == 0 ? -1 : 1000;
    answer.cached_tokens = i % 4 == 0 ? -1 : 300;
    run.Add(ask, answer);
    run.gaps.Add(answer.gap_max);
  }
  const Objectives objectives{.ttft = milliseconds(300), .e2e = milliseconds(2500)};
  return {.started = "2026-01-02T03:04:05Z",
          .command = "penstock bench --rate 10 <\n>",
          .target = "http://127.0.0.1:8000",
          .workload = "synthetic",
          .objectives = objectives,
          .summary = Summarize(run, objectives),
          .requests = run.records,
          .groups = run.groups};
}

void ExpectSame(const Distribution& one, const Distribution& other) {
  EXPECT_EQ(one.count, other.count);
  EXPECT_NEAR(one.mean, other.mean, 1e-6);
  EXPECT_NEAR(one.p50, other.p50, 1e-6);
  EXPECT_NEAR(one.p90, other.p90, 1e-6);
  EXPECT_NEAR(one.p95, other.p95, 1e-6);
  EXPECT_NEAR(one.p99, other.p99, 1e-6);
  EXPECT_NEAR(one.max, other.max, 1e-6);
}

void ExpectSame(const Figures& one, const Figures& other) {
  EXPECT_EQ(one.requests, other.requests);
  EXPECT_EQ(one.completed, other.completed);
  EXPECT_EQ(one.ended, other.ended);
  EXPECT_NEAR(one.requests_per_second, other.requests_per_second, 1e-4);
  EXPECT_NEAR(one.prompt_tokens_per_second, other.prompt_tokens_per_second, 1e-4);
  EXPECT_NEAR(one.output_tokens_per_second, other.output_tokens_per_second, 1e-4);
  EXPECT_EQ(one.prompt_tokens, other.prompt_tokens);
  EXPECT_EQ(one.output_tokens, other.output_tokens);
  EXPECT_NEAR(one.cached_share.value_or(-1), other.cached_share.value_or(-1), 1e-4);
  EXPECT_NEAR(one.good_share.value_or(-1), other.good_share.value_or(-1), 1e-4);
  EXPECT_NEAR(one.goodput_per_second.value_or(-1), other.goodput_per_second.value_or(-1), 1e-4);
  ExpectSame(one.ttft, other.ttft);
  ExpectSame(one.tpot, other.tpot);
  ExpectSame(one.e2e, other.e2e);
}

TEST(ReportJson, IsReadBackAsItWas) {
  const Result result = SomeResult(200);
  const absl::StatusOr<Result> read = ReadResult(ResultJson(result, true));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->tool, "penstock bench");
  EXPECT_EQ(read->started, result.started);
  EXPECT_EQ(read->command, result.command);
  EXPECT_EQ(read->target, result.target);
  EXPECT_EQ(read->workload, result.workload);
  EXPECT_EQ(read->objectives, result.objectives);
  ExpectSame(read->summary.all, result.summary.all);
  ASSERT_EQ(read->summary.groups.size(), 6);
  for (size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(read->summary.groups[i].first, result.summary.groups[i].first);
    ExpectSame(read->summary.groups[i].second, result.summary.groups[i].second);
  }
  ExpectSame(read->summary.gaps, result.summary.gaps);
  ExpectSame(read->summary.lateness, result.summary.lateness);
  EXPECT_EQ(read->summary.errors, result.summary.errors);
  EXPECT_NEAR(read->summary.seconds, result.summary.seconds, 1e-4);
  ASSERT_EQ(read->requests.size(), 200);
  for (size_t i = 0; i < 200; ++i) {
    Record record = read->requests[i];
    EXPECT_EQ(read->groups[record.group], result.groups[result.requests[i].group]);
    record.group = result.requests[i].group;
    if (record.session == 0) record.turn = result.requests[i].turn;  // no session, no turn of it
    EXPECT_EQ(record, result.requests[i]) << i;
  }
}

TEST(ReportJson, WithoutRequestsHasFiguresOnly) {
  const absl::StatusOr<Result> read = ReadResult(ResultJson(SomeResult(20), false));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(read->requests.empty());
  EXPECT_EQ(read->summary.all.requests, 20);
}

TEST(ReportJson, AnEmptyRunIsADocument) {
  for (const bool with_requests : {false, true}) {
    const absl::StatusOr<Result> read = ReadResult(ResultJson({}, with_requests));
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_TRUE(std::isnan(read->summary.all.ttft.mean));
  }
}

TEST(ReadResult, SaysWhatWasWanted) {
  const auto message = [](std::string_view json) {
    return std::string(ReadResult(json).status().message());
  };
  EXPECT_THAT(message("{"), HasSubstr("is no JSON document"));
  EXPECT_THAT(message("[]"), HasSubstr("must be a result of penstock bench, of vllm bench serve"));
  EXPECT_THAT(message(R"({"tool":"penstock bench","version":2})"), HasSubstr("version: must be 1"));
  EXPECT_THAT(message(R"({"tool":"penstock bench","version":1})"),
              HasSubstr("summary: must be an object"));
  EXPECT_THAT(message(R"({"tool":"penstock bench","version":1,"summary":{},"requests":[1]})"),
              HasSubstr("requests: must be objects"));
  EXPECT_THAT(message(R"({"benchmarks":[]})"), HasSubstr("benchmarks: must be one"));
}

TEST(ReadResult, OtherTypesThanTheSchemasAreNotMeasured) {
  const absl::StatusOr<Result> read = ReadResult(
      R"({"tool":"penstock bench","version":1,"seconds":"x","groups":3,"errors":[],
          "summary":{"requests":-4,"ttft":{"mean_ms":null,"p50_ms":1e300}},
          "requests":[{"due_ms":1e300,"events":-1,"status":1e9,"end":7}]})");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->summary.all.requests, 0);
  EXPECT_TRUE(std::isnan(read->summary.all.ttft.mean));
  EXPECT_EQ(read->requests[0].end, AnswerEnd::kUnfinished);
  EXPECT_EQ(read->requests[0].events, 0);
}

// Whatever is in a file, reading it and showing what was read ends.
TEST(ReadResult, DamagedDocumentsAreReadOrRefused) {
  Random random(17);
  const std::string whole = ResultJson(SomeResult(10), true);
  int read_anyway = 0;
  for (int i = 0; i < 1000; ++i) {
    std::string json = whole;
    for (uint64_t j = random.Below(3); j < 3; ++j) {
      json[random.Below(json.size())] = "0123456789-e.\",:{}[]"[random.Below(20)];
    }
    const absl::StatusOr<Result> read = ReadResult(json);
    if (!read.ok()) continue;
    ++read_anyway;
    EXPECT_FALSE(ReportText(*read).empty());
    EXPECT_FALSE(ReportHtml(*read).empty());
    EXPECT_TRUE(ReadResult(ResultJson(*read, true)).ok()) << json;
  }
  EXPECT_GT(read_anyway, 50);
}

TEST(ReadResult, ReadsVllm) {
  const absl::StatusOr<Result> read = ReadResult(R"({
    "date": "20260102-030405", "backend": "openai-chat", "model_id": "m", "num_prompts": 4,
    "request_rate": "inf", "duration": 10.0, "completed": 3, "failed": 1,
    "total_input_tokens": 300, "total_output_tokens": 60, "request_throughput": 0.3,
    "request_goodput": 0.2, "output_throughput": 6.0, "total_token_throughput": 36.0,
    "mean_ttft_ms": 200.5, "median_ttft_ms": 200.0, "std_ttft_ms": 1.0, "p99_ttft_ms": 298.0,
    "mean_itl_ms": 11.0, "median_itl_ms": 10.0, "p99_itl_ms": 30.0})");
  ASSERT_TRUE(read.ok()) << read.status();
  const Figures& all = read->summary.all;
  EXPECT_EQ(read->tool, "vllm bench serve");
  EXPECT_EQ(read->target, "m");
  EXPECT_EQ(all.requests, 4);
  EXPECT_EQ(all.completed, 3);
  EXPECT_DOUBLE_EQ(all.requests_per_second, 0.3);
  EXPECT_DOUBLE_EQ(all.output_tokens_per_second, 6);
  EXPECT_DOUBLE_EQ(all.prompt_tokens_per_second, 30);
  EXPECT_DOUBLE_EQ(*all.goodput_per_second, 0.2);
  EXPECT_DOUBLE_EQ(*all.good_share, 0.5);
  EXPECT_DOUBLE_EQ(all.ttft.mean, 0.2005);
  EXPECT_DOUBLE_EQ(all.ttft.p99, 0.298);
  EXPECT_TRUE(std::isnan(all.ttft.p90)) << "was not asked for";
  EXPECT_DOUBLE_EQ(read->summary.gaps.p99, 0.03);
  EXPECT_TRUE(read->requests.empty());
}

TEST(ReadResult, ReadsRequestsOfVllmWhereTheyWereSaved) {
  const absl::StatusOr<Result> read = ReadResult(R"({
    "duration": 10.0, "completed": 2, "failed": 1, "request_throughput": 0.2,
    "mean_ttft_ms": 300, "median_ttft_ms": 300, "p99_ttft_ms": 498,
    "start_times": [1000.5, 1001.0, 1001.5], "ttfts": [0.1, 0.5, 0.0],
    "itls": [[0.1, 0.1], [0.5], []], "input_lens": [100, 200, 300], "output_lens": [3, 2, 0],
    "errors": ["", "", "Traceback:\n  File\nTimeoutError: too slow\n"]})");
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->requests.size(), 3);
  EXPECT_EQ(read->requests[0].due, microseconds(1)) << "zero would be never";
  EXPECT_EQ(read->requests[1].ttft(), milliseconds(500));
  EXPECT_EQ(read->requests[1].e2e(), milliseconds(1000));
  EXPECT_EQ(read->requests[0].tpot(), milliseconds(100));
  EXPECT_FALSE(read->requests[2].ok());
  EXPECT_EQ(read->summary.errors.at("TimeoutError: too slow"), 1);
  EXPECT_DOUBLE_EQ(read->summary.all.ttft.p90, 0.46) << "computed";
  EXPECT_DOUBLE_EQ(read->summary.all.tpot.mean, 0.3);
}

TEST(ReadResult, ReadsGuidellm) {
  const std::string values = R"("successful":{"mean":20,"median":18,"max":50,"count":3,
      "total_sum":60,"percentiles":{"p90":30,"p95":40,"p99":45}})";
  const absl::StatusOr<Result> read = ReadResult(
      R"({"metadata":{"version":1},"args":{},"benchmarks":[{"duration":10.0,"start_time":100.0,
      "metrics":{"request_totals":{"successful":3,"incomplete":1,"errored":0,"total":4},
        "output_token_count":{)" +
      values + R"(},"time_to_first_token_ms":{)" + values + R"(},"request_latency":{)" + values +
      R"(}},"requests":{"successful":[{"request_start_time":101.0,"request_end_time":103.0,
        "time_to_first_token_ms":500.0,"prompt_tokens":10,"output_tokens":4}],"errored":[]}}]})");
  ASSERT_TRUE(read.ok()) << read.status();
  const Figures& all = read->summary.all;
  EXPECT_EQ(all.requests, 4);
  EXPECT_EQ(all.completed, 3);
  EXPECT_EQ(all.output_tokens, 60);
  EXPECT_DOUBLE_EQ(all.output_tokens_per_second, 6);
  EXPECT_DOUBLE_EQ(all.ttft.p99, 0.045);
  EXPECT_DOUBLE_EQ(all.e2e.p50, 18);
  EXPECT_TRUE(std::isnan(all.tpot.mean));
  ASSERT_EQ(read->requests.size(), 1);
  EXPECT_EQ(read->requests[0].tpot(), milliseconds(500));
}

}  // namespace
}  // namespace gw::bench
