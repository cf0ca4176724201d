// How prompts are rendered, seen through the parser: what the text is for each dialect, and that it
// changes exactly where the prompt changes.

#include <gtest/gtest.h>

#include <algorithm>

#include "inference/parser.h"
#include "inference/recorded.h"

namespace gw {
namespace {

struct Rendered {
  std::string text;
  InferenceRequest request;
};

// `members` go into the request beside the model.
Rendered Render(ApiKind api, const std::string& members, size_t chars_max = 1 << 20) {
  std::string body = "{\"model\":\"m\"," + members + "}";
  const size_t size = body.size();
  body.append(InferenceParser::kPadding, ' ');
  InferenceParser parser;
  Rendered rendered;
  rendered.request.api = api;
  const auto outcome = parser.Parse({body.data(), size}, chars_max, &rendered.request);
  EXPECT_EQ(outcome, ParseOutcome::kOk) << body << " " << parser.detail();
  rendered.text = parser.prompt().Joined();
  return rendered;
}

std::string BadField(ApiKind api, const std::string& members) {
  std::string body = "{\"model\":\"m\"," + members + "}";
  const size_t size = body.size();
  body.append(InferenceParser::kPadding, ' ');
  InferenceParser parser;
  InferenceRequest request;
  request.api = api;
  if (parser.Parse({body.data(), size}, 100, &request) != ParseOutcome::kBadField) return "";
  return std::string(parser.detail());
}

std::string Chat(const std::string& messages) {
  return Render(ApiKind::kChatCompletions, "\"messages\":" + messages).text;
}

size_t SharedChars(std::string_view a, std::string_view b) {
  return static_cast<size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first -
                             a.begin());
}

TEST(RenderChat, MarksRolesAndEnds) {
  EXPECT_EQ(Chat(R"([{"role":"system","content":"Be \"brief\"."},{"content":"hi","role":"user"}])"),
            "<|im_start|>system\nBe \\\"brief\\\".<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n");
}

// Python's json escapes all that is not ASCII, JavaScript's nothing of it, and PHP's every slash.
TEST(RenderChat, TheSameTextIsThePromptHoweverItWasEscaped) {
  const auto of = [](const std::string& text) {
    return Render(ApiKind::kChatCompletions, R"("messages":[{"content":")" + text + "\"}]");
  };
  const Rendered plain = of("caf\xC3\xA9 \xF0\x9F\x98\x80 / \\n \\\" \\\\ \\u0001");
  const Rendered escaped = of(R"(caf\u00e9 \ud83d\uDE00 \/ \u000a \u0022 \u005C \u0001)");
  EXPECT_EQ(plain.text, escaped.text);
  EXPECT_EQ(plain.request.prompt_chars, escaped.request.prompt_chars);
  const size_t frame = of("").request.prompt_chars;
  EXPECT_EQ(plain.request.prompt_chars - frame, sizeof("caf__ ____ / n q b c") - 1);
}

TEST(RenderChat, TextPartsAreJoinedLikeOneString) {
  EXPECT_EQ(
      Chat(
          R"([{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}])"),
      Chat(R"([{"role":"user","content":"ab"}])"));
}

TEST(RenderChat, DifferentImagesRenderDifferentlyAndEqualOnesEqually) {
  const auto image = [](const std::string& url) {
    return Chat(R"([{"role":"user","content":[{"type":"text","text":"look"},{"type":"image_url",)"
                R"("image_url":{"url":")" +
                url + R"("}}]}])");
  };
  EXPECT_EQ(image("data:a"), image("data:a"));
  EXPECT_NE(image("data:a"), image("data:b"));
  EXPECT_EQ(SharedChars(image("data:a"), image("data:b")), 21u);  // "<|im_start|>user\nlook"
  EXPECT_EQ(image("data:a").size(), image("data:bbbbbbbbbbbbbbbbb").size());
}

TEST(RenderChat, ToolsComeFirstAsTheyStand) {
  const Rendered rendered =
      Render(ApiKind::kChatCompletions,
             R"("messages":[{"role":"user","content":"x"}],"tools" : [ {"type": "function"} ])");
  EXPECT_EQ(rendered.text, "[ {\"type\": \"function\"} ]<|im_start|>user\nx<|im_end|>\n");
  EXPECT_EQ(
      Render(ApiKind::kChatCompletions,
             R"("tools":[ {"a":"\"]"}],"x":[],"messages":[{"role":"user","content":"x"}],"y":{})")
          .text,
      R"([ {"a":"\"]"}])"
      "<|im_start|>user\nx<|im_end|>\n");
  EXPECT_EQ(Render(ApiKind::kChatCompletions, R"("messages":[],"tools":[])").text, "");
  EXPECT_EQ(Render(ApiKind::kChatCompletions, R"("messages":[],"tools":null)").text, "");
}

