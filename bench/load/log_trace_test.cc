#include "bench/load/log_trace.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <sstream>
#include <string>

#include "bench/load/body_texts.h"
#include "bench/load/virtual_answers.h"

namespace gw::bench {
namespace {

using std::chrono::seconds;

// A line of the log; `more`: fields behind those that all have.
std::string Line(std::string_view time, std::string_view more,
                 std::string_view pool = "default/qwen") {
  return fmt::format(R"({{"time":"2026-01-02T{}Z","level":"info","message":"Request Handled",)"
                     R"("request_id":"r","pool":"{}",{}}})"
                     "\n",
                     time, pool, more);
}

constexpr std::string_view kFirst =
    R"("status":200,"total_ms":1500.25,"prompt_tokens":1300,"completion_tokens":20,)"
    R"("prompt_blocks":"00000000000000ff,fedcba9876543210","prompt_block_tokens":512,)"
    R"("prompt_chars":5200)";

// One without anything in common.
std::string Plain(std::string_view numbers) {
  return fmt::format(R"({},"prompt_blocks":"","prompt_block_tokens":512)", numbers);
}
constexpr std::string_view kPlain =
    R"("status":200,"total_ms":0,"prompt_tokens":100,"completion_tokens":1,"prompt_chars":400)";

absl::StatusOr<LogTrace> Read(const std::string& text, std::string_view pool = "",
                              std::optional<uint64_t> count = std::nullopt) {
  std::istringstream in(text);
  return ReadLogTrace(in, pool, count);
}

std::string ErrorOf(const std::string& text, std::string_view pool = "") {
  return std::string(Read(text, pool).status().message());
}

TEST(LogTrace, LinesOfRequestsAreRequestsInTheOrderOfTheirArrival) {
  const absl::StatusOr<LogTrace> read =
      Read(R"({"time":"2026-01-02T00:00:00.000000Z","level":"info","message":"Starting","pool":7})"
           "\n" +
           Line("03:04:05.000250", Plain(kPlain)) + Line("03:04:05.500500", kFirst));
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->requests.size(), 2u);
  const TraceRequest& first = read->requests[0];
  EXPECT_EQ(first.at, seconds(0));
  EXPECT_EQ(first.prompt_tokens, 1300u);
  EXPECT_EQ(first.output_tokens, 20u);
  EXPECT_EQ(first.block_ids, (std::vector<uint64_t>{0xff, 0xfedcba9876543210}));
  EXPECT_EQ(read->requests[1].at, seconds(1)) << "04.000250 and 05.000250";
  EXPECT_TRUE(read->requests[1].block_ids.empty());
  EXPECT_EQ(read->block_tokens, 512u);
}

TEST(LogTrace, WhatTheServerDidNotCountIsEstimated) {
  const auto request = [](std::string_view numbers) {
    const absl::StatusOr<LogTrace> read = Read(Line("03:04:05.000000", Plain(numbers)));
    EXPECT_TRUE(read.ok()) << read.status();
    return read->requests.at(0);
  };
  const TraceRequest uncounted =
      request(R"("status":200,"total_ms":1,"prompt_tokens":null,"completion_tokens":null,)"
              R"("prompt_chars":403)");
  EXPECT_EQ(uncounted.prompt_tokens, 100u);
  EXPECT_EQ(uncounted.output_tokens, 1u);
  const TraceRequest refused = request(
      R"("status":503,"total_ms":1,"prompt_tokens":5,"completion_tokens":9,"prompt_chars":403)");
  EXPECT_EQ(refused.prompt_tokens, 5u);
  EXPECT_EQ(refused.output_tokens, 1u) << "that was not its answer";
  const TraceRequest empty =
      request(R"("status":200,"total_ms":1,"completion_tokens":0,"prompt_chars":0)");
  EXPECT_EQ(empty.prompt_tokens, 1u) << "nothing can be asked with an empty prompt";
  EXPECT_EQ(empty.output_tokens, 1u);
}

TEST(LogTrace, WhatWasNoInferenceRequestIsLeftOut) {
  const std::string others =
      Line("03:04:01.000000", R"("status":404,"total_ms":1,"prompt_tokens":null)", "") +
      Line("03:04:02.000000", R"("status":200,"total_ms":1,"prompt_tokens":null)") +
      Line("03:04:02.000000", R"("status":400,"total_ms":1,"reason":"malformed_body")");
  EXPECT_EQ(Read(others + Line("03:04:05.000000", kFirst))->requests.size(), 1u);
}

TEST(LogTrace, BlocksAreAsLargeAPartOfPromptsAsTheyWere) {
  const auto counted = [](int tokens) {
    return Line("03:04:05.000000",
                Plain(fmt::format(R"("status":200,"total_ms":1,"prompt_tokens":{},)"
                                  R"("completion_tokens":3,"prompt_chars":4000)",
                                  tokens)));
  };
  // 800 of 4000 characters: 5 each. One that had a picture does not count.
  EXPECT_EQ(Read(counted(800) + counted(790) + counted(90'000))->block_tokens, 410u);
  EXPECT_EQ(Read(counted(1000))->block_tokens, 512u);
  EXPECT_EQ(Read(counted(0))->block_tokens, 512u) << "nothing is known";
}

TEST(LogTrace, ACountIsOfThoseThatArrivedFirst) {
  const std::string log = Line("03:04:05.000000", Plain(kPlain)) + Line("03:04:06.000000", kFirst) +
                          Line("03:04:07.000000", Plain(kPlain));
  const absl::StatusOr<LogTrace> read = Read(log, "", 1);
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->requests.size(), 1u);
  EXPECT_EQ(read->requests[0].prompt_tokens, 1300u);
  EXPECT_EQ(Read(log, "", 9)->requests.size(), 3u);
}

TEST(LogTrace, IsOfOnePool) {
  const std::string log = Line("03:04:05.000000", kFirst, "default/b") +
                          Line("03:04:06.000000", Plain(kPlain), "default/a") +
                          Line("03:04:06.000000", R"("status":200,"total_ms":1)", "default/svc");
  EXPECT_EQ(ErrorOf(log), "trace: of several pools, wanted the name of one: default/a, default/b");
  EXPECT_EQ(Read(log, "default/a")->requests.at(0).prompt_tokens, 100u);
  EXPECT_EQ(Read(log, "default/b")->requests.at(0).prompt_tokens, 1300u);
  EXPECT_EQ(ErrorOf(log, "default/svc"),
            "trace: no request of pool \"default/svc\", wanted one of default/a, default/b");
}

TEST(LogTrace, WhatFellBackWasAskedOfTheFirstPool) {
  const std::string log =
      Line("03:04:05.000000", kFirst) +
      Line("03:04:06.000000", std::string(kFirst) + R"(,"fell_back_from":"default/qwen")", "far");
  EXPECT_EQ(Read(log)->requests.size(), 2u);
}

TEST(LogTrace, ALogWithoutNamesSaysWhichFlagWasMissing) {
  const std::string counted = R"("status":200,"total_ms":1,"prompt_tokens":7)";
  const std::string none =
      "trace: no request has prompt_blocks, wanted a log of penstock serve --log-prompt-blocks";
  EXPECT_EQ(ErrorOf(Line("03:04:05.000000", counted)), none);
  EXPECT_EQ(ErrorOf(Line("03:04:05.000000", R"("status":200,"total_ms":1)")), none);
  const std::string wanted =
      ", wanted them in each of the pool, as penstock serve --log-prompt-blocks writes them";
  // The flag was given or taken away as the gateway was started anew.
  EXPECT_EQ(ErrorOf(Line("03:04:05.000000", kFirst) + Line("03:04:05.000000", counted)),
            "trace, line 2: prompt_blocks: this request has none" + wanted);
  EXPECT_EQ(ErrorOf(Line("03:04:05.000000", counted) + Line("03:04:05.000000", kFirst)),
            "trace, line 2: prompt_blocks: requests before have none" + wanted);
  // Of another pool it does not matter.
  EXPECT_EQ(Read(Line("03:04:05.000000", counted, "default/b") + Line("03:04:05.000000", kFirst))
                ->requests.size(),
            1u);
}

TEST(LogTrace, ASampleIsRefused) {
  const std::string sampled = std::string(kFirst) + R"(,"sample_ratio":0.01)";
  const std::string wanted =
      "trace, line 1: sample_ratio: wanted a log of all requests, not of a sample: penstock serve "
      "--request-log all, and no ratio in a route's penstock.dev/log-requests";
  EXPECT_EQ(ErrorOf(Line("03:04:05.000000", sampled)), wanted);
  // An error, which stands for itself alone: what is missing are all others.
  EXPECT_EQ(ErrorOf(Line("03:04:05.000000", std::string(kFirst) + R"(,"sample_ratio":1)")), wanted);
  EXPECT_EQ(Read(Line("03:04:05.000000", sampled, "default/b") + Line("03:04:05.000000", kFirst),
                 "default/qwen")
                ->requests.size(),
            1u);
}

TEST(LogTrace, ErrorsNameTheLineAndWhatWasWanted) {
  EXPECT_EQ(ErrorOf(""), "trace: wanted at least one request");
  EXPECT_EQ(ErrorOf(R"({"message":"Starting"})"),
            "trace: wanted at least one line of a \"Request Handled\"");
  EXPECT_EQ(ErrorOf(Line("03:04:05.000000", kFirst) +
                    "2026-01-02T03:04:05.678901Z info Request Handled request_id=r"),
            "trace, line 2: wanted a JSON object: a log of penstock serve --log-format json, not "
            "of text");
  EXPECT_EQ(ErrorOf(Line("3:04", kFirst)),
            "trace, line 1: time: wanted one such as 2026-01-02T03:04:05.678901Z, got "
            "\"2026-01-02T3:04Z\"");
  const auto with = [](std::string_view numbers) {
    return ErrorOf(Line("03:04:05.000000", Plain(numbers)));
  };
  EXPECT_EQ(with(R"("status":200,"prompt_chars":1)"),
            "trace, line 1: total_ms: wanted milliseconds from 0 on");
  EXPECT_EQ(with(R"("status":200,"total_ms":-1,"prompt_chars":1)"),
            "trace, line 1: total_ms: wanted milliseconds from 0 on");
  EXPECT_EQ(with(R"("status":200,"total_ms":1)"),
            "trace, line 1: prompt_chars: wanted a number from 0 to 40000000");
  const auto blocks = [](std::string_view names, std::string_view tokens = "512") {
    return Line(
        "03:04:05.000000",
        fmt::format(R"({},"prompt_blocks":"{}","prompt_block_tokens":{})", kPlain, names, tokens));
  };
  const std::string words =
      "trace, line 1: prompt_blocks: wanted words of 16 hexadecimal digits, got ";
  EXPECT_EQ(ErrorOf(blocks("00000000000000f")), words + "\"00000000000000f\"");
  EXPECT_EQ(ErrorOf(blocks("00000000000000fg")), words + "\"00000000000000fg\"");
  EXPECT_EQ(ErrorOf(blocks("00000000000000ff,,")), words + "\"\"");
  EXPECT_EQ(ErrorOf(blocks("00000000000000ff,")),
            "trace, line 1: prompt_blocks: wanted a word behind the last comma");
  EXPECT_EQ(ErrorOf(blocks("", "0")),
            "trace, line 1: prompt_block_tokens: wanted a number above 0");
  EXPECT_EQ(ErrorOf(blocks("") + blocks("") + blocks("", "500")),
            "trace, line 3: prompt_block_tokens: wanted 512 as in the lines before, got 500");
}

TEST(LogTrace, EqualNamesBecomeEqualText) {
  const auto line = [](int second, std::string_view names, std::string_view chars) {
    return Line(fmt::format("03:04:{:02}.000000", second),
                fmt::format(R"("status":200,"total_ms":0,"completion_tokens":2,"prompt_chars":{},)"
                            R"("prompt_blocks":"{}","prompt_block_tokens":512)",
                            chars, names));
  };
  LogTrace trace = *Read(line(1, "000000000000000a,000000000000000b", "5000") +
                         line(2, "000000000000000a,000000000000000c", "4100"));
  absl::StatusOr<std::unique_ptr<LoadWorkload>> workload = NewTraceReplay(
      std::move(trace.requests), {.form = {.model = "m"}, .block_tokens = trace.block_tokens});
  ASSERT_TRUE(workload.ok()) << workload.status();
  const std::vector<Asked> asked = AnswerAll(**workload, AnswersAfter(seconds(1)));
  ASSERT_EQ(asked.size(), 2u);
  EXPECT_EQ(asked[1].ask.due, seconds(1));
  const std::string a = TextsOf(asked[0].ask.body)[0].text;
  const std::string b = TextsOf(asked[1].ask.body)[0].text;
  EXPECT_EQ(a.size(), 5000u);
  EXPECT_EQ(b.size(), 4100u);
  EXPECT_EQ(a.substr(0, 2048), b.substr(0, 2048));
  EXPECT_NE(a.substr(2048, 32), b.substr(2048, 32));
}

}  // namespace
}  // namespace gw::bench
