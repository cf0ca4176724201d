// Prompts as traces carry them, seen through the parser.

#include <gtest/gtest.h>

#include "inference/parser.h"

namespace gw {
namespace {

PromptMessages Write(ApiKind api, const std::string& members, size_t bytes_max = 1 << 16) {
  std::string body = "{\"model\":\"m\"," + members + "}";
  const size_t size = body.size();
  body.append(InferenceParser::kPadding, ' ');
  InferenceParser parser;
  InferenceRequest request;
  request.api = api;
  PromptMessages written;
  const auto outcome = parser.Parse({body.data(), size}, 1000, &request, &written, bytes_max);
  EXPECT_EQ(outcome, ParseOutcome::kOk) << body;
  EXPECT_LE(written.bytes(), bytes_max);
  return written;
}

std::string Chat(const std::string& messages) {
  return Write(ApiKind::kChatCompletions, "\"messages\":" + messages).messages;
}

// Whether it is JSON as a reader of the attribute reads it.
bool IsJson(const std::string& text) {
  std::string object = "{\"a\":" + text + "}";
  const size_t size = object.size();
  object.append(InferenceParser::kPadding, ' ');
  return InferenceParser().IsObject({object.data(), size});
}

TEST(MessageWriter, AMessageHasItsRoleAndItsTextAsItStandsInTheBody) {
  EXPECT_EQ(Chat(R"([{"role":"system","content":"Be \"brief\".\n"},)"
                 R"({"content":[{"type":"text","text":"h\u00e9"}, {"type":"text","text":"!"}],)"
                 R"("role":"user"}])"),
            R"([{"role":"system","parts":[{"type":"text","content":"Be \"brief\".\n"}]},)"
            R"({"role":"user","parts":[{"type":"text","content":"h\u00e9"},)"
            R"({"type":"text","content":"!"}]}])");
}

TEST(MessageWriter, CallsOfToolsAndWhatTheyGaveAreParts) {
  EXPECT_EQ(
      Chat(R"([{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function",)"
           R"("function":{"name":"weather","arguments":"{\"at\":\"Oslo\"}"}}]},)"
           R"({"role":"tool","tool_call_id":"c1","content":"rain"}])"),
      R"([{"role":"assistant","parts":[{"type":"tool_call","id":"c1","name":"weather",)"
      R"("arguments":"{\"at\":\"Oslo\"}"}]},)"
      R"({"role":"tool","parts":[{"type":"tool_call_response","id":"c1","response":"rain"}]}])");
  EXPECT_EQ(
      Write(ApiKind::kMessages,
            R"("messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"hm"},)"
            R"({"type":"tool_use","id":"c","name":"f","input":{"a":1}}]},)"
            R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"c",)"
            R"("content":[{"type":"text","text":"x"}]}]}])")
          .messages,
      R"([{"role":"assistant","parts":[{"type":"reasoning","content":"hm"},)"
      R"({"type":"tool_call","id":"c","name":"f","arguments":"{\"a\":1}"}]},)"
      R"({"role":"user","parts":[{"type":"tool_call_response","id":"c",)"
      R"("response":"[{\"type\":\"text\",\"text\":\"x\"}]"}]}])");
}

TEST(MessageWriter, WhatIsNoTextIsThereByItsType) {
  EXPECT_EQ(Chat(R"([{"role":"user","content":[{"type":"image_url",)"
                 R"("image_url":{"url":"data:image/png;base64,AAAA"}}]}])"),
            R"([{"role":"user","parts":[{"type":"image_url"}]}])");
  EXPECT_EQ(Write(ApiKind::kCompletions, R"("prompt":[1,2,3])").messages,
            R"([{"role":"user","parts":[{"type":"token_ids"}]}])");
}

