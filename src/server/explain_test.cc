#include "server/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gw {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

RequestRecord Answered() {
  RequestRecord record;
  record.request_id = "r1";
  record.client = "127.0.0.1";
  record.method = "POST";
  record.path = "/v1/chat/completions";
  record.host = "llm.example";
  record.route = "default/route";
  record.pool = "default/qwen";
  record.requested_model = record.target_model = "m";
  record.outcome = "complete";
  record.status = 200;
  record.endpoint_name = "qwen-1";
  record.endpoint = "127.0.0.12:8000";
  record.candidates = 3;
  record.score = 3.5;
  record.scores = {{"queue-depth", 1.5f}, {"in-flight", 2.0f}};
  record.loser_count = 1;
  record.losers[0] = {"qwen-0", "127.0.0.11:8000", 2.25f, {0.25f, 2.0f}, 7};
  record.try_count = 2;
  record.all_tries[0] = {"qwen-2", "127.0.0.13:8000", "", 4.0f, 1, "connect_refused", 0.5, 0.25};
  record.all_tries[1] = {"qwen-1", "127.0.0.12:8000", "", 3.5f, 2, "", 0.75, 20};
  record.body_ms = 0.1;
  record.queue_ms = 0.75;
  record.response_ms = 10;
  record.ttft_ms = 12.5;
  record.total_ms = 20.75;
  record.prompt_tokens = 7;
  record.completion_tokens = 3;
  return record;
}

TEST(ExplainText, TellsWhoAsked) {
  RequestRecord record = Answered();
  EXPECT_THAT(ExplainText(record), Not(HasSubstr("API key")));
  EXPECT_THAT(ExplainText(record), Not(HasSubstr("certificate")));
  record.owner = "alice\x1b[2J";
  record.client_subject = "CN=build,O=Example";
  EXPECT_THAT(ExplainText(record), HasSubstr("  API key of alice"));
  EXPECT_THAT(ExplainText(record), Not(HasSubstr("\x1b")));
  EXPECT_THAT(ExplainText(record), HasSubstr("  client certificate of CN=build,O=Example\n"));
}

TEST(ExplainText, TellsThatTheClientsValueHasChosenThePool) {
  RequestRecord record = Answered();
  EXPECT_THAT(ExplainText(record), Not(HasSubstr("stickiness")));
  record.sticky = true;
  EXPECT_THAT(ExplainText(record), HasSubstr("  pool chosen by stickiness\n"));
}

TEST(ExplainText, TellsForWhatPriorityItWasEnded) {
  RequestRecord record = Answered();
  record.queue_result = "evicted";
  record.priority = -1;
  record.queue_wait_ms = 3;
  EXPECT_THAT(ExplainDocument(record).ToCompactJson(), HasSubstr(R"("evicted_for":null)"));
  record.evicted_for = 1;
  EXPECT_THAT(
      ExplainText(record),
      HasSubstr("  queue: evicted for priority 1, priority -1, 3.00 ms behind 0 of higher"));
  EXPECT_THAT(ExplainDocument(record).ToCompactJson(), HasSubstr(R"("evicted_for":1)"));
}

TEST(ExplainText, TellsWhereARequestWentAndWhy) {
  EXPECT_EQ(
      ExplainText(Answered()),
      "request r1: status 200, complete\n"
      "  POST /v1/chat/completions host llm.example from 127.0.0.1 -> route default/route -> "
      "pool default/qwen\n"
      "  model m\n"
      "  try 1 at 0.50 ms: qwen-2 (127.0.0.13:8000), 1 in flight there, took 0.25 ms, "
      "failed: connect_refused\n"
      "  try 2 at 0.75 ms: qwen-1 (127.0.0.12:8000), 2 in flight there, took 20.00 "
      "ms\n"
      "  chosen from 3 candidates: qwen-1 (127.0.0.12:8000), score 3.500: queue-depth 1.500 "
      "in-flight 2.000\n"
      "    before qwen-0 (127.0.0.11:8000), 7 in flight there, score 2.250: "
      "queue-depth 0.250 in-flight 2.000\n"
      "  times: body 0.10 ms, dispatched 0.75 ms, response 10.00 ms, first byte 12.50 ms, end "
      "20.75 ms, from the request's first byte on\n"
      "  tokens: prompt 7, completion 3\n");
}

