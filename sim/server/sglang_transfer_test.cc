// The two halves of a request that meet in a room, as SGLang serves them.

#include <string>
#include <utility>

#include "sim/server/transfer_test_fixture.h"

namespace gw::sim {
namespace {

class SglangTransferTest : public TransferTest {
 protected:
  void SetUp() override {
    options_to_start_ = PairOptions(Runtime::kSglang);
    options_to_start_.bootstrap_timeout = std::chrono::milliseconds(1500);
  }
  void StartPair() { TransferTest::StartPair(options_to_start_); }

  std::string Room(std::string_view room) const {
    return Concat({R"(,"max_tokens":4,"bootstrap_host":"127.0.0.1","bootstrap_port":)",
                   Digits(replica_->kv_address().port()), R"(,"bootstrap_room":)", room});
  }
  void ExpectBothIdle() {
    WaitUntilIdle(*replica_);
    WaitUntilIdle(*decode_);
  }

  SimOptions options_to_start_;
};

TEST_F(SglangTransferTest, BothHalvesAreAnsweredWhicheverComesFirst) {
  StartPair();
  for (const bool prefill_first : {true, false}) {
    TestClient prefill = NewClient();
    TestClient decode = DecodeClient();
    SendChat(prefill_first ? prefill : decode, Room("7"));
    prefill_first ? WaitFor(*replica_, "/bootstrapping", "1")
                  : WaitFor(*decode_, "/receiving", "1");
    Pass(std::chrono::milliseconds(50));
    EXPECT_FALSE(prefill.head_done || decode.head_done);
    SendChat(prefill_first ? decode : prefill, Room("7"));
    Finish(prefill);
    Finish(decode);
    EXPECT_EQ(prefill.status, 200) << prefill.body;
    EXPECT_EQ(JsonAt(prefill.body, "/usage/completion_tokens"), "1");
    EXPECT_EQ(decode.status, 200) << decode.body;
    EXPECT_EQ(JsonAt(decode.body, "/usage/completion_tokens"), "4");
    ExpectBothIdle();
  }
  EXPECT_EQ(Metric(*decode_, R"(sglang:num_decode_transfer_queue_reqs{engine_type="decode",)"
                             R"(model_name="m",moe_ep_rank="0",pp_rank="0",tp_rank="0"})"),
            "0.0");
}

TEST_F(SglangTransferTest, AStreamComesFromDecode) {
  StartPair();
  TestClient prefill = NewClient();
  TestClient decode = DecodeClient();
  SendChat(prefill, Concat({Room("7"), R"(,"stream":true)"}));
  SendChat(decode, Concat({Room("7"), R"(,"stream":true)"}));
  Finish(decode);
  Finish(prefill);
  EXPECT_EQ(decode.events.size(), 6u);   // the role, four tokens, the end
  EXPECT_EQ(prefill.events.size(), 3u);  // nobody reads it
  ExpectBothIdle();
}

TEST_F(SglangTransferTest, RoomsAreExactToTheLastOf64Bits) {
  StartPair();
  // Through doubles these would be one room.
  const char* const rooms[] = {"9223372036854775806", "9223372036854775807"};
  TestClient decode = DecodeClient();
  TestClient other = DecodeClient();
  TestClient prefill = NewClient();
  SendChat(decode, Room(rooms[0]));
  SendChat(other, Room(rooms[1]));
  SendChat(prefill, Room(rooms[1]));
  Finish(other);
  Finish(prefill);
  EXPECT_EQ(other.status, 200);
  EXPECT_FALSE(decode.head_done);
  decode.Close();
  ExpectBothIdle();
}

TEST_F(SglangTransferTest, ABatchMeetsInAsManyRooms) {
  StartPair();
  const std::string port(Digits(replica_->kv_address().port()));
  const std::string body =
      Concat({R"({"model":"m","prompt":["one two","three"],"max_tokens":4,"n":2,)",
              R"("bootstrap_host":["127.0.0.1","127.0.0.1","127.0.0.1","127.0.0.1"],)",
              R"("bootstrap_port":[)", port, ",", port, ",", port, ",", port,
              R"(],"bootstrap_room":[1,2,3,9223372036854775807]})"});
  TestClient prefill = NewClient();
  TestClient decode = DecodeClient();
  prefill.Send("POST", "/v1/completions", body);
  decode.Send("POST", "/v1/completions", body);
  Finish(prefill);
  Finish(decode);
  EXPECT_EQ(prefill.status, 200) << prefill.body;
  EXPECT_EQ(decode.status, 200) << decode.body;
  EXPECT_EQ(JsonAt(decode.body, "/choices/3/index"), "3");
  EXPECT_EQ(JsonAt(decode.body, "/usage/completion_tokens"), "16");
  ExpectBothIdle();
  // Half of a batch gives up as a whole.
  TestClient lonely = DecodeClient();
  lonely.Send("POST", "/v1/completions", body);
  WaitFor(*decode_, "/receiving", "1");
  lonely.Close();
  ExpectBothIdle();
}

TEST_F(SglangTransferTest, ADecodeThatNeverKnocksLeavesPrefillInItsQueue) {
  StartPair();
  Order(*decode_, "no-transfer");
  TestClient prefill = NewClient();
  TestClient decode = DecodeClient();
  SendChat(prefill, Room("7"));
  SendChat(decode, Room("7"));
  Finish(prefill);  // nobody knocks
  EXPECT_EQ(prefill.status, 500);
  Finish(decode);
  EXPECT_EQ(decode.status, 500);
  ExpectBothIdle();
}

TEST_F(SglangTransferTest, WithoutARoomARequestIsRefused) {
  StartPair();
  for (const bool at_prefill : {true, false}) {
    TestClient client = at_prefill ? NewClient() : DecodeClient();
    SendChat(client, R"(,"stream":true)");
    client.WaitForEnd();
    EXPECT_EQ(client.status, 400);
    EXPECT_EQ(client.body,
              R"({"object":"error","message":"Invalid request: Disaggregated request received )"
              R"(without bootstrap room id. req.rid='r1'","type":"BadRequestError","param":null,)"
              R"("code":400})");
  }
}

