#include "sim/server/request_body.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace gw::sim {
namespace {

class RequestBodyTest : public testing::Test {
 protected:
  bool Read(Dialect dialect, std::string body) {
    refusal_ = {};
    body.reserve(body.size() + RequestBodyReader::kPadding);
    return reader_.Read(dialect, body, &request_, &refusal_);
  }
  // The prompt without the padding of its tokens.
  std::string Prompt() const {
    std::string text;
    for (const char c : request_.prompt.bytes()) {
      if (c != '\0') text += c;
    }
    return text;
  }

  RequestBodyReader reader_;
  RequestBody request_;
  Refusal refusal_;
};

TEST_F(RequestBodyTest, ChatIsRenderedWithItsTemplate) {
  ASSERT_TRUE(Read(Dialect::kChat, R"({"messages":[{"role":"system","content":"Be brief."},
      {"content":[{"type":"text","text":"Hi"},{"type":"text","text":"there\n"}],"role":"user"}],
      "model":"m","stream":true,"stream_options":{"include_usage":true},"ignore_eos":true,
      "max_tokens":7,"temperature":0.5,"seed":123456789012345678901234567890,"n":1})"));
  EXPECT_EQ(request_.model, "m");
  EXPECT_TRUE(request_.stream);
  EXPECT_TRUE(request_.include_usage);
  EXPECT_TRUE(request_.ignore_eos);
  EXPECT_EQ(request_.output_tokens_max, 7u);
  EXPECT_EQ(Prompt(),
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHithere\n<|im_end|>\n"
            "<|im_start|>assistant\n");
}

TEST_F(RequestBodyTest, TheNextTurnBeginsWithThisOneAndItsAnswer) {
  ASSERT_TRUE(Read(Dialect::kChat, R"({"messages":[{"role":"user","content":"one"}]})"));
  const std::string first(request_.prompt.bytes());
  ASSERT_TRUE(Read(Dialect::kChat, R"({"messages":[{"role":"user","content":"one"},
      {"role":"assistant","content":"Wabc def"},{"role":"user","content":"two"}]})"));
  EXPECT_TRUE(request_.prompt.bytes().starts_with(first + "Wabc def"));
}

TEST_F(RequestBodyTest, ToolsComeBeforeMessagesWhereverTheyStand) {
  ASSERT_TRUE(Read(Dialect::kChat, R"({"messages":[],"tools":[{"name":"f"}]})"));
  EXPECT_EQ(Prompt(), "[{\"name\":\"f\"}]<|im_start|>assistant\n");
}

TEST_F(RequestBodyTest, OtherDialectsHaveTheirOwnPrompts) {
  const struct {
    Dialect dialect;
    const char* body;
    const char* prompt;
    uint32_t inputs;
  } cases[] = {
      {Dialect::kCompletion, R"({"prompt":"abc"})", "abc", 1},
      {Dialect::kCompletion, R"({"prompt":["abc"]})", "abc", 1},
      {Dialect::kEmbedding, R"({"input":["a","b"],"encoding_format":"float"})", "ab", 2},
      {Dialect::kResponses, R"({"input":"q","instructions":"i"})",
       "<|im_start|>system\ni<|im_end|>\n<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n",
       1},
      {Dialect::kResponses,
       R"({"input":[{"role":"user","content":[{"type":"input_text","text":"q"}]}]})",
       "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n", 1},
      {Dialect::kMessages,
       R"({"messages":[{"role":"user","content":"q"}],"system":[{"type":"text","text":"s"}]})",
       "<|im_start|>system\ns<|im_end|>\n<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n",
       1},
  };
  for (const auto& c : cases) {
    ASSERT_TRUE(Read(c.dialect, c.body)) << c.body << refusal_.message;
    EXPECT_EQ(Prompt(), c.prompt);
    EXPECT_EQ(request_.inputs, c.inputs);
  }
}

TEST_F(RequestBodyTest, TokenIdsAreTokens) {
  ASSERT_TRUE(Read(Dialect::kCompletion, R"({"prompt":[1,2,3]})"));
  EXPECT_EQ(request_.prompt.size(), 3u);
  EXPECT_EQ(request_.inputs, 1u);
  ASSERT_TRUE(Read(Dialect::kEmbedding, R"({"input":[[1,2],[3]]})"));
  EXPECT_EQ(request_.prompt.size(), 3u);
  EXPECT_EQ(request_.inputs, 2u);
}

