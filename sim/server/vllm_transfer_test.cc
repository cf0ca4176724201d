// The two halves of a request with vLLM's NIXL connector. Shapes are those of the recorded pair.

#include <string>
#include <utility>

#include "sim/server/transfer_test_fixture.h"

namespace gw::sim {
namespace {

constexpr std::string_view kAskToHold =
    R"(,"max_tokens":1,"kv_transfer_params":{"do_remote_decode":true,"do_remote_prefill":false,)"
    R"("remote_engine_id":null,"remote_block_ids":null,"remote_host":null,"remote_port":null})";

class VllmTransferTest : public TransferTest {
 protected:
  void SetUp() override { options_to_start_ = PairOptions(Runtime::kVllm); }
  void StartPair() { TransferTest::StartPair(options_to_start_); }

  // What prefill says about its blocks, as it stands in the answer.
  std::string Prefill() {
    TestClient client = NewClient();
    SendChat(client, kAskToHold);
    Finish(client);
    EXPECT_EQ(client.status, 200) << client.body;
    return JsonAt(client.body, "/kv_transfer_params");
  }
  static std::string With(std::string params, std::string_view member, std::string_view value) {
    const std::string name = Concat({"\"", member, "\":"});
    const size_t at = params.find(name) + name.size();
    return params.replace(at, params.find_first_of(",}", at) - at, value);
  }
  void SendDecode(TestClient& client, std::string_view params, std::string_view more = {}) {
    SendChat(client, Concat({R"(,"max_tokens":4,"kv_transfer_params":)", params, more}));
  }

  SimOptions options_to_start_;
};

TEST_F(VllmTransferTest, PrefillAnswersWithTheRecordedShapeAndHoldsItsBlocks) {
  StartPair();
  TestClient client = NewClient();
  SendChat(client, kAskToHold);
  Finish(client);
  EXPECT_EQ(JsonAt(client.body, "/usage/completion_tokens"), "1");
  const std::string prompt_tokens = JsonAt(client.body, "/usage/prompt_tokens");
  const std::string p = JsonAt(client.body, "/kv_transfer_params");
  const std::string engine = JsonAt(p, "/remote_engine_id");
  const std::string request = JsonAt(p, "/remote_request_id");
  EXPECT_EQ(engine.size(), 36u);
  EXPECT_EQ(request.substr(0, 12), "chatcmpl-r1-");
  EXPECT_EQ(request.size(), 20u);
  EXPECT_EQ(p,
            Concat({R"({"do_remote_prefill":true,"do_remote_decode":false,"remote_block_ids":)",
                    JsonAt(p, "/remote_block_ids"), R"(,"remote_engine_id":")", engine,
                    R"(","remote_request_id":")", request, R"(","remote_host":"127.0.0.1",)",
                    R"("remote_port":)", Digits(replica_->kv_address().port()),
                    R"(,"tp_size":1,"dcp_size":1,"pp_size":1,"remote_num_tokens":)", prompt_tokens,
                    R"(,"remote_blocks_expiry_time":null,"transfer_mode":"pull",)",
                    R"("remote_prefill_cached_tokens":0})"}));
  EXPECT_EQ(State("/running"), "0");
  EXPECT_EQ(State("/in_flight"), "0");
  EXPECT_EQ(State("/held"), "1");
  EXPECT_NE(State("/kv_cache_used_blocks"), "0");
  EXPECT_NE(JsonAt(p, "/remote_block_ids/0/0"), "") << "a list of lists";
}

TEST_F(VllmTransferTest, DecodeFetchesAndAnswersWithoutComputingThePrompt) {
  StartPair();
  const std::string params = Prefill();
  TestClient client = DecodeClient();
  SendDecode(client, params);
  Finish(client);
  EXPECT_EQ(client.status, 200);
  EXPECT_EQ(JsonAt(client.body, "/usage/completion_tokens"), "4");
  EXPECT_EQ(JsonAt(client.body, "/usage/prompt_tokens_details/cached_tokens"), "0");
  EXPECT_EQ(JsonAt(client.body, "/kv_transfer_params"), "null");
  ExpectIdle(*replica_);
  ExpectIdle(*decode_);
  constexpr std::string_view kBySource =
      R"(vllm:prompt_tokens_by_source_total{engine="0",model_name="m",source=")";
  const std::string received = Concat({kBySource, "external_kv_transfer\"}"});
  const double tokens = std::stod(JsonAt(params, "/remote_num_tokens"));
  EXPECT_EQ(std::stod(Metric(*decode_, received)), tokens - 1);
  EXPECT_EQ(Metric(*decode_, Concat({kBySource, "local_compute\"}"})), "1.0");
  EXPECT_EQ(Metric(*replica_, received), "0.0");
  EXPECT_EQ(std::stod(Metric(*replica_, Concat({kBySource, "local_compute\"}"}))), tokens);
}

