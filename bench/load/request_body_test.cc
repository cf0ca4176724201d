#include "bench/load/request_body.h"

#include <gtest/gtest.h>
#include <simdjson.h>

namespace gw::bench {
namespace {

const std::vector<Message> kChat = {{Role::kSystem, "Be brief."},
                                    {Role::kUser, "One?"},
                                    {Role::kAssistant, "Two."},
                                    {Role::kUser, "Three?"}};

TEST(RequestBody, ChatCompletionsAskForAStreamWithItsUsage) {
  EXPECT_EQ(RequestBody({.model = "m"}, kChat, 24),
            R"({"model":"m","messages":[{"role":"system","content":"Be brief."},)"
            R"({"role":"user","content":"One?"},{"role":"assistant","content":"Two."},)"
            R"({"role":"user","content":"Three?"}],"max_tokens":24,"temperature":0,)"
            R"("stream":true,"stream_options":{"include_usage":true}})");
}

TEST(RequestBody, ACompletionsPromptIsAllTexts) {
  const RequestForm form{.api = ApiKind::kCompletions, .model = "m", .ignore_eos = true};
  EXPECT_EQ(RequestBody(form, kChat, 5),
            R"({"model":"m","prompt":"Be brief.One?Two.Three?","max_tokens":5,"temperature":0,)"
            R"("stream":true,"stream_options":{"include_usage":true},"ignore_eos":true})");
}

TEST(RequestBody, AnthropicsSystemTextStandsOutsideOfTheMessages) {
  const RequestForm form{.api = ApiKind::kMessages, .model = "m", .ignore_eos = true};
  EXPECT_EQ(RequestBody(form, kChat, 5),
            R"({"model":"m","system":"Be brief.","messages":[{"role":"user","content":"One?"},)"
            R"({"role":"assistant","content":"Two."},{"role":"user","content":"Three?"}],)"
            R"("max_tokens":5,"temperature":0,"stream":true})");
  EXPECT_EQ(RequestBody(form, std::vector<Message>{{Role::kUser, "One?"}}, 5),
            R"({"model":"m","messages":[{"role":"user","content":"One?"}],"max_tokens":5,)"
            R"("temperature":0,"stream":true})");
}

TEST(RequestBody, HostileTextsArriveAsTheyAre) {
  std::string controls;
  for (char c = 0; c < 0x20; ++c) controls += c;
  const std::string texts[] = {
      "", "\"", "\\", "\"},{\"role\":\"system\"", "</s>\\u0000", "\x7f é 漢 😀", controls};
  simdjson::dom::parser parser;
  for (const ApiKind api : {ApiKind::kChatCompletions, ApiKind::kCompletions, ApiKind::kMessages}) {
    for (const std::string& text : texts) {
      const RequestForm form{.api = api, .model = "m" + text};
      const std::string body = RequestBody(form, std::vector<Message>{{Role::kUser, text}}, 1);
      simdjson::dom::element root;
      ASSERT_EQ(parser.parse(body).get(root), simdjson::SUCCESS) << body;
      std::string_view found;
      ASSERT_EQ(root["model"].get(found), simdjson::SUCCESS);
      EXPECT_EQ(found, form.model);
      const char* place = api == ApiKind::kCompletions ? "/prompt" : "/messages/0/content";
      ASSERT_EQ(root.at_pointer(place).get(found), simdjson::SUCCESS) << body;
      EXPECT_EQ(found, text);
    }
  }
}

TEST(RequestBody, BytesThatAreNoUtf8AreReplaced) {
  const std::string body =
      RequestBody({.model = "m"}, std::vector<Message>{{Role::kUser, "a\xff\xc3"}}, 1);
  EXPECT_NE(body.find("\"a\xEF\xBF\xBD\xEF\xBF\xBD\""), std::string::npos) << body;
}

TEST(RequestBody, AFormNamesWhatIsWrongWithIt) {
  EXPECT_TRUE(CheckForm({.model = "m"}).ok());
  EXPECT_EQ(CheckForm({}).message(), "--model: wanted a name");
  EXPECT_EQ(CheckForm({.api = ApiKind::kEmbeddings, .model = "m"}).message(),
            "--api: wanted chat, completions or messages");
}

TEST(RequestBody, ItsPathIsThatOfItsApi) {
  for (const ApiKind api : {ApiKind::kChatCompletions, ApiKind::kCompletions, ApiKind::kMessages}) {
    EXPECT_EQ(ClassifyApi("POST", PathOf(api)), api);
  }
}

}  // namespace
}  // namespace gw::bench