TEST(RenderChat, ToolCallsArePartOfThePrompt) {
  const std::string call =
      R"([{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function",)"
      R"("function":{"name":"f","arguments":"{\"a\":1}"}}]}])";
  EXPECT_EQ(Chat(call), "<|im_start|>assistant\nf\n{\\\"a\\\":1}\n<|im_end|>\n");
  EXPECT_EQ(Chat(R"([{"role":"assistant","function_call":{"name":"f","arguments":"x"}}])"),
            "<|im_start|>assistant\nf\nx\n<|im_end|>\n");
}

TEST(RenderChat, CountsAllOfItAndKeepsTheBeginning) {
  const Rendered rendered = Render(ApiKind::kChatCompletions,
                                   R"("messages":[{"role":"user","content":"0123456789"}])", 20);
  EXPECT_EQ(rendered.text, "<|im_start|>user\n012");
  EXPECT_EQ(rendered.request.prompt_chars, 17u + 10 + 11);
  EXPECT_EQ(rendered.request.prompt_tokens_estimate, 38u / 4);
}

TEST(RenderCompletion, TextStandsAlone) {
  EXPECT_EQ(Render(ApiKind::kCompletions, R"("prompt":"once")").text, "once");
  EXPECT_EQ(Render(ApiKind::kCompletions, R"("x":1)").text, "");
  EXPECT_EQ(Render(ApiKind::kCompletions, R"("prompt":[])").text, "");
}

TEST(RenderCompletion, OfABatchTheFirstIsRenderedAndAllAreCounted) {
  const Rendered rendered = Render(ApiKind::kCompletions, R"("prompt":["one","three","five"])");
  EXPECT_EQ(rendered.text, "one");
  EXPECT_EQ(rendered.request.prompts, 3u);
  EXPECT_EQ(rendered.request.prompt_chars, 12u);
}

TEST(RenderCompletion, TokenIdsAreFourBytesEachAndCountExactly) {
  const Rendered one = Render(ApiKind::kCompletions, R"("prompt":[1,258,3])");
  EXPECT_EQ(one.text, std::string("\1\0\0\0\2\1\0\0\3\0\0\0", 12));
  EXPECT_EQ(one.request.prompt_tokens_estimate, 3u);
  EXPECT_EQ(one.request.prompts, 1u);
  const Rendered batch = Render(ApiKind::kCompletions, R"("prompt":[[1,2],[3,4,5]])");
  EXPECT_EQ(batch.text, std::string("\1\0\0\0\2\0\0\0", 8));
  EXPECT_EQ(batch.request.prompt_tokens_estimate, 5u);
  EXPECT_EQ(batch.request.prompts, 2u);
}

TEST(RenderCompletion, RefusesWhatNoServerTakes) {
  EXPECT_EQ(BadField(ApiKind::kCompletions, R"("prompt":7)"), "prompt");
  EXPECT_EQ(BadField(ApiKind::kCompletions, R"("prompt":{})"), "prompt");
  EXPECT_EQ(BadField(ApiKind::kCompletions, R"("prompt":[true])"), "prompt");
  EXPECT_EQ(BadField(ApiKind::kCompletions, R"("prompt":[1,"a"])"), "prompt");
  EXPECT_EQ(BadField(ApiKind::kEmbeddings, R"("input":false)"), "input");
  EXPECT_EQ(BadField(ApiKind::kResponses, R"("input":4)"), "input");
  EXPECT_EQ(BadField(ApiKind::kResponses, R"("input":["a"])"), "input");
  EXPECT_EQ(BadField(ApiKind::kResponses, R"("instructions":4)"), "instructions");
  EXPECT_EQ(BadField(ApiKind::kMessages, R"("system":4)"), "system");
}

