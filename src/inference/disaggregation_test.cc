#include "inference/disaggregation.h"

#include <gtest/gtest.h>

#include "inference/parser.h"
#include "inference/recorded.h"

namespace gw {
namespace {

std::string Bootstrapped(std::string body, ApiKind api = ApiKind::kCompletions) {
  body.reserve(body.size() + InferenceParser::kPadding);
  InferenceParser parser;
  InferenceRequest request;
  request.api = api;
  EXPECT_EQ(parser.Parse(body, 0, &request), ParseOutcome::kOk);
  Random random(1);
  BodyEdit edit;
  edit.Begin(body);
  SetBootstrap(body, request, "10.0.0.5", 34000, random, &edit);
  return edit.ToString();
}

uint64_t Room(Random& random) { return random.Next() >> 1; }

TEST(SetBootstrap, AddsThreeFieldsAndKeepsTheRest) {
  Random random(1);
  EXPECT_EQ(Bootstrapped(R"({"model":"m","x":1.50,"prompt": "hi"} )"),
            R"({"model":"m","x":1.50,"prompt": "hi", "bootstrap_host": "10.0.0.5", )"
            R"("bootstrap_port": 34000, "bootstrap_room": )" +
                std::to_string(Room(random)) + "} ");
}

TEST(SetBootstrap, ReplacesWhatAClientSent) {
  Random random(1);
  EXPECT_EQ(
      Bootstrapped(R"({"bootstrap_room":1,"bootstrap_port":null,"bootstrap_host":"evil",)"
                   R"("model":"m","prompt":"hi"})"),
      R"({"bootstrap_room":)" + std::to_string(Room(random)) +
          R"(,"bootstrap_port":34000,"bootstrap_host":"10.0.0.5","model":"m","prompt":"hi"})");
}

TEST(SetBootstrap, WritesListsForBatches) {
  const auto rooms = [](int count) {
    Random random(1);
    std::string text = "[" + std::to_string(Room(random));
    for (int i = 1; i < count; ++i) text += ", " + std::to_string(Room(random));
    return text + "]";
  };
  EXPECT_EQ(Bootstrapped(R"({"model":"m","prompt":["a","b"]})"),
            R"({"model":"m","prompt":["a","b"], "bootstrap_host": ["10.0.0.5", "10.0.0.5"], )"
            R"("bootstrap_port": [34000, 34000], "bootstrap_room": )" +
                rooms(2) + "}");
  EXPECT_NE(Bootstrapped(R"({"model":"m","prompt":["a"]})").find(rooms(1)), std::string::npos);
  EXPECT_NE(Bootstrapped(R"({"model":"m","prompt":[[1,2],[3]],"n":2})").find(rooms(4)),
            std::string::npos);
  EXPECT_NE(Bootstrapped(R"({"model":"m","messages":[],"n":3})", ApiKind::kChatCompletions)
                .find(rooms(3)),
            std::string::npos);
  // Token ids of one prompt are no batch.
  Random random(1);
  EXPECT_NE(Bootstrapped(R"({"model":"m","prompt":[1,2,3],"n":1})")
                .find("\"bootstrap_room\": " + std::to_string(Room(random)) + "}"),
            std::string::npos);
}

std::string Prefill(std::string_view body) {
  BodyEdit edit;
  edit.Begin(body);
  SetPrefillOnly(&edit);
  return edit.ToString();
}

constexpr char kAsked[] =
    R"("kv_transfer_params": {"do_remote_decode": true, "do_remote_prefill": false, )"
    R"("remote_engine_id": null, "remote_block_ids": null, "remote_host": null, )"
    R"("remote_port": null})";

TEST(SetPrefillOnly, AsksForOneTokenAndNoStream) {
  EXPECT_EQ(Prefill(R"({"model":"m"})"),
            std::string(R"({"model":"m", "max_tokens": 1, "stream": false, )") + kAsked + "}");
  EXPECT_EQ(
      Prefill(R"({"stream":true,"stream_options":{"include_usage":true},"model":"m",)"
              R"("max_tokens":99,"max_completion_tokens":98,"min_tokens":5,"logprobs":true})"),
      std::string(R"({"stream":false,"model":"m","max_tokens":1,)"
                  R"("max_completion_tokens":1,"min_tokens":1,"logprobs":true, )") +
          kAsked + "}");
}

std::string BodyOf(const std::string& recorded) {
  return internal::RecordedBody("vllm-0.32.0-pd/" + recorded);
}

// The recorded legs were made by a client of the real servers; ours are the same bytes.
TEST(SetPrefillOnly, MakesTheRecordedPrefillLeg) {
  for (const std::string name : {"a_nostream", "b_stream"}) {
    EXPECT_EQ(Prefill(BodyOf(name + ".3_reference.request")), BodyOf(name + ".1_prefill.request"));
  }
}

TEST(KvTransferParams, PassFromPrefillToDecodeUnchanged) {
  for (const std::string name : {"a_nostream", "b_stream"}) {
    const std::string response = BodyOf(name + ".1_prefill.response");
    const auto params = FindKvTransferParams(response);
    ASSERT_TRUE(params.has_value());
    EXPECT_TRUE(params->starts_with(R"({"do_remote_prefill":true,)"));
    EXPECT_TRUE(params->ends_with(R"("remote_prefill_cached_tokens":0})"));
    const std::string plain = BodyOf(name + ".3_reference.request");
    BodyEdit edit;
    edit.Begin(plain);
    SetKvTransferParams(*params, &edit);
    EXPECT_EQ(edit.ToString(), plain.substr(0, plain.size() - 1) +
                                   ", \"kv_transfer_params\": " + std::string(*params) + "}");
  }
}

TEST(KvTransferParams, AreToldFromTheirAbsence) {
  EXPECT_FALSE(FindKvTransferParams(R"({"a":{"kv_transfer_params":{}}})").has_value());
  EXPECT_FALSE(FindKvTransferParams(R"({"kv_transfer_params":null})").has_value());
  EXPECT_EQ(FindKvTransferParams(R"({"kv_transfer_params" : {"x": 1} })"), R"({"x": 1})");
}

}  // namespace
}  // namespace gw
