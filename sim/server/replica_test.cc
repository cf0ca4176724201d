// A replica over loopback, in time that the test moves.

#include "sim/server/replica.h"

#include <gtest/gtest.h>

#include <string>

#include "sim/server/replica_test_fixture.h"

namespace gw::sim {
namespace {

std::string Chat(std::string_view content, std::string_view more = {}) {
  return Concat(
      {R"({"model":"m","messages":[{"role":"user","content":")", content, "\"}]", more, "}"});
}

TEST_F(ReplicaTest, AnswersAChatCompletion) {
  Start();
  TestClient client = NewClient();
  client.Send("POST", "/v1/chat/completions", Chat("hello", R"(,"max_tokens":5)"),
              "x-request-id: req-1\r\n");
  Finish(client);
  EXPECT_EQ(client.status, 200);
  EXPECT_EQ(client.Header("server"), "uvicorn");
  EXPECT_EQ(client.Header("content-type"), "application/json");
  EXPECT_EQ(client.Header("x-request-id"), "req-1");
  EXPECT_EQ(client.Header("x-sim-replica"), replica_->address().ToString());
  EXPECT_EQ(client.Header("x-sim-name"), "sim-0");
  EXPECT_EQ(JsonAt(client.body, "/id"), "chatcmpl-req-1");
  EXPECT_EQ(JsonAt(client.body, "/choices/0/finish_reason"), "length");
  EXPECT_EQ(JsonAt(client.body, "/choices/0/message/content").size(), 20u);
  EXPECT_EQ(JsonAt(client.body, "/usage/completion_tokens"), "5");
  EXPECT_EQ(State("/ended/length"), "1");
  EXPECT_EQ(State("/in_flight"), "0");
  EXPECT_EQ(State("/kv_cache_used_blocks"), "0");
}

TEST_F(ReplicaTest, TheSamePromptGetsTheSameAnswerOnAnyConnection) {
  Start();
  std::string texts[2];
  for (std::string& text : texts) {
    TestClient client = NewClient();
    client.Send("POST", "/v1/chat/completions", Chat("hello"));
    Finish(client);
    EXPECT_EQ(JsonAt(client.body, "/choices/0/finish_reason"), "stop");
    text = JsonAt(client.body, "/choices/0/message/content");
  }
  EXPECT_EQ(texts[0], texts[1]);
}

TEST_F(ReplicaTest, EveryDialectIsAnswered) {
  Start();
  const struct {
    const char* path;
    const char* body;
    const char* text;
  } cases[] = {
      {"/v1/completions", R"({"prompt":"p","max_tokens":2})", "/choices/0/text"},
      {"/v1/embeddings", R"({"input":"p"})", "/data/0/embedding/0"},
      {"/v1/responses", R"({"input":"p","max_output_tokens":2})", "/output/0/content/0/text"},
      {"/v1/messages", R"({"messages":[{"role":"user","content":"p"}],"max_tokens":2})",
       "/content/0/text"},
  };
  TestClient client = NewClient();
  for (const auto& c : cases) {
    client.Send("POST", c.path, c.body);
    Finish(client);
    EXPECT_EQ(client.status, 200) << c.path;
    EXPECT_NE(JsonAt(client.body, c.text), "") << client.body;
    EXPECT_EQ(JsonAt(client.body, "/model"), "m") << client.body;
    client.NextAnswer();
  }
}

TEST_F(ReplicaTest, AStreamHasOneEventPerTokenAndTheUsage) {
  Start();
  TestClient client = NewClient();
  client.Send("POST", "/v1/chat/completions",
              Chat("hello", R"(,"max_tokens":3,"stream":true,)"
                            R"("stream_options":{"include_usage":true})"));
  client.WaitForHead();
  EXPECT_EQ(client.Header("content-type"), "text/event-stream; charset=utf-8");
  EXPECT_EQ(client.Header("transfer-encoding"), "chunked");
  EXPECT_TRUE(client.events.empty());
  Finish(client);
  ASSERT_EQ(client.events.size(), 6u);
  EXPECT_EQ(JsonAt(client.events[0], "/choices/0/delta/role"), "assistant");
  EXPECT_EQ(JsonAt(client.events[1], "/choices/0/delta/content").size(), 4u);
  EXPECT_EQ(JsonAt(client.events[3], "/choices/0/finish_reason"), "length");
  EXPECT_EQ(JsonAt(client.events[4], "/usage/completion_tokens"), "3");
  EXPECT_EQ(client.events[5], "[DONE]");
}

TEST_F(ReplicaTest, TokensComeOneStepApart) {
  Start();
  TestClient client = NewClient();
  client.Send("POST", "/v1/completions", R"({"prompt":"p","max_tokens":4,"stream":true})");
  client.WaitForHead();
  // The first step begins in the round after the request was read.
  loop_->RunOnce({});
  for (size_t tokens = 1; tokens <= 3; ++tokens) {
    Pass(std::chrono::milliseconds(1));
    client.WaitForEvents(tokens);
    EXPECT_EQ(client.events.size(), tokens);
  }
}

TEST_F(ReplicaTest, ASpeedOfTenIsTenTimesFaster) {
  SimOptions options = TestOptions();
  options.speed = 10;
  Start(options);
  TestClient client = NewClient();
  client.Send("POST", "/v1/completions",
              R"({"prompt":"p","max_tokens":100,"ignore_eos":true,"stream":true})");
  client.WaitForHead();
  loop_->RunOnce({});
  Pass(std::chrono::milliseconds(9));
  client.WaitForEvents(90);
  EXPECT_EQ(client.events.size(), 90u);
  EXPECT_FALSE(client.message_done);
}

TEST_F(ReplicaTest, ALateTimerDoesNotSlowTheEngineDown) {
  Start();
  TestClient client = NewClient();
  client.Send("POST", "/v1/completions",
              R"({"prompt":"p","max_tokens":100,"ignore_eos":true,"stream":true})");
  client.WaitForHead();
  loop_->RunOnce({});
  clock_.Advance(std::chrono::milliseconds(7));
  client.WaitForEvents(7);
  EXPECT_EQ(client.events.size(), 7u);
}

TEST_F(ReplicaTest, ARepeatedPrefixIsSeenInCachedTokens) {
  Start();
  TestClient client = NewClient();
  const std::string shared(400, 'x');
  client.Send("POST", "/v1/chat/completions", Chat(shared + "one"));
  Finish(client);
  EXPECT_EQ(JsonAt(client.body, "/usage/prompt_tokens_details/cached_tokens"), "0");
  client.NextAnswer();
  client.Send("POST", "/v1/chat/completions", Chat(shared + "two"));
  Finish(client);
  // 5 tokens of the role and 100 of the text, in blocks of 4.
  EXPECT_EQ(JsonAt(client.body, "/usage/prompt_tokens_details/cached_tokens"), "104");
  EXPECT_EQ(State("/cached_prompt_tokens"), "104");
  const std::string page = NewClient().Get("/metrics");
  EXPECT_NE(page.find("vllm:prefix_cache_hits_total{engine=\"0\",model_name=\"m\"} 104.0\n"),
            std::string::npos);
}

TEST_F(ReplicaTest, TheNextTurnFindsTheAnswerInTheCache) {
  Start();
  TestClient client = NewClient();
  client.Send("POST", "/v1/chat/completions", Chat("one", R"(,"max_tokens":40,"ignore_eos":true)"));
  Finish(client);
  const std::string answer = JsonAt(client.body, "/choices/0/message/content");
  client.NextAnswer();
  client.Send("POST", "/v1/chat/completions",
              Chat(Concat({R"(one"},{"role":"assistant","content":")", answer,
                           R"("},{"role":"user","content":"two)"})));
  Finish(client);
  // 15 tokens of the first prompt and the 39 computed ones of the answer: 13 blocks.
  EXPECT_EQ(JsonAt(client.body, "/usage/prompt_tokens_details/cached_tokens"), "52");
}

TEST_F(ReplicaTest, SaltsAndAdaptersDoNotShareTheCache) {
  SimOptions options = TestOptions();
  options.loras = {"sql", "chat"};
  Start(options);
  TestClient client = NewClient();
  const std::string text(200, 'x');
  for (const char* more : {"", R"(,"cache_salt":"s")", R"(,"model":"sql")", R"(,"model":"chat")"}) {
    client.Send("POST", "/v1/chat/completions", Chat(text, more));
    Finish(client);
    EXPECT_EQ(client.status, 200);
    EXPECT_EQ(JsonAt(client.body, "/usage/prompt_tokens_details/cached_tokens"), "0") << more;
    client.NextAnswer();
  }
  client.Send("POST", "/v1/chat/completions", Chat(text, R"(,"model":"alias")"));
  Finish(client);
  // All but the last of the 16 blocks, since one token must be computed.
  EXPECT_EQ(JsonAt(client.body, "/usage/prompt_tokens_details/cached_tokens"), "60");
  EXPECT_EQ(JsonAt(client.body, "/model"), "alias");
}

TEST_F(ReplicaTest, AdaptersInUseAreOnTheMetricsPage) {
  SimOptions options = TestOptions();
  options.loras = {"sql", "chat"};
  Start(options);
  TestClient client = NewClient();
  TestClient scraper = NewClient();
  client.Send("POST", "/v1/chat/completions", Chat("x", R"(,"model":"sql","stream":true)"));
  client.WaitForHead();
  EXPECT_NE(scraper.Get("/metrics")
                .find(R"(max_lora="2",running_lora_adapters="",waiting_lora_adapters="sql")"),
            std::string::npos);
  Finish(client);
  EXPECT_NE(scraper.Get("/metrics")
                .find(R"(max_lora="2",running_lora_adapters="",waiting_lora_adapters="")"),
            std::string::npos);
}

TEST_F(ReplicaTest, TheHeadOfAQueuedStreamComesAtOnce) {
  Start();  // two run at once
  TestClient clients[] = {TestClient(*loop_, replica_->address()),
                          TestClient(*loop_, replica_->address()),
                          TestClient(*loop_, replica_->address())};
  for (TestClient& client : clients) {
    client.Send("POST", "/v1/chat/completions",
                Chat("x", R"(,"max_tokens":50,"ignore_eos":true,"stream":true)"));
    client.WaitForHead();
  }
  Pass(std::chrono::milliseconds(3));
  EXPECT_EQ(clients[2].status, 200);
  EXPECT_TRUE(clients[2].events.empty());
  EXPECT_FALSE(clients[0].events.empty());
  EXPECT_EQ(State("/running"), "2");
  EXPECT_EQ(State("/waiting"), "1");
  const std::string page = NewClient().Get("/metrics");
  EXPECT_NE(page.find("vllm:num_requests_waiting{engine=\"0\",model_name=\"m\"} 1.0\n"),
            std::string::npos);
  Finish(clients[2]);
  EXPECT_EQ(clients[2].events.size(), 52u);
}

TEST_F(ReplicaTest, AClientThatLeavesEndsItsRequest) {
  Start();
  for (const bool half : {false, true}) {
    for (const bool stream : {false, true}) {
      TestClient client = NewClient();
      client.Send("POST", "/v1/chat/completions", Chat("x", stream ? R"(,"stream":true)" : ""));
      WaitForState("/in_flight", "1");
      Pass(std::chrono::milliseconds(2));
      if (half) {
        client.stream().ShutdownWrite();
        client.WaitForClose();
        EXPECT_FALSE(client.message_done);
        EXPECT_TRUE(client.body.empty() || stream);
      } else {
        client.Close();
      }
      WaitForState("/in_flight", "0");
      Pass(std::chrono::milliseconds(2));  // blocks are given back when the step ends
      EXPECT_EQ(State("/kv_cache_used_blocks"), "0");
    }
  }
  EXPECT_EQ(State("/ended/client_left"), "4");
}

TEST_F(ReplicaTest, RefusesInTheShapesOfVllm) {
  Start();
  const struct {
    const char* method;
    const char* path;
    const char* body;
    int status;
    const char* answer;
  } cases[] = {
      {"GET", "/v1/nothing", "", 404, R"({"detail":"Not Found"})"},
      {"GET", "/v1/chat/completions", "", 405, R"({"detail":"Method Not Allowed"})"},
      {"POST", "/health", "", 405, R"({"detail":"Method Not Allowed"})"},
      {"POST", "/v1/chat/completions", R"({"model":"no","messages":[]})", 404,
       R"({"error":{"message":"The model `no` does not exist. Valid aliases: m, alias.",)"
       R"("type":"NotFoundError","param":"model","code":404}})"},
      {"POST", "/v1/messages", R"({"model":"no","messages":[]})", 404,
       R"({"type":"error","error":{"type":"NotFoundError","message":"The model `no` does not )"
       R"(exist. Valid aliases: m, alias."}})"},
  };
  TestClient client = NewClient();
  for (const auto& c : cases) {
    client.Send(c.method, c.path, c.body);
    client.WaitForEnd();
    EXPECT_EQ(client.status, c.status) << c.path;
    EXPECT_EQ(client.body, c.answer);
    client.NextAnswer();
  }
  for (const char* body : {"{", R"({"messages":[],"max_tokens":999999999})"}) {
    client.Send("POST", "/v1/chat/completions", body);
    client.WaitForEnd();
    EXPECT_EQ(client.status, 400) << body;
    EXPECT_EQ(JsonAt(client.body, "/error/code"), "400");
    client.NextAnswer();
  }
  client.Send("POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}");
  client.WaitForEnd();
  EXPECT_EQ(client.status, 400);
  EXPECT_NE(client.body.find("Unsupported Media Type"), std::string::npos);
  EXPECT_EQ(State("/ended/refused"), "5");
}