TEST(RenderEmbedding, TakesTextsIdsAndChats) {
  EXPECT_EQ(Render(ApiKind::kEmbeddings, R"("input":"text")").text, "text");
  EXPECT_EQ(Render(ApiKind::kEmbeddings, R"("input":["a","b"])").request.prompts, 2u);
  EXPECT_EQ(Render(ApiKind::kEmbeddings, R"("input":[5])").request.prompt_tokens_estimate, 1u);
  EXPECT_EQ(Render(ApiKind::kEmbeddings, R"("messages":[{"role":"user","content":"x"}])").text,
            "<|im_start|>user\nx<|im_end|>\n");
}

TEST(RenderResponses, InstructionsThenInput) {
  EXPECT_EQ(Render(ApiKind::kResponses, R"("input":"hi","instructions":"be brief")").text,
            "<|im_start|>system\nbe brief<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n");
  EXPECT_EQ(Render(ApiKind::kResponses,
                   R"("input":[{"role":"user","content":[{"type":"input_text","text":"hi"}]},)"
                   R"({"type":"function_call","id":"x","call_id":"c","name":"f","arguments":"{}"},)"
                   R"({"type":"function_call_output","call_id":"c","output":"42"}])")
                .text,
            "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\nf\n{}\n<|im_end|>\n"
            "<|im_start|>tool\n42<|im_end|>\n");
}

TEST(RenderResponses, APreviousResponseSeparatesEqualInputs) {
  const auto after = [](const char* id) {
    return Render(ApiKind::kResponses,
                  std::string(R"("input":"hi","previous_response_id":")") + id + "\"")
        .text;
  };
  EXPECT_EQ(SharedChars(after("a"), after("b")), 0u);
}

TEST(RenderMessages, SystemMessagesAndBlocks) {
  EXPECT_EQ(Render(ApiKind::kMessages,
                   R"("messages":[{"role":"user","content":"hi"}],"system":"be brief")")
                .text,
            "<|im_start|>system\nbe brief<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n");
  EXPECT_EQ(Render(ApiKind::kMessages,
                   R"("system":[{"type":"text","text":"a"},{"type":"text","text":"b"}])")
                .text,
            "<|im_start|>system\nab<|im_end|>\n");
  EXPECT_EQ(
      Render(ApiKind::kMessages,
             R"("messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"hm",)"
             R"("signature":"s"},{"type":"tool_use","id":"t","name":"f","input":{"a":[1,"b"]}}]},)"
             R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":)"
             R"([{"type":"text","text":"42"}]}]}])")
          .text,
      "<|im_start|>assistant\nhmf\n{a:[1,\"b\",],}\n<|im_end|>\n<|im_start|>user\n42<|im_end|>\n");
}

TEST(RenderMessages, CacheMarkersAndAttributionChangeNothing) {
  EXPECT_EQ(Render(ApiKind::kMessages,
                   R"("system":[{"type":"text","text":"x-anthropic-billing-header: cch=1234;"},)"
                   R"({"type":"text","text":"a","cache_control":{"type":"ephemeral"}}])")
                .text,
            Render(ApiKind::kMessages, R"("system":[{"type":"text","text":"a"}])").text);
  const std::string image = R"({"type":"image","source":{"type":"base64","data":"QUJD"})";
  const auto with = [&image](const char* rest) {
    return Render(ApiKind::kMessages,
                  R"("messages":[{"role":"user","content":[)" + image + rest + "}]}]")
        .text;
  };
  EXPECT_EQ(with(""), with(R"(,"cache_control":{"type":"ephemeral"})"));
  EXPECT_NE(with(""), with(R"(,"title":"x")"));
}

// The two rounds of one conversation in the users' manifests: the second begins with the first's
// message, so they share at least six blocks of 64 characters.
TEST(RenderChat, TheRoundsOfTheManifestsShareTheirBeginning) {
  const auto prompt = [](const char* file) {
    std::string body = internal::ReadTestData(file);
    const size_t size = body.size();
    body.append(InferenceParser::kPadding, ' ');
    InferenceParser parser;
    InferenceRequest request;
    request.api = ApiKind::kChatCompletions;
    EXPECT_EQ(parser.Parse({body.data(), size}, 64 * 256, &request), ParseOutcome::kOk);
    EXPECT_EQ(request.requested_model, "/models/Qwen3-32B");
    EXPECT_TRUE(request.stream);
    return parser.prompt().Joined();
  };
  const std::string first = prompt("round1.json"), second = prompt("round2.json");
  EXPECT_EQ(SharedChars(first, second), first.size());
  EXPECT_EQ(first.size(), 414u);
  EXPECT_GE(SharedChars(first, second) / 64, 6u);
}

}  // namespace
}  // namespace gw