TEST_F(VllmTransferTest, ASecondTurnIsFoundInTheDecodeReplicasOwnCache) {
  StartPair();
  for (const bool again : {false, true}) {
    const std::string params = Prefill();
    TestClient client = DecodeClient();
    SendDecode(client, params, R"(,"stream":true,"stream_options":{"include_usage":true})");
    Finish(client);
    ASSERT_EQ(client.events.size(), 7u);  // the role, four tokens, usage, the end
    const std::string cached =
        JsonAt(client.events[5], "/usage/prompt_tokens_details/cached_tokens");
    EXPECT_EQ(cached == "0", !again) << cached;
  }
  ExpectIdle(*replica_);
}

TEST_F(VllmTransferTest, ATransferTakesItsTime) {
  options_to_start_.spec.kv_handshake = std::chrono::milliseconds(200);
  StartPair();
  const std::string params = Prefill();
  TestClient client = DecodeClient();
  const TimePoint asked = clock_.Now();
  SendDecode(client, params, R"(,"stream":true)");
  client.WaitForHead();
  WaitFor(*decode_, "/receiving", "1");
  EXPECT_EQ(StateOf(*decode_, "/waiting"), "1");
  EXPECT_EQ(StateOf(*decode_, "/running"), "0");
  EXPECT_NE(StateOf(*decode_, "/kv_cache_used_blocks"), "0");
  EXPECT_EQ(Metric(*decode_,
                   "vllm:num_requests_waiting_by_reason{engine=\"0\",model_name=\"m\","
                   "reason=\"deferred\"}"),
            "1.0");
  EXPECT_TRUE(client.events.empty());
  Finish(client);
  EXPECT_GE(clock_.Now() - asked, std::chrono::milliseconds(200));
  EXPECT_EQ(client.events.size(), 6u);
}

TEST_F(VllmTransferTest, WithoutParametersItIsAPlainRequest) {
  StartPair();
  TestClient client = DecodeClient();
  for (const char* params : {"null", "{}", R"({"do_remote_prefill":true})",
                             R"({"do_remote_prefill":false,"remote_port":1})"}) {
    SendDecode(client, params);
    Finish(client);
    EXPECT_EQ(client.status, 200) << params;
    EXPECT_EQ(JsonAt(client.body, "/kv_transfer_params"), "null");
    client.NextAnswer();
  }
  ExpectIdle(*decode_);
  EXPECT_EQ(StateOf(*decode_, "/ended/length"), "4");
}

TEST_F(VllmTransferTest, ParametersOfTheWrongTypeAreRefused) {
  StartPair();
  TestClient client = DecodeClient();
  for (const char* params : {"3", "[]", R"({"do_remote_decode":"yes"})", R"({"remote_port":70000})",
                             R"({"remote_engine_id":5})"}) {
    SendDecode(client, params);
    Finish(client);
    EXPECT_EQ(client.status, 400) << params;
    client.NextAnswer();
  }
}