TEST_F(RequestBodyTest, RefusesWhatVllmRefuses) {
  const struct {
    Dialect dialect;
    const char* body;
    const char* param;
  } cases[] = {
      {Dialect::kChat, R"({"model": "x", "messages": [)", ""},
      {Dialect::kChat, "", ""},
      {Dialect::kChat, "[]", ""},
      {Dialect::kChat, R"({"model":"m"})", "body.messages"},
      {Dialect::kChat, R"({"messages":"m"})", "body.messages"},
      {Dialect::kChat, R"({"messages":[1]})", "body.messages"},
      {Dialect::kChat, R"({"messages":[],"max_tokens":"many"})", "body.max_tokens"},
      {Dialect::kChat, R"({"messages":[],"max_tokens":0})", "body.max_tokens"},
      {Dialect::kChat, R"({"messages":[],"stream":"yes"})", "body.stream"},
      {Dialect::kChat, R"({"messages":[],"n":257})", "n"},
      {Dialect::kChat, R"({"messages":[],"n":0})", "body.n"},
      {Dialect::kResponses, R"({"input":"x","n":2})", "n"},
      {Dialect::kChat, R"({"messages":[],"stream_options":{}})", "stream_options"},
      {Dialect::kCompletion, R"({"prompt":[]})", "prompt"},
      {Dialect::kChat, R"({"messages":[],"kv_transfer_params":1})", "body.kv_transfer_params"},
      {Dialect::kChat, R"({"messages":[],"bootstrap_room":"1"})", "body.bootstrap_room"},
      {Dialect::kChat, R"({"messages":[],"bootstrap_port":0})", "body.bootstrap_port"},
      {Dialect::kChat, R"({"messages":[],"bootstrap_host":[1]})", "body.bootstrap_host"},
      {Dialect::kCompletion, R"({"prompt":{}})", "body.prompt"},
      {Dialect::kResponses, R"({"model":"m"})", "body.input"},
  };
  for (const auto& c : cases) {
    EXPECT_FALSE(Read(c.dialect, c.body)) << c.body;
    EXPECT_EQ(refusal_.status, 400);
    EXPECT_EQ(refusal_.param, c.param) << c.body;
    EXPECT_FALSE(refusal_.message.empty());
  }
}

TEST_F(RequestBodyTest, SequencesArePromptsTimesSamples) {
  ASSERT_TRUE(Read(Dialect::kCompletion, R"({"prompt":["a","b","c"],"n":2})"));
  EXPECT_EQ(request_.sequences(), 6u);
  ASSERT_TRUE(Read(Dialect::kChat, R"({"messages":[],"n":3})"));
  EXPECT_EQ(request_.sequences(), 3u);
  ASSERT_TRUE(Read(Dialect::kCompletion, R"({"prompt":[5,6,7]})"));
  EXPECT_EQ(request_.sequences(), 1u);
}

TEST_F(RequestBodyTest, TheParametersOfNixlAreRead) {
  ASSERT_TRUE(Read(Dialect::kChat, R"({"messages":[],"kv_transfer_params":{
      "do_remote_prefill":true,"do_remote_decode":false,"remote_block_ids":[[1,2],[3]],
      "remote_engine_id":"e","remote_request_id":"r","remote_host":"127.0.0.1",
      "remote_port":8500,"tp_size":1,"remote_blocks_expiry_time":null}})"));
  EXPECT_TRUE(request_.nixl.do_remote_prefill);
  EXPECT_FALSE(request_.nixl.do_remote_decode);
  EXPECT_EQ(request_.nixl.engine_id, "e");
  EXPECT_EQ(request_.nixl.request_id, "r");
  EXPECT_EQ(request_.nixl.host, "127.0.0.1");
  EXPECT_EQ(request_.nixl.port, 8500);
  ASSERT_TRUE(Read(Dialect::kChat, R"({"messages":[],"kv_transfer_params":null})"));
  EXPECT_FALSE(request_.nixl.do_remote_prefill);
  EXPECT_EQ(request_.nixl.engine_id, "");
}

TEST_F(RequestBodyTest, BootstrapFieldsAreScalarsOrLists) {
  ASSERT_TRUE(Read(Dialect::kChat, R"({"messages":[],"bootstrap_host":"h","bootstrap_port":null,
      "bootstrap_room":9223372036854775807})"));
  EXPECT_EQ(request_.bootstrap.hosts, std::vector<std::string>{"h"});
  ASSERT_EQ(request_.bootstrap.ports.size(), 1u);
  EXPECT_FALSE(request_.bootstrap.ports[0].has_value());
  EXPECT_EQ(request_.bootstrap.rooms, std::vector<uint64_t>{9223372036854775807u});
  ASSERT_TRUE(Read(Dialect::kChat, R"({"messages":[],"bootstrap_host":["h","i"],
      "bootstrap_port":[1,2],"bootstrap_room":[9007199254740993,4]})"));
  EXPECT_EQ(request_.bootstrap.hosts, (std::vector<std::string>{"h", "i"}));
  EXPECT_EQ(request_.bootstrap.ports[1], 2);
  EXPECT_EQ(request_.bootstrap.rooms, (std::vector<uint64_t>{9007199254740993u, 4}));
}

TEST_F(RequestBodyTest, NullIsAsGoodAsAbsent) {
  ASSERT_TRUE(Read(Dialect::kChat,
                   R"({"messages":[{"role":"user","content":null}],"model":null,"stream":null,
                   "max_tokens":null,"n":null,"stream_options":null,"tools":null})"));
  EXPECT_EQ(request_.model, "");
  EXPECT_FALSE(request_.output_tokens_max.has_value());
  EXPECT_EQ(Prompt(), "<|im_start|>user\n<|im_end|>\n<|im_start|>assistant\n");
}

}  // namespace
}  // namespace gw::sim
