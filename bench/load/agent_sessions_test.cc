#include "bench/load/agent_sessions.h"

#include <gtest/gtest.h>

#include <set>
#include <sstream>

#include "bench/load/body_texts.h"
#include "bench/load/virtual_answers.h"

namespace gw::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Blocks of 4 tokens, 16 characters. The first two are tools and system prompt.
constexpr const char* kSessions =
    R"({"id":"a","bs":4,"tool":5,"sys":4,"req":[)"
    R"({"i":13,"o":2,"k":0,"r":[[1,3]],"w":0.0},{"i":20,"o":3,"k":3,"r":[[4,1],[9,1]],"w":10.5},)"
    R"({"sub":[{"i":8,"o":1,"k":0,"r":[[50,2]],"w":null},{"i":12,"o":1,"k":2,"r":[[52,1]],"w":1}],)"
    R"("duration_ms":4000,"type":"subagent"},)"
    R"({"i":16,"o":0,"k":4,"r":[],"w":7.0},{"i":16,"o":1,"k":2,"r":[[20,2]],"w":500.0}]})"
    "\n\n"
    R"({"id":"b","bs":4,"tool":4,"sys":4,"req":[{"i":13,"o":2,"k":0,"r":[[1,3]]}]})"
    "\n";

std::vector<AgentSession> Read(const std::string& text) {
  std::istringstream in(text);
  absl::StatusOr<std::vector<AgentSession>> sessions = ReadAgentSessions(in);
  EXPECT_TRUE(sessions.ok()) << sessions.status();
  return *std::move(sessions);
}

std::string ErrorOf(const std::string& text) {
  std::istringstream in(text);
  return std::string(ReadAgentSessions(in).status().message());
}

// Of a session whose only request, or list of them, is this.
std::string ErrorOfRequests(const std::string& requests) {
  return ErrorOf(R"({"id":"a","bs":64,"tool":0,"sys":0,"req":[)" + requests + "]}");
}

std::vector<Asked> RunOf(const std::string& text, AgentSessionsOptions options) {
  options.form.model = "m";
  absl::StatusOr<std::unique_ptr<LoadWorkload>> workload = NewAgentSessions(Read(text), options);
  EXPECT_TRUE(workload.ok()) << workload.status();
  return AnswerAll(**workload, AnswersAfter(seconds(2)));
}

std::vector<Asked> Of(const std::string& session, const std::vector<Asked>& asked) {
  std::vector<Asked> its;
  for (const Asked& one : asked) {
    if (one.ask.session == session) its.push_back(one);
  }
  return its;
}

std::string TextOf(const Asked& asked) { return TextsOf(asked.ask.body)[0].text; }

// Short sessions of two requests, which are named by their numbers.
std::string ManySessions(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    text += R"({"id":")" + std::to_string(i) +
            R"(","bs":64,"tool":64,"sys":0,"req":[{"i":128,"o":1,"k":0,"r":[[1,2]],"w":0},)" +
            R"({"i":192,"o":1,"k":2,"r":[[3,1]],"w":3}]})" + "\n";
  }
  return text;
}