TEST_F(ReplicaTest, BytesThatAreNotHttpAreAnsweredAndTheConnectionClosed) {
  Start();
  TestClient client = NewClient();
  client.Send("GET  /health HTTP/9.9\r\n\r\n");
  client.WaitForClose();
  EXPECT_EQ(client.status, 400);
  EXPECT_EQ(client.body, "Invalid HTTP request received.");
  EXPECT_EQ(client.Header("connection"), "close");
}

TEST_F(ReplicaTest, SmallPathsAnswer) {
  Start();
  TestClient client = NewClient();
  EXPECT_EQ(client.Get("/health"), "");
  EXPECT_EQ(client.Get("/ping"), "");
  EXPECT_EQ(JsonAt(client.Get("/version"), "/version"), "0.32.0");
  const std::string models = client.Get("/v1/models");
  EXPECT_EQ(JsonAt(models, "/data/0/id"), "m");
  EXPECT_EQ(JsonAt(models, "/data/1/id"), "alias");
  EXPECT_EQ(JsonAt(models, "/data/0/owned_by"), "vllm");
}

TEST_F(ReplicaTest, PipelinedRequestsAreAnsweredInOrder) {
  Start();
  TestClient client = NewClient();
  const std::string body = Chat("x", R"(,"max_tokens":2)");
  client.Send(
      Concat({"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: "
              "application/json\r\ncontent-length: ",
              Digits(body.size()), "\r\n\r\n", body, "GET /version HTTP/1.1\r\nhost: x\r\n\r\n"}));
  Finish(client);
  EXPECT_EQ(JsonAt(client.body, "/object"), "chat.completion");
}