TEST(ExplainText, TellsWhichPeersTheDecisionWentBy) {
  RequestRecord record = Answered();
  EXPECT_THAT(ExplainText(record), Not(HasSubstr("peers")));
  EXPECT_THAT(ExplainDocument(record).ToCompactJson(),
              HasSubstr(R"("peers_heard":null,"peers_oldest_ms":null)"));
  record.peers_heard = 0;
  EXPECT_THAT(ExplainText(record), HasSubstr("  peers: none heard\n"));
  record.peers_heard = 2;
  record.peers_oldest_ms = 12.25;
  EXPECT_THAT(ExplainText(record), HasSubstr("  peers: 2 heard, the oldest word 12 ms old\n"));
  EXPECT_THAT(ExplainDocument(record).ToCompactJson(),
              HasSubstr(R"("peers_heard":2,"peers_oldest_ms":12.25)"));
}

TEST(ExplainText, WhatARequestDidNotComeToIsNotTold) {
  RequestRecord record;
  record.request_id = "r2";
  record.outcome = "rejected";
  record.reason = "body_too_large";
  record.limit = "request_body_bytes";
  record.method = "POST";
  record.path = "/v1/x";
  record.client = "127.0.0.1";
  record.status = 413;
  record.total_ms = 0.25;
  const std::string text = ExplainText(record);
  EXPECT_THAT(text, HasSubstr("status 413, rejected (body_too_large), limit request_body_bytes "
                              "reached\n"));
  EXPECT_THAT(text, HasSubstr("host none from 127.0.0.1 -> route none -> pool none\n"));
  EXPECT_THAT(text, HasSubstr("  times: end 0.25 ms, from the request's first byte on\n"));
  for (const char* absent : {"try", "chosen", "first byte ", "tokens", "0.00", "-1"}) {
    EXPECT_THAT(text, Not(HasSubstr(std::string("  ") + absent))) << absent;
  }
}

TEST(ExplainDocument, HasAllFieldsAndNullForWhatTheRequestDidNotComeTo) {
  const std::string json = ExplainDocument(Answered()).ToCompactJson();
  EXPECT_THAT(json, HasSubstr(R"("score":3.5,"scores":{"queue-depth":1.5,"in-flight":2},)"));
  EXPECT_THAT(json, HasSubstr(R"("losers":[{"pod":"qwen-0","endpoint":"127.0.0.11:8000",)"
                              R"("score":2.25,"scores":{"queue-depth":0.25,"in-flight":2},)"
                              R"("own_in_flight":7}])"));
  EXPECT_THAT(json, HasSubstr(R"({"pod":"qwen-2","endpoint":"127.0.0.13:8000","score":4,)"
                              R"("own_in_flight":1,"reason":"connect_refused","began_ms":0.5,)"
                              R"("took_ms":0.25})"));
  EXPECT_THAT(json, HasSubstr(R"("ttft_ms":12.5,"total_ms":20.75,"prompt_tokens":7,)"));
  EXPECT_THAT(json, Not(HasSubstr("prefill")));
  RequestRecord refused;
  refused.disaggregation = "prefill-decode";
  const std::string nothing = ExplainDocument(refused).ToCompactJson();
  EXPECT_THAT(nothing, HasSubstr(R"("ttft_ms":null)"));
  EXPECT_THAT(nothing, HasSubstr(R"("completion_tokens":null)"));
  EXPECT_THAT(nothing, HasSubstr(R"("scores":{})"));
  EXPECT_THAT(nothing, HasSubstr(R"("prefill_ms":null)"));
}

}  // namespace
}  // namespace gw