TEST_F(SglangTransferTest, FieldsThatDoNotFitTogetherAreRefused) {
  StartPair();
  TestClient client = DecodeClient();
  for (const char* fields :
       {R"(,"bootstrap_room":[1,2],"bootstrap_host":["127.0.0.1"])", R"(,"bootstrap_room":1)",
        R"(,"bootstrap_room":"one")", R"(,"bootstrap_room":1.5,"bootstrap_host":"127.0.0.1")",
        R"(,"bootstrap_room":1,"bootstrap_host":"a","bootstrap_port":0)"}) {
    SendChat(client, fields);
    client.WaitForEnd();
    EXPECT_EQ(client.status, 400) << fields;
    client.NextAnswer();
  }
}

TEST_F(SglangTransferTest, AServerThatIsNotSplitTakesNoNoticeOfRooms) {
  Start(PairOptions(Runtime::kSglang));
  TestClient client = NewClient();
  SendChat(client, R"(,"max_tokens":4,"bootstrap_host":"h","bootstrap_room":1)");
  Finish(client);
  EXPECT_EQ(client.status, 200);
}

TEST_F(SglangTransferTest, DecodeThatWaitsInVainGivesUpInItsOwnTime) {
  StartPair();
  TestClient plain = DecodeClient();
  TestClient stream = DecodeClient();
  SendChat(plain, Room("7"));
  SendChat(stream, Concat({Room("8"), R"(,"stream":true)"}));
  WaitFor(*decode_, "/receiving", "2");
  Pass(std::chrono::milliseconds(1000));
  EXPECT_FALSE(plain.head_done);
  Finish(plain);
  Finish(stream);
  EXPECT_EQ(plain.status, 500);
  EXPECT_EQ(JsonAt(plain.body, "/message"),
            "Decode transfer failed for request rank=0 decode_req.req.rid='r1' "
            "decode_req.req.bootstrap_room=7 with exception KVTransferError(bootstrap_room=7): "
            "Request 7 timed out after 1.5s in KVPoll.WaitingForInput");
  EXPECT_EQ(stream.status, 200);
  ASSERT_EQ(stream.events.size(), 2u);
  EXPECT_EQ(JsonAt(stream.events[0], "/error/code"), "500");
  EXPECT_EQ(stream.events[1], "[DONE]");
  ExpectBothIdle();
}

TEST_F(SglangTransferTest, PrefillThatNobodyAsksGivesUpToo) {
  StartPair();
  TestClient client = NewClient();
  SendChat(client, Concat({Room("7"), R"(,"stream":true)"}));
  Finish(client);
  ASSERT_EQ(client.events.size(), 2u);
  EXPECT_NE(JsonAt(client.events[0], "/error/message").find("in KVPoll.Bootstrapping"),
            std::string::npos);
  ExpectBothIdle();
}