TEST_F(ReplicaTest, ChunkedBodiesExpectAndOldClientsAreServed) {
  Start();
  TestClient chunked = NewClient();
  chunked.Send(
      "POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
      "transfer-encoding: chunked\r\n\r\n9\r\n{\"prompt\"\r\n17\r\n:\"p\",\"max_tokens\":2   }\r\n"
      "0\r\n\r\n");
  Finish(chunked);
  EXPECT_EQ(chunked.status, 200);
  TestClient expecting = NewClient();
  expecting.Send(
      "POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
      "content-length: 14\r\nexpect: 100-continue\r\n\r\n");
  Pass(std::chrono::milliseconds(1));
  expecting.Send("{\"prompt\":\"p\"}");
  Finish(expecting);
  EXPECT_EQ(expecting.status, 200);
  TestClient old = NewClient();
  old.Send(
      "POST /v1/completions HTTP/1.0\r\ncontent-type: application/json\r\n"
      "content-length: 43\r\n\r\n{\"prompt\":\"p\",\"max_tokens\":2,\"stream\":true}");
  const TimePoint deadline = RealClock().Now() + std::chrono::seconds(20);
  while (!old.ended && RealClock().Now() < deadline) Pass(std::chrono::milliseconds(1));
  EXPECT_EQ(old.Header("transfer-encoding"), "");
  EXPECT_EQ(old.events.size(), 3u);
}

