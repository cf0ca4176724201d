#include "bench/load/trace_replay.h"

#include <gtest/gtest.h>

#include <sstream>

#include "bench/load/body_texts.h"
#include "bench/load/virtual_answers.h"

namespace gw::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr const char* kTrace =
    R"({"timestamp": 3000, "input_length": 1500, "output_length": 5, "hash_ids": [0, 1, 2]}
{"timestamp": 1000, "input_length": 1024, "output_length": 6, "hash_ids": [0, 1]}

{"timestamp": 3000.5, "input_length": 1100, "output_length": 0, "hash_ids": [0, 3]}
{"timestamp": 9000, "input_length": 10, "output_length": 7}
)";

std::vector<TraceRequest> Read(const std::string& text) {
  std::istringstream in(text);
  absl::StatusOr<std::vector<TraceRequest>> trace = ReadTrace(in, std::nullopt);
  EXPECT_TRUE(trace.ok()) << trace.status();
  return *std::move(trace);
}

std::string ErrorOf(const std::string& text) {
  std::istringstream in(text);
  return std::string(ReadTrace(in, std::nullopt).status().message());
}

std::vector<Asked> RunOf(const TraceReplayOptions& options) {
  absl::StatusOr<std::unique_ptr<LoadWorkload>> workload = NewTraceReplay(Read(kTrace), options);
  EXPECT_TRUE(workload.ok()) << workload.status();
  return AnswerAll(**workload, AnswersAfter(seconds(1)));
}

TEST(TraceReplay, ATraceIsReadInTheOrderOfItsTimes) {
  const std::vector<TraceRequest> trace = Read(kTrace);
  ASSERT_EQ(trace.size(), 4u);
  EXPECT_EQ(trace[0].at, seconds(0));
  EXPECT_EQ(trace[0].prompt_tokens, 1024u);
  EXPECT_EQ(trace[1].at, seconds(2));
  EXPECT_EQ(trace[1].block_ids, (std::vector<uint64_t>{0, 1, 2}));
  EXPECT_EQ(trace[2].at, std::chrono::microseconds(2000500));
  EXPECT_EQ(trace[2].output_tokens, 1u) << "no token cannot be asked for";
  EXPECT_TRUE(trace[3].block_ids.empty());
  std::istringstream in(kTrace);
  EXPECT_EQ(ReadTrace(in, 2)->size(), 2u);
}

TEST(TraceReplay, EqualBlocksAreEqualText) {
  const std::vector<Asked> asked = RunOf({.form = {.model = "m"}});
  ASSERT_EQ(asked.size(), 4u);
  std::vector<std::string> texts;
  for (const Asked& one : asked) {
    texts.push_back(TextsOf(one.ask.body)[0].text);
    EXPECT_EQ(texts.back().size(), one.ask.prompt_tokens * 4);
    EXPECT_EQ(OutputTokensOf(one.ask.body), one.ask.output_tokens);
  }
  EXPECT_EQ(texts[1].substr(0, 4096), texts[0]);
  EXPECT_EQ(texts[2].substr(0, 2048), texts[0].substr(0, 2048));
  EXPECT_NE(texts[2].substr(2048, 64), texts[0].substr(2048, 64));
  EXPECT_EQ(texts[1].size(), 6000u) << "the last block is not whole";
  EXPECT_EQ(texts[2].size(), 4400u) << "what no block names is its own";
}

TEST(TraceReplay, SpeedDividesTheTimes) {
  const std::vector<Asked> asked = RunOf({.form = {.model = "m"}, .speed = 4});
  EXPECT_EQ(asked[1].ask.due, milliseconds(500));
  EXPECT_EQ(asked[3].ask.due, seconds(2));
}

TEST(TraceReplay, AnotherSeedIsOtherText) {
  const std::vector<Asked> one = RunOf({.form = {.model = "m"}});
  const std::vector<Asked> other = RunOf({.form = {.model = "m"}, .seed = 2});
  for (size_t i = 0; i < one.size(); ++i) {
    EXPECT_EQ(one[i].ask.due, other[i].ask.due);
    EXPECT_NE(TextsOf(one[i].ask.body)[0].text.substr(0, 32),
              TextsOf(other[i].ask.body)[0].text.substr(0, 32));
  }
}

TEST(TraceReplay, ErrorsNameTheLine) {
  const std::string good = R"({"timestamp":1,"input_length":2,"output_length":3})";
  EXPECT_EQ(ErrorOf(""), "trace: wanted at least one request");
  EXPECT_EQ(ErrorOf(good + "\n{"), "trace, line 2: wanted a JSON object");
  EXPECT_EQ(ErrorOf("[]"), "trace, line 1: wanted a JSON object");
  EXPECT_EQ(ErrorOf(R"({"timestamp":-1,"input_length":2,"output_length":3})"),
            "trace, line 1: timestamp: wanted milliseconds from 0 on");
  EXPECT_EQ(ErrorOf(R"({"timestamp":1,"input_length":"2","output_length":3})"),
            "trace, line 1: input_length: wanted a number from 0 to 10000000");
  EXPECT_EQ(ErrorOf(R"({"timestamp":1,"input_length":2})"),
            "trace, line 1: output_length: wanted a number from 0 to 10000000");
  EXPECT_EQ(ErrorOf(R"({"timestamp":1,"input_length":2,"output_length":3,"hash_ids":[-1]})"),
            "trace, line 1: hash_ids: wanted whole numbers from 0 on");
  EXPECT_EQ(ErrorOf(R"({"timestamp":1,"input_length":2,"output_length":3,"hash_ids":7})"),
            "trace, line 1: hash_ids: wanted a list");
}

TEST(TraceReplay, OptionsNameWhatIsWrongWithThem) {
  EXPECT_EQ(NewTraceReplay(Read(kTrace), {.form = {.model = "m"}, .speed = 0}).status().message(),
            "--speed: wanted a number above 0");
  EXPECT_EQ(NewTraceReplay(Read(kTrace), {}).status().message(), "--model: wanted a name");
}

TEST(TraceReplay, ItSaysWhatItIs) {
  EXPECT_EQ((*NewTraceReplay(Read(kTrace), {.form = {.model = "m"}, .speed = 2}))->Describe(),
            "trace, 4 requests, 2 times as fast");
}

}  // namespace
}  // namespace gw::bench