TEST_F(VllmTransferTest, AnUnknownEngineOrRequestIsAnErrorWithoutAReason) {
  StartPair();
  const std::string params = Prefill();
  for (const std::string& wrong : {With(params, "remote_engine_id", "\"nope\""),
                                   With(params, "remote_request_id", "\"nope\"")}) {
    TestClient client = DecodeClient();
    SendDecode(client, wrong);
    Finish(client);
    EXPECT_EQ(client.status, 500);
    EXPECT_EQ(client.body,
              R"({"error":{"message":"Internal server error","type":"InternalServerError",)"
              R"("param":null,"code":500}})");
    client.NextAnswer();
    SendDecode(client, wrong, R"(,"stream":true)");
    Finish(client);
    EXPECT_EQ(client.status, 200);
    ASSERT_EQ(client.events.size(), 3u);
    EXPECT_EQ(JsonAt(client.events[0], "/choices/0/delta/role"), "assistant");
    EXPECT_EQ(client.events[1],
              R"({"error": {"message": "Internal server error", "type": "InternalServerError", )"
              R"("param": null, "code": 500}})");
    EXPECT_EQ(client.events[2], "[DONE]");
    EXPECT_TRUE(client.message_done);
  }
  ExpectIdle(*decode_);
  EXPECT_EQ(StateOf(*decode_, "/ended/error"), "4");
  EXPECT_EQ(Metric(*decode_, R"(vllm:request_success_total{engine="0",finished_reason="error",)"
                             R"(model_name="m"})"),
            "4.0");
  EXPECT_EQ(State("/held"), "1") << "the blocks themselves are still there";
}

TEST_F(VllmTransferTest, ADeadPortMattersOnlyToAnEngineNeverSeenBefore) {
  StartPair();
  const std::string unseen = With(Prefill(), "remote_port", "1");
  TestClient client = DecodeClient();
  const TimePoint asked = clock_.Now();
  SendDecode(client, unseen);
  Finish(client);
  EXPECT_EQ(client.status, 500);
  EXPECT_GE(clock_.Now() - asked, std::chrono::seconds(17));
  client.NextAnswer();
  SendDecode(client, Prefill());
  Finish(client);
  EXPECT_EQ(client.status, 200);
  client.NextAnswer();
  SendDecode(client, With(Prefill(), "remote_port", "1"));
  Finish(client);
  EXPECT_EQ(client.status, 200);
  ExpectIdle(*decode_);
}

TEST_F(VllmTransferTest, BlocksThatNobodyFetchesAreGivenBackWhenTheLeaseEnds) {
  options_to_start_.kv_lease = std::chrono::milliseconds(300);
  StartPair();
  const std::string params = Prefill();
  Pass(std::chrono::milliseconds(250));
  EXPECT_EQ(State("/held"), "1");
  Pass(std::chrono::milliseconds(60));
  ExpectIdle(*replica_);
  EXPECT_EQ(Metric(*replica_, R"(vllm:nixl_num_kv_expired_reqs_total{engine="0",model_name="m"})"),
            "1.0");
  TestClient client = DecodeClient();
  SendDecode(client, params);
  Finish(client);
  EXPECT_EQ(client.status, 500);
}

TEST_F(VllmTransferTest, ALeaseThatEndsDuringTheTransferDoesNotStopIt) {
  options_to_start_.kv_lease = std::chrono::milliseconds(100);
  options_to_start_.spec.kv_handshake = std::chrono::milliseconds(300);
  StartPair();
  const std::string params = Prefill();
  TestClient client = DecodeClient();
  SendDecode(client, params);
  Finish(client);
  EXPECT_EQ(client.status, 200);
  EXPECT_EQ(Metric(*replica_, R"(vllm:nixl_num_kv_expired_reqs_total{engine="0",model_name="m"})"),
            "1.0");
  ExpectIdle(*replica_);
}

TEST_F(VllmTransferTest, AClientThatLeavesDecodeFreesTheBlocksOfBoth) {
  options_to_start_.spec.kv_handshake = std::chrono::seconds(20);
  StartPair();
  const std::string params = Prefill();
  TestClient client = DecodeClient();
  SendDecode(client, params, R"(,"stream":true)");
  WaitFor(*decode_, "/receiving", "1");
  client.Close();
  WaitUntilIdle(*decode_);
  WaitUntilIdle(*replica_);
  EXPECT_EQ(StateOf(*decode_, "/ended/client_left"), "1");
}

TEST_F(VllmTransferTest, AClientThatLeavesPrefillLeavesNothingHeld) {
  options_to_start_.spec.timer.h_us = 50'000;
  StartPair();
  TestClient client = NewClient();
  SendChat(client, kAskToHold);
  WaitFor(*replica_, "/running", "1");
  client.Close();
  WaitUntilIdle(*replica_);
}