TEST_F(ReplicaTest, AnIdleConnectionIsClosedAfterFiveSeconds) {
  Start();
  TestClient fresh = NewClient();
  TestClient used = NewClient();
  used.Get("/health");
  Pass(std::chrono::milliseconds(4840));
  EXPECT_FALSE(used.ended);
  used.Get("/health");  // begins anew
  Pass(std::chrono::milliseconds(4840));
  EXPECT_FALSE(used.ended);
  Pass(std::chrono::milliseconds(20));
  used.WaitForClose();
  EXPECT_FALSE(used.reset);
  EXPECT_FALSE(fresh.ended);
}

TEST_F(ReplicaTest, KeepsTheLastBodyAsItCame) {
  Start();
  TestClient client = NewClient();
  const std::string body = Chat("x", R"( , "big": 123456789012345678901234567890)");
  client.Send("POST", "/v1/chat/completions", body);
  Finish(client);
  EXPECT_EQ(NewClient().Get("/sim/last-body"), body);
}

TEST_F(ReplicaTest, StoppingEndsStreamsWithAbort) {
  Start();
  TestClient stream = NewClient();
  TestClient whole = NewClient();
  TestClient idle = NewClient();
  stream.Send("POST", "/v1/chat/completions", Chat("x", R"(,"stream":true)"));
  whole.Send("POST", "/v1/chat/completions", Chat("y"));
  WaitForState("/in_flight", "2");
  Pass(std::chrono::milliseconds(3));
  bool stopped = false;
  replica_->Stop([&] { stopped = true; });
  stream.WaitForClose();
  ASSERT_GE(stream.events.size(), 2u);
  EXPECT_EQ(stream.events.back(), "[DONE]");
  EXPECT_EQ(JsonAt(stream.events[stream.events.size() - 2], "/choices/0/finish_reason"), "abort");
  EXPECT_TRUE(stream.message_done);
  whole.WaitForClose();
  EXPECT_EQ(JsonAt(whole.body, "/choices/0/finish_reason"), "abort");
  idle.WaitForClose();
  stream.Close();
  whole.Close();
  idle.Close();
  RunLoopUntil(*loop_, [&] { return stopped; });
  EXPECT_TRUE(NewClient().refused());
}

}  // namespace
}  // namespace gw::sim