TEST(MessageWriter, InstructionsThatStandApartStayApart) {
  const PromptMessages anthropic =
      Write(ApiKind::kMessages, R"("system":[{"type":"text","text":"Be brief."}],)"
                                R"("messages":[{"role":"user","content":"hi"}])");
  EXPECT_EQ(anthropic.system, R"([{"type":"text","content":"Be brief."}])");
  EXPECT_EQ(anthropic.messages, R"([{"role":"user","parts":[{"type":"text","content":"hi"}]}])");
  const PromptMessages responses =
      Write(ApiKind::kResponses, R"("instructions":"Be brief.","input":"hi")");
  EXPECT_EQ(responses.system, anthropic.system);
  EXPECT_EQ(responses.messages, anthropic.messages);
}

TEST(MessageWriter, ItemsOfResponsesAreMessages) {
  EXPECT_EQ(Write(ApiKind::kResponses,
                  R"("input":[{"role":"user","content":[{"type":"input_text","text":"hi"}]},)"
                  R"({"type":"function_call","call_id":"c","name":"f","arguments":"{}"},)"
                  R"({"type":"function_call_output","call_id":"c","output":"x"},)"
                  R"({"type":"reasoning","summary":[]}])")
                .messages,
            R"([{"role":"user","parts":[{"type":"text","content":"hi"}]},)"
            R"({"role":"assistant","parts":[{"type":"tool_call","id":"c","name":"f",)"
            R"("arguments":"{}"}]},)"
            R"({"role":"tool","parts":[{"type":"tool_call_response","id":"c","response":"x"}]},)"
            R"({"role":"assistant","parts":[{"type":"reasoning"}]}])");
}

TEST(MessageWriter, EachPromptOfABatchIsAMessage) {
  EXPECT_EQ(Write(ApiKind::kEmbeddings, R"("input":["a","b"])").messages,
            R"([{"role":"user","parts":[{"type":"text","content":"a"}]},)"
            R"({"role":"user","parts":[{"type":"text","content":"b"}]}])");
  EXPECT_EQ(Write(ApiKind::kChatCompletions, R"("n":1)").messages, "");
}

TEST(MessageWriter, WhatDoesNotFitIsCutBehindAWholeCharacterAndCounted) {
  for (const std::string unit : {"x", "\xC3\xA9", "\\u00e9", "\\ud83d\\ude00", "\\n"}) {
    std::string text;
    while (text.size() < 3000) text += unit;
    for (size_t bytes_max = 1000; bytes_max < 1013; ++bytes_max) {
      const PromptMessages written = Write(ApiKind::kChatCompletions,
                                           R"("messages":[{"role":"user","content":")" + text +
                                               R"("},)" + R"({"role":"user","content":"more"}])",
                                           bytes_max);
      EXPECT_TRUE(IsJson(written.messages)) << written.messages;
      const size_t kept =
          written.messages.size() -
          std::string(R"([{"role":"user","parts":[{"type":"text","content":""}]}])").size();
      EXPECT_EQ(kept % unit.size(), 0);
      EXPECT_EQ(written.cut_bytes, text.size() - kept + 4);
      EXPECT_GT(written.bytes() + 32, bytes_max);
    }
  }
}

TEST(MessageWriter, ManyEmptyMessagesFindNoMoreRoomThanLongOnes) {
  std::string messages = R"({"role":"user","content":""})";
  for (int i = 0; i < 1000; ++i) messages += R"(,{"role":"user","content":""})";
  const PromptMessages written =
      Write(ApiKind::kChatCompletions, "\"messages\":[" + messages + "]", 4096);
  EXPECT_TRUE(IsJson(written.messages));
  EXPECT_EQ(written.cut_bytes, 0);
}

TEST(MessageWriter, ALongRoleIsLeftOut) {
  EXPECT_EQ(Chat(R"([{"role":")" + std::string(65, 'r') + R"(","content":"x"}])"),
            R"([{"role":"","parts":[{"type":"text","content":"x"}]}])");
}

}  // namespace
}  // namespace gw