TEST_F(VllmTransferTest, ATransferThatNeverArrivesLeavesDecodeWaiting) {
  options_to_start_.kv_lease = std::chrono::seconds(1);
  StartPair();
  Order(*replica_, "no-transfer");
  const std::string params = Prefill();
  TestClient client = DecodeClient();
  SendDecode(client, params, R"(,"stream":true)");
  WaitFor(*decode_, "/receiving", "1");
  Pass(std::chrono::seconds(2));
  EXPECT_TRUE(client.events.empty());
  EXPECT_EQ(StateOf(*decode_, "/receiving"), "1");
  ExpectIdle(*replica_);  // the lease has ended
  client.Close();
  WaitUntilIdle(*decode_);
}

TEST_F(VllmTransferTest, ALateErrorComesLateAndIsAStatus) {
  StartPair();
  Order(*replica_, "late-error=300ms");
  TestClient plain = NewClient();
  TestClient stream = NewClient();
  TestClient left = NewClient();
  SendChat(plain, kAskToHold);
  SendChat(stream, R"(,"stream":true)");
  SendChat(left, kAskToHold);
  WaitFor(*replica_, "/in_flight", "3");
  left.Close();
  WaitFor(*replica_, "/in_flight", "2");
  Pass(std::chrono::milliseconds(200));
  EXPECT_FALSE(plain.head_done);
  EXPECT_FALSE(stream.head_done);
  Finish(plain);
  Finish(stream);
  EXPECT_EQ(plain.status, 500);
  EXPECT_EQ(stream.status, 500);
  EXPECT_EQ(JsonAt(plain.body, "/error/type"), "InternalServerError");
  ExpectIdle(*replica_);
}

TEST_F(VllmTransferTest, APrefillThatDiesTakesItsBlocksWithIt) {
  options_to_start_.spec.kv_handshake = std::chrono::seconds(20);
  StartPair();
  TestClient first = DecodeClient();
  const std::string params = Prefill();
  SendDecode(first, params);
  WaitFor(*decode_, "/receiving", "1");
  TestClient control = NewClient();
  control.Send("POST", "/sim/fault", R"({"fault":"die","for_ms":100})");
  Finish(first);  // tried for as long as an engine that was never seen
  EXPECT_EQ(first.status, 500);
  ExpectIdle(*decode_);
  ExpectIdle(*replica_);
  EXPECT_NE(JsonAt(Prefill(), "/remote_engine_id"), JsonAt(params, "/remote_engine_id"));
}

TEST_F(VllmTransferTest, ADecodeThatBreaksOffMidStreamHasFetchedItsBlocks) {
  StartPair();
  Order(*decode_, "break-after=2");
  TestClient client = DecodeClient();
  SendDecode(client, Prefill(), R"(,"stream":true)");
  Finish(client);
  EXPECT_TRUE(client.reset);
  EXPECT_EQ(client.events.size(), 3u);
  ExpectIdle(*decode_);
  ExpectIdle(*replica_);
}

TEST_F(VllmTransferTest, AnAnswerCutOffWithItsLastTokenHoldsNothing) {
  StartPair();
  Order(*replica_, "break-after=0");
  TestClient client = NewClient();
  SendChat(client, kAskToHold);
  Finish(client);
  EXPECT_FALSE(client.head_done);
  WaitUntilIdle(*replica_);
}

TEST_F(VllmTransferTest, AReplicaOfBothRolesDoesEither) {
  SimOptions options = PairOptions(Runtime::kVllm);
  Start(options);
  EXPECT_EQ(replica_->kv_address().port(), 0);
  EXPECT_EQ(State("/kv_address"), "");
  const std::string params = Prefill();
  EXPECT_NE(replica_->kv_address().port(), 0);
  TestClient client = NewClient();
  SendDecode(client, params);
  Finish(client);
  EXPECT_EQ(client.status, 200);
  ExpectIdle(*replica_);
}

TEST_F(VllmTransferTest, BlocksOfManyHeldPromptsMakeTheNextOneWait) {
  options_to_start_.spec.kv_blocks = 40;
  options_to_start_.context_tokens_max = 120;
  StartPair();
  const std::string first = Prefill();
  TestClient waits = NewClient();
  SendChat(waits, R"(,"max_tokens":90,"ignore_eos":true)");
  Finish(waits);
  EXPECT_EQ(waits.status, 200) << waits.body;
}

}  // namespace
}  // namespace gw::sim
