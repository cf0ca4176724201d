// The faults of a replica, as its clients see them.

#include <gtest/gtest.h>

#include <string>

#include "sim/server/replica_test_fixture.h"

namespace gw::sim {
namespace {

class ReplicaFaultTest : public ReplicaTest {
 protected:
  void Order(std::string_view fault, int status = 200) {
    TestClient client = NewClient();
    client.Send("POST", "/sim/fault", Concat({R"({"fault":")", fault, "\"}"}));
    client.WaitForEnd();
    EXPECT_EQ(client.status, status) << client.body;
  }
  void Restore() {
    TestClient client = NewClient();
    client.Send("POST", "/sim/restore");
    client.WaitForEnd();
    EXPECT_EQ(client.status, 200);
  }
  void SendChat(TestClient& client, bool stream) {
    client.Send("POST", "/v1/chat/completions",
                Concat({R"({"model":"m","messages":[{"role":"user","content":"x"}],)",
                        R"("max_tokens":6,"stream":)", stream ? "true" : "false", "}"}));
  }
  void ExpectServes() {
    TestClient client = NewClient();
    ASSERT_FALSE(client.refused());
    SendChat(client, false);
    Finish(client);
    EXPECT_EQ(client.status, 200);
    EXPECT_EQ(State("/in_flight"), "0");
  }
};

TEST_F(ReplicaFaultTest, AStreamIsResetAfterSomeTokens) {
  Start();
  Order("break-after=2");
  EXPECT_EQ(State("/fault"), "break-after=2");
  TestClient client = NewClient();
  SendChat(client, true);
  Finish(client);
  EXPECT_EQ(client.events.size(), 3u);  // the role, two tokens
  EXPECT_FALSE(client.message_done);
  EXPECT_TRUE(client.reset);
  EXPECT_EQ(State("/ended/broken"), "1");
  Restore();
  ExpectServes();
}

TEST_F(ReplicaFaultTest, AStreamIsClosedWithoutItsEnd) {
  Start();
  Order("close-after=2");
  TestClient client = NewClient();
  SendChat(client, true);
  Finish(client);
  EXPECT_EQ(client.events.size(), 3u);
  EXPECT_FALSE(client.message_done);
  EXPECT_TRUE(client.ended);
  EXPECT_FALSE(client.reset);
}

TEST_F(ReplicaFaultTest, AnAnswerInOnePieceIsBrokenOffBeforeItBegins) {
  Start();
  Order("break-after=2");
  TestClient client = NewClient();
  SendChat(client, false);
  Finish(client);
  EXPECT_FALSE(client.head_done);
  EXPECT_TRUE(client.ended);
}

TEST_F(ReplicaFaultTest, AnErrorEventEndsAStreamCleanly) {
  Start();
  Order("error-event-after=1");
  TestClient client = NewClient();
  SendChat(client, true);
  Finish(client);
  ASSERT_EQ(client.events.size(), 4u);
  EXPECT_EQ(JsonAt(client.events[2], "/error/code"), "500");
  EXPECT_EQ(client.events[3], "[DONE]");
  EXPECT_TRUE(client.message_done);
  client.NextAnswer();
  SendChat(client, false);
  Finish(client);
  EXPECT_EQ(client.status, 500);
}

TEST_F(ReplicaFaultTest, AnErrorStatusIsAnsweredToInferenceOnly) {
  Start();
  Order("error=503");
  TestClient client = NewClient();
  SendChat(client, true);
  client.WaitForEnd();
  EXPECT_EQ(client.status, 503);
  EXPECT_EQ(JsonAt(client.body, "/error/type"), "Service Unavailable");
  client.NextAnswer();
  client.Send("GET", "/health");
  client.WaitForEnd();
  EXPECT_EQ(client.status, 200);
}

TEST_F(ReplicaFaultTest, AnUnhealthyReplicaSaysSo) {
  Start();
  Order("unhealthy");
  TestClient client = NewClient();
  client.Send("GET", "/health");
  client.WaitForEnd();
  EXPECT_EQ(client.status, 503);
}

TEST_F(ReplicaFaultTest, AHangingReplicaAnswersNothingUntilItIsRestored) {
  Start();
  Order("hang");
  TestClient chat = NewClient();
  TestClient health = NewClient();
  TestClient left = NewClient();
  SendChat(chat, true);
  SendChat(left, false);
  health.Send("GET", "/health");
  WaitForState("/in_flight", "2");
  Pass(std::chrono::milliseconds(50));
  EXPECT_FALSE(chat.head_done);
  EXPECT_FALSE(health.head_done);
  left.Close();
  WaitForState("/in_flight", "1");
  Restore();
  chat.WaitForClose();
  health.WaitForClose();
  EXPECT_TRUE(chat.reset);
  EXPECT_EQ(State("/ended/client_left"), "1");
  EXPECT_EQ(State("/ended/broken"), "1");
  ExpectServes();
}

TEST_F(ReplicaFaultTest, ItMayHangAfterTheHead) {
  Start();
  Order("hang-after-headers");
  TestClient stream = NewClient();
  TestClient whole = NewClient();
  SendChat(stream, true);
  SendChat(whole, false);
  stream.WaitForHead();
  whole.WaitForHead();
  EXPECT_EQ(stream.status, 200);
  Pass(std::chrono::milliseconds(50));
  EXPECT_TRUE(stream.body.empty());
  EXPECT_TRUE(whole.body.empty());
  EXPECT_EQ(State("/in_flight"), "2");
}

TEST_F(ReplicaFaultTest, SlowMetricsComeLate) {
  Start();
  Order("slow-metrics=200ms");
  TestClient client = NewClient();
  client.Send("GET", "/metrics");
  Pass(std::chrono::milliseconds(199));
  EXPECT_FALSE(client.head_done);
  Pass(std::chrono::milliseconds(3));
  client.WaitForEnd();
  EXPECT_EQ(client.status, 200);
}

TEST_F(ReplicaFaultTest, ARefusingReplicaFinishesWhatItHas) {
  Start();
  TestClient idle = NewClient();
  TestClient busy = NewClient();
  SendChat(busy, true);
  busy.WaitForHead();
  TestClient control = NewClient();
  control.Send("POST", "/sim/fault", R"({"fault":"refuse","for_ms":100})");
  control.WaitForClose();
  EXPECT_EQ(control.status, 200);
  EXPECT_EQ(control.Header("connection"), "close");
  idle.WaitForClose();
  EXPECT_TRUE(NewClient().refused());
  Finish(busy);
  EXPECT_TRUE(busy.message_done);
  Pass(std::chrono::milliseconds(110));
  ExpectServes();
}

TEST_F(ReplicaFaultTest, ADyingReplicaResetsEverythingAndLosesItsCache) {
  Start();
  TestClient busy = NewClient();
  TestClient idle = NewClient();
  SendChat(busy, true);
  busy.WaitForHead();
  Pass(std::chrono::milliseconds(2));
  TestClient control = NewClient();
  control.Send("POST", "/sim/fault", R"({"fault":"die","for_ms":100})");
  control.WaitForEnd();
  EXPECT_EQ(control.status, 200);
  busy.WaitForClose();
  idle.WaitForClose();
  EXPECT_TRUE(busy.reset);
  EXPECT_TRUE(idle.reset);
  EXPECT_TRUE(NewClient().refused());
  Pass(std::chrono::milliseconds(110));
  EXPECT_EQ(State("/ended/broken"), "1");
  EXPECT_EQ(State("/in_flight"), "0");
  EXPECT_EQ(State("/kv_cache_used_blocks"), "0");
  ExpectServes();
}

TEST_F(ReplicaFaultTest, OrdersThatMakeNoSenseAreRefused) {
  Start();
  Order("explode", 400);
  TestClient client = NewClient();
  for (const char* body : {"", "{", "{}", "[]", R"({"fault":3})"}) {
    client.Send("POST", "/sim/fault", body);
    client.WaitForEnd();
    EXPECT_EQ(client.status, 400) << body;
    client.NextAnswer();
  }
  ExpectServes();
}

}  // namespace
}  // namespace gw::sim
