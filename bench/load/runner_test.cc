// The runner against simulated model servers, over loopback.

#include "bench/load/runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <map>

#include "base/check.h"
#include "sim/server/sim_server.h"

namespace gw::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::Each;
using ::testing::StartsWith;

// Asks at given times, and keeps the answers.
class Listed final : public LoadWorkload {
 public:
  void Add(Duration due, ApiKind api = ApiKind::kChatCompletions, uint32_t tokens = 5) {
    const std::string prompt = api == ApiKind::kCompletions
                                   ? R"("prompt":"Once upon a time")"
                                   : R"("messages":[{"role":"user","content":"Tell me"}])";
    Ask ask{.id = asks_.size() + 1, .due = due, .api = api, .output_tokens = tokens};
    ask.body = R"({"model":"m","stream":true,"stream_options":{"include_usage":true},)"
               R"("ignore_eos":true,"max_tokens":)" +
               std::to_string(tokens) + "," + prompt + "}";
    ask.wants_text = true;
    asks_.push_back(std::move(ask));
  }
  std::deque<Ask>& asks() { return asks_; }
  std::map<uint64_t, Answer> answers;

  std::optional<Duration> due() const override {
    return asks_.empty() ? std::nullopt : std::optional(asks_.front().due);
  }
  Ask Take() override {
    Ask ask = std::move(asks_.front());
    asks_.pop_front();
    return ask;
  }
  void OnAnswer(const Ask& ask, const Answer& answer, Duration now) override {
    EXPECT_LE(answer.ended, now);
    EXPECT_TRUE(answers.emplace(ask.id, answer).second) << "answered twice";
  }
  bool done() const override { return asks_.empty(); }
  std::string Describe() const override { return "a list"; }

 private:
  std::deque<Ask> asks_;
};

class LoadRunnerTest : public testing::Test {
 protected:
  void Serve(const char* fault = nullptr, const char* preset = "instant") {
    sim::SimOptions options;
    options.models = {"m"};
    options.spec = *sim::FindServerSpec(preset);
    options.listen = "127.0.0.1:0";
    if (fault != nullptr) options.faults.push_back(*sim::ParseFaultOrder(fault));
    auto server = sim::SimServer::Start(options);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    target_.address = target_.authority = server_->addresses()[0].ToString();
  }
  void Run() {
    LoadRunner runner(*loop_, target_, options_, workload_, run_);
    runner.Run([this](const LiveFigures& live) {
      lives_.push_back(live);
      return lives_.size() < ticks_max_;
    });
  }
  const Answer& Only() {
    CHECK(workload_.answers.size() == 1);
    return workload_.answers.begin()->second;
  }

  std::unique_ptr<EventLoop> loop_ = *EventLoop::New();
  std::unique_ptr<sim::SimServer> server_;
  LoadTarget target_;
  RunnerOptions options_{.patience = seconds(20), .tick = milliseconds(50)};
  Listed workload_;
  RunRecords run_;
  std::vector<LiveFigures> lives_;
  size_t ticks_max_ = 1000;
};

TEST_F(LoadRunnerTest, AnAnswerIsMeasured) {
  Serve(nullptr, "llama-8b-pro6000");
  workload_.Add(milliseconds(20), ApiKind::kChatCompletions, 7);
  Run();
  const Answer& answer = Only();
  EXPECT_EQ(answer.end, AnswerEnd::kComplete);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.events, 7u);
  EXPECT_EQ(answer.output_tokens, 7);
  EXPECT_GT(answer.prompt_tokens, 0);
  EXPECT_FALSE(answer.text.empty());
  EXPECT_LE(milliseconds(20), answer.sent) << "before it was due";
  EXPECT_LT(answer.sent, answer.first);
  EXPECT_LT(answer.first, answer.last);
  EXPECT_LE(answer.last, answer.ended);
  EXPECT_GE(answer.gap_max, (answer.last - answer.first) / 6);
  ASSERT_EQ(run_.records.size(), 1u);
  EXPECT_EQ(run_.records[0].first, answer.first);
  EXPECT_EQ(run_.gaps.count(), 6u);
  EXPECT_EQ(run_.lateness.count(), 1u);
  EXPECT_GE(run_.length, answer.ended);
}

TEST_F(LoadRunnerTest, EachApiIsAskedAtItsPath) {
  Serve();
  workload_.Add({}, ApiKind::kChatCompletions);
  workload_.Add({}, ApiKind::kCompletions);
  Run();
  for (const auto& [id, answer] : workload_.answers) {
    EXPECT_EQ(answer.end, AnswerEnd::kComplete) << answer.error;
    EXPECT_EQ(answer.events, 5u);
    EXPECT_FALSE(answer.text.empty());
  }
}

TEST_F(LoadRunnerTest, ManyAreEachAnsweredOnce) {
  Serve();
  for (int i = 0; i < 2000; ++i) workload_.Add(milliseconds(i / 20));
  Run();
  EXPECT_EQ(workload_.answers.size(), 2000u);
  for (const auto& [id, answer] : workload_.answers) {
    EXPECT_EQ(answer.end, AnswerEnd::kComplete) << answer.error;
  }
  EXPECT_EQ(run_.records.size(), 2000u);
  EXPECT_EQ(run_.gaps.count(), 2000u * 4);
}