TEST_F(SglangTransferTest, APrefillHalfThatIsEndedLeavesDecodeWaiting) {
  StartPair();
  TestClient prefill = NewClient();
  TestClient decode = DecodeClient();
  SendChat(prefill, Room("7"));
  WaitFor(*replica_, "/bootstrapping", "1");
  prefill.Close();
  WaitUntilIdle(*replica_);
  SendChat(decode, Room("7"));
  WaitFor(*decode_, "/receiving", "1");
  Pass(std::chrono::milliseconds(500));
  EXPECT_FALSE(decode.head_done);
  decode.Close();
  ExpectBothIdle();
}

TEST_F(SglangTransferTest, EitherClientMayLeaveWhileTheTransferRuns) {
  options_to_start_.spec.kv_handshake = std::chrono::seconds(1);
  options_to_start_.bootstrap_timeout = std::chrono::seconds(60);
  StartPair();
  for (const bool prefill_leaves : {true, false}) {
    TestClient prefill = NewClient();
    TestClient decode = DecodeClient();
    SendChat(prefill, Room("7"));
    SendChat(decode, Room("7"));
    WaitFor(*replica_, "/held", "1");
    (prefill_leaves ? prefill : decode).Close();
    WaitFor(prefill_leaves ? *replica_ : *decode_, "/in_flight", "0");
    if (prefill_leaves) {
      ExpectIdle(*replica_);
      decode.Close();
    } else {
      ExpectIdle(*decode_);
      Finish(prefill);  // it pushes without looking
      EXPECT_EQ(prefill.status, 200);
    }
    ExpectBothIdle();
  }
}

TEST_F(SglangTransferTest, ATransferThatNeverArrivesLooksGoodToPrefill) {
  StartPair();
  Order(*replica_, "no-transfer");
  TestClient prefill = NewClient();
  TestClient decode = DecodeClient();
  SendChat(prefill, Room("7"));
  SendChat(decode, Room("7"));
  Finish(prefill);
  EXPECT_EQ(prefill.status, 200);
  EXPECT_FALSE(decode.head_done);
  Finish(decode);
  EXPECT_EQ(decode.status, 500);
  ExpectBothIdle();
}

TEST_F(SglangTransferTest, APrefillThatAnswersLateWithAnErrorNeverCallsDecode) {
  StartPair();
  Order(*replica_, "late-error=300ms");
  TestClient prefill = NewClient();
  TestClient decode = DecodeClient();
  SendChat(prefill, Room("7"));
  SendChat(decode, Room("7"));
  Finish(prefill);
  EXPECT_EQ(prefill.status, 500);
  EXPECT_EQ(JsonAt(prefill.body, "/object"), "error");
  EXPECT_FALSE(decode.head_done);
  decode.Close();
  ExpectBothIdle();
}

TEST_F(SglangTransferTest, APrefillProcessThatDiesIsNoticedByItsHeartbeat) {
  options_to_start_.bootstrap_timeout = std::chrono::seconds(300);
  StartPair();
  TestClient decode = DecodeClient();
  SendChat(decode, Room("7"));
  WaitFor(*decode_, "/receiving", "1");
  Order(*replica_, "die");
  Finish(decode);
  EXPECT_EQ(decode.status, 500);
  EXPECT_NE(decode.body.find("Lost connection with prefill instance"), std::string::npos);
  WaitUntilIdle(*decode_);
}

TEST_F(SglangTransferTest, ARoomInUseIsRefused) {
  StartPair();
  TestClient first = NewClient();
  TestClient second = NewClient();
  SendChat(first, Room("7"));
  WaitFor(*replica_, "/bootstrapping", "1");
  SendChat(second, Room("7"));
  second.WaitForEnd();
  EXPECT_EQ(second.status, 400);
  EXPECT_EQ(State("/bootstrapping"), "1");
  TestClient decode = DecodeClient();
  SendChat(decode, Room("7"));
  Finish(first);
  Finish(decode);
  EXPECT_EQ(decode.status, 200);
  ExpectBothIdle();
}

TEST_F(SglangTransferTest, StoppingEndsEveryHalf) {
  StartPair();
  TestClient waits = NewClient();
  TestClient decode = DecodeClient();
  SendChat(waits, Room("7"));
  SendChat(decode, Room("8"));
  WaitFor(*replica_, "/bootstrapping", "1");
  WaitFor(*decode_, "/receiving", "1");
  bool stopped[2] = {false, false};
  replica_->Stop([&] { stopped[0] = true; });
  decode_->Stop([&] { stopped[1] = true; });
  waits.WaitForEnd();
  decode.WaitForEnd();
  waits.Close();
  decode.Close();
  RunLoopUntil(*loop_, [&] { return stopped[0] && stopped[1]; });
}

}  // namespace
}  // namespace gw::sim