TEST(AgentSessions, TheNextRequestComesWhenTheAnswerIsThereAndTheThinkTimeIsOver) {
  const std::vector<Asked> a = Of("a", RunOf(kSessions, {.users = 2}));
  ASSERT_EQ(a.size(), 6u);
  std::vector<Duration> due;
  for (const Asked& one : a) due.push_back(one.ask.due);
  EXPECT_EQ(due, (std::vector<Duration>{seconds(0), milliseconds(2000 + 10'500),
                                        milliseconds(14'500), milliseconds(14'500 + 2000 + 1000),
                                        // Of 7 s the sub-agent's 4 are off.
                                        milliseconds(19'500 + 3000),
                                        // 500 s are capped.
                                        milliseconds(24'500 + 120'000)}));
  for (uint32_t i = 0; i < a.size(); ++i) EXPECT_EQ(a[i].ask.turn, i);
}

TEST(AgentSessions, SpeedDividesThinkTimesAfterTheirCap) {
  const std::vector<Asked> a = Of("a", RunOf(kSessions, {.users = 2, .speed = 2}));
  EXPECT_EQ(a[1].ask.due, milliseconds(2000 + 5250));
  EXPECT_EQ(a[5].ask.due - a[4].ended, seconds(60));
}

TEST(AgentSessions, EqualBlocksAreEqualText) {
  const std::vector<Asked> a = Of("a", RunOf(kSessions, {.users = 2}));
  std::vector<std::string> texts;
  for (const Asked& one : a) {
    texts.push_back(TextOf(one));
    EXPECT_EQ(texts.back().size(), one.ask.prompt_tokens * 4);
    EXPECT_EQ(OutputTokensOf(one.ask.body), one.ask.output_tokens);
  }
  EXPECT_EQ(texts[1].substr(0, 48), texts[0].substr(0, 48)) << "three blocks are kept";
  EXPECT_NE(texts[1].substr(48, 4), texts[0].substr(48, 4)) << "what is behind them is its own";
  EXPECT_NE(texts[2].substr(0, 16), texts[1].substr(0, 16)) << "a sub-agent has its own prompt";
  EXPECT_EQ(texts[3].substr(0, 32), texts[2]);
  EXPECT_EQ(texts[4], texts[1].substr(0, 64)) << "the session goes on where it was before";
  EXPECT_EQ(texts[5].substr(0, 32), texts[1].substr(0, 32));
  EXPECT_NE(texts[5].substr(32, 16), texts[1].substr(32, 16)) << "a context that was cut";
  EXPECT_EQ(a[4].ask.output_tokens, 1u) << "no token cannot be asked for";
}

TEST(AgentSessions, OnlyHeadsAreSharedOverSessions) {
  const std::vector<Asked> asked = RunOf(kSessions, {.users = 2});
  const std::string a = TextOf(Of("a", asked)[0]);
  const std::string b = TextOf(Of("b", asked)[0]);
  EXPECT_EQ(a.substr(0, 32), b.substr(0, 32));
  EXPECT_NE(a.substr(32, 16), b.substr(32, 16));
}

TEST(AgentSessions, UsersPlayEachSessionOnceAndOneAfterTheOther) {
  const std::vector<Asked> asked = RunOf(ManySessions(30), {.users = 3});
  ASSERT_EQ(asked.size(), 60u);
  std::set<std::string> begun;
  for (const Asked& one : asked) {
    int others = 0;
    for (const Asked& other : asked) {
      others += one.ask.session != other.ask.session && other.ask.due <= one.ask.due &&
                one.ask.due < other.ended;
    }
    EXPECT_LE(others, 2);
    const bool is_new = begun.insert(one.ask.session).second;
    EXPECT_EQ(is_new, one.ask.turn == 0);
  }
  EXPECT_EQ(begun.size(), 30u);
  // Ten sessions of each user, of two answers and a think time, with nothing between them.
  EXPECT_EQ(asked.back().ended, seconds(70));
}

TEST(AgentSessions, TheOrderIsTheSeeds) {
  const auto order = [](uint64_t seed) {
    std::string ids;
    for (const Asked& one : RunOf(ManySessions(20), {.users = 1, .seed = seed})) {
      if (one.ask.turn == 0) ids += one.ask.session + " ";
    }
    return ids;
  };
  EXPECT_EQ(order(1), order(1));
  EXPECT_NE(order(1), order(2));
}

TEST(AgentSessions, AnotherSeedIsOtherText) {
  const std::vector<Asked> one = RunOf(kSessions, {.users = 2});
  const std::vector<Asked> again = RunOf(kSessions, {.users = 2});
  const std::vector<Asked> other = RunOf(kSessions, {.users = 2, .seed = 2});
  EXPECT_EQ(Of("a", one)[1].ask.body, Of("a", again)[1].ask.body);
  EXPECT_NE(TextOf(Of("a", one)[0]).substr(0, 16), TextOf(Of("a", other)[0]).substr(0, 16));
}

TEST(AgentSessions, FailedRequestsDoNotEndASession) {
  absl::StatusOr<std::unique_ptr<LoadWorkload>> workload =
      NewAgentSessions(Read(kSessions), {.form = {.model = "m"}, .users = 1});
  ASSERT_TRUE(workload.ok());
  const std::vector<Asked> asked = AnswerAll(**workload, [](const Ask&) {
    return VirtualAnswer{.after = seconds(1), .answer = {.end = AnswerEnd::kStatus}};
  });
  EXPECT_EQ(asked.size(), 7u);
}

TEST(AgentSessions, ACountEndsIt) {
  EXPECT_EQ(RunOf(ManySessions(30), {.users = 3, .count = 11}).size(), 11u);
  EXPECT_EQ(RunOf(ManySessions(3), {.users = 300, .count = 11}).size(), 6u);
}

TEST(AgentSessions, ErrorsNameTheLine) {
  EXPECT_EQ(ErrorOf(""), "trace: wanted at least one request");
  EXPECT_EQ(ErrorOf(std::string(kSessions) + "{"), "trace, line 4: wanted a JSON object");
  EXPECT_EQ(ErrorOf("7"), "trace, line 1: wanted a JSON object");
  EXPECT_EQ(ErrorOf(R"({"bs":64,"tool":0,"sys":0,"req":[]})"), "trace, line 1: id: wanted a text");
  EXPECT_EQ(ErrorOf(R"({"id":"a","bs":0,"tool":0,"sys":0,"req":[]})"),
            "trace, line 1: bs: wanted a number from 1 to 10000000");
  EXPECT_EQ(ErrorOf(R"({"id":"a","bs":64,"tool":-1,"sys":0,"req":[]})"),
            "trace, line 1: tool: wanted a number from 0 to 10000000");
  EXPECT_EQ(ErrorOf(R"({"id":"a","bs":64,"tool":0,"req":[]})"),
            "trace, line 1: sys: wanted a number from 0 to 10000000");
  EXPECT_EQ(ErrorOf(R"({"id":"a","bs":64,"tool":0,"sys":0})"), "trace, line 1: req: wanted a list");
  EXPECT_EQ(ErrorOfRequests(""), "trace, line 1: req: wanted at least one request");
}

TEST(AgentSessions, ErrorsNameTheRequest) {
  const std::string good = R"({"i":64,"o":1,"k":0,"r":[[1,1]],"w":0})";
  const std::string at = "trace, line 1: req 2: ";
  const auto error = [&](const std::string& second) {
    return ErrorOfRequests(good + "," + second);
  };
  EXPECT_EQ(error("7"), at + "wanted a JSON object");
  EXPECT_EQ(error(R"({"o":1,"k":0,"r":[],"w":0})"), at + "i: wanted a number from 0 to 10000000");
  EXPECT_EQ(error(R"({"i":1,"o":-1,"k":0,"r":[],"w":0})"),
            at + "o: wanted a number from 0 to 10000000");
  EXPECT_EQ(error(R"({"i":1,"o":1,"k":0,"r":[],"w":-1})"),
            at + "w: wanted a number from 0 on, or null");
  EXPECT_EQ(error(R"({"i":1,"o":1,"k":2,"r":[],"w":0})"),
            at + "k: wanted at most the 1 blocks of the request before");
  for (const char* runs :
       {"7", "[7]", "[[1]]", "[[1,2,3]]", "[[-1,2]]", "[[1,-2]]", "[[18446744073709551615,2]]"}) {
    EXPECT_EQ(error(R"({"i":1,"o":1,"k":0,"w":0,"r":)" + std::string(runs) + "}"),
              at + "r: wanted runs of blocks, [[first id, how many], ...]");
  }
  EXPECT_EQ(error(R"({"i":1,"o":1,"k":1,"w":0,"r":[[1,10000000]]})"),
            at + "r: wanted at most 10000000 blocks");
  EXPECT_EQ(error(R"({"sub":7})"), at + "sub: wanted a list in a session's own");
  EXPECT_EQ(error(R"({"sub":[{"sub":[]}]})"), at + "sub 1: sub: wanted a list in a session's own");
  EXPECT_EQ(error(R"({"sub":[{"i":1,"o":1,"k":1,"r":[],"w":0}]})"),
            at + "sub 1: k: wanted at most the 0 blocks of the request before");
}

TEST(AgentSessions, OptionsNameWhatIsWrongWithThem) {
  const auto error = [](AgentSessionsOptions options) {
    options.form.model = "m";
    return std::string(NewAgentSessions(Read(kSessions), options).status().message());
  };
  EXPECT_EQ(error({.users = 0}), "--users: wanted 1 to 1000000");
  EXPECT_EQ(error({.speed = 0}), "--speed: wanted a number above 0");
  EXPECT_EQ(error({.speed = 1e-9}), "--speed: so low that the trace would take decades");
  EXPECT_EQ(error({.count = 0}), "--requests: wanted a number above 0");
}

TEST(AgentSessions, ItSaysWhatItIs) {
  const auto workload =
      *NewAgentSessions(Read(kSessions), {.form = {.model = "m"}, .users = 2, .speed = 3});
  EXPECT_EQ(workload->Describe(), "trace of agents, 2 sessions, 2 users, 3 times as fast");
  EXPECT_EQ(workload->count(), 7u);
}

TEST(AgentSessions, MayBeCutDown) {
  std::vector<AgentSession> sessions = Read(kSessions);
  const size_t requests = sessions[0].requests.size();
  LimitAgentSessions({.output_tokens_max = 2}, &sessions);
  ASSERT_EQ(sessions[0].requests.size(), requests);
  for (const AgentRequest& request : sessions[0].requests) EXPECT_LE(request.output_tokens, 2u);
  LimitAgentSessions({.requests_max = 3}, &sessions);
  EXPECT_EQ(sessions[0].requests.size(), 3u);
  EXPECT_EQ(sessions[1].requests.size(), 1u);
  LimitAgentSessions({.prompt_tokens_max = 13}, &sessions);
  EXPECT_EQ(sessions[0].requests.size(), 1u) << "it ends before its first longer prompt";
  LimitAgentSessions({.prompt_tokens_max = 12}, &sessions);
  EXPECT_TRUE(sessions.empty());
}

}  // namespace
}  // namespace gw::bench