TEST_F(LoadRunnerTest, WhatIsRefusedOrBreaksOffIsToldByKind) {
  const struct {
    const char* fault;
    AnswerEnd end;
    const char* error;
    int status;
  } kCases[] = {{"error=503", AnswerEnd::kStatus, "503", 503},
                {"break-after=3", AnswerEnd::kBroken, "closed", 200},
                {"error-event-after=2", AnswerEnd::kErrorEvent, "error event", 200},
                {"refuse", AnswerEnd::kConnect, "connect_refused", 0}};
  for (const auto& each : kCases) {
    SCOPED_TRACE(each.fault);
    Serve(each.fault);
    workload_.answers.clear();
    workload_.Add({});
    // Somewhere that nobody listens, as the fault's replica has no port yet.
    if (each.end == AnswerEnd::kConnect) target_.address = "127.0.0.1:1";
    Run();
    EXPECT_EQ(Only().end, each.end);
    EXPECT_THAT(Only().error, StartsWith(each.error));
    EXPECT_EQ(Only().status, each.status);
  }
  EXPECT_EQ(run_.records.size(), std::size(kCases));
}

TEST_F(LoadRunnerTest, AnAnswerThatIsNoStreamIsOneIfItCountsTokens) {
  Serve();
  workload_.Add({});
  workload_.asks().front().body =
      R"({"model":"m","max_tokens":3,"ignore_eos":true,)"
      R"("messages":[{"role":"user","content":"a"}]})";
  Run();
  EXPECT_EQ(Only().end, AnswerEnd::kComplete) << Only().error;
  EXPECT_EQ(Only().output_tokens, 3);
  EXPECT_EQ(Only().first, Only().last);
}

// An open loop asks on, whatever becomes of what it has asked.
TEST_F(LoadRunnerTest, AServerThatHangsIsAskedAllTheSame) {
  Serve("hang");
  for (int i = 0; i < 50; ++i) workload_.Add(milliseconds(i));
  options_.length = milliseconds(200);
  options_.patience = milliseconds(100);
  Run();
  EXPECT_EQ(workload_.answers.size(), 50u);
  for (const auto& [id, answer] : workload_.answers) {
    EXPECT_EQ(answer.end, AnswerEnd::kUnfinished);
  }
  EXPECT_EQ(lives_.back().in_flight, 50u);
}

TEST_F(LoadRunnerTest, NothingIsAskedAfterItsTime) {
  Serve();
  for (int i = 0; i < 10; ++i) workload_.Add(milliseconds(i < 5 ? i : 10'000 + i));
  options_.length = milliseconds(100);
  Run();
  EXPECT_EQ(workload_.answers.size(), 5u);
  EXPECT_EQ(workload_.asks().size(), 5u);
}

TEST_F(LoadRunnerTest, WhoeverWatchesMayEndIt) {
  Serve("hang");
  workload_.Add({});
  workload_.Add(seconds(1000));
  ticks_max_ = 2;
  Run();
  EXPECT_EQ(lives_.size(), 2u);
  EXPECT_EQ(Only().end, AnswerEnd::kUnfinished);
}

TEST_F(LoadRunnerTest, WarmUpIsAskedAndLeftOut) {
  Serve();
  workload_.Add({});
  workload_.Add(milliseconds(1));
  workload_.asks().front().counts = false;
  Run();
  EXPECT_EQ(workload_.answers.size(), 2u);
  EXPECT_EQ(run_.records.size(), 1u);
  EXPECT_EQ(run_.warm_up, 1u);
  EXPECT_EQ(run_.gaps.count(), 4u);
}

TEST_F(LoadRunnerTest, WhatHasNoPlaceWaitsAndItsLatencyCounts) {
  Serve(nullptr, "llama-8b-pro6000");
  options_.in_flight_max = 2;
  for (int i = 0; i < 8; ++i) workload_.Add({}, ApiKind::kChatCompletions, 5);
  Run();
  ASSERT_EQ(run_.records.size(), 8u);
  size_t held = 0;
  for (const Record& record : run_.records) {
    EXPECT_TRUE(record.ok());
    size_t others = 0;
    for (const Record& other : run_.records) {
      others += other.sent <= record.sent && record.sent < other.ended ? 1 : 0;
    }
    EXPECT_LE(others, 2u) << "in flight when it was sent, itself counted";
    EXPECT_LE(record.held, record.sent - record.due);
    EXPECT_GE(record.ttft(), record.held);
    held += record.held > Duration(0) ? 1 : 0;
  }
  EXPECT_EQ(held, 6u);
  EXPECT_EQ(run_.lateness.count(), 8u);
  for (const LiveFigures& live : lives_) EXPECT_LE(live.in_flight, 2u);
}

TEST_F(LoadRunnerTest, WhatStillWaitsForAPlaceInTheEndIsUnfinished) {
  Serve("hang");
  options_.in_flight_max = 2;
  options_.length = milliseconds(200);
  options_.patience = milliseconds(100);
  for (int i = 0; i < 5; ++i) workload_.Add({});
  workload_.Add(seconds(1));  // too late
  Run();
  ASSERT_EQ(run_.records.size(), 5u);
  EXPECT_EQ(run_.errors, (std::map<std::string, uint64_t>{{"no place", 3}, {"unfinished", 2}}));
}

}  // namespace
}  // namespace gw::bench
