#include "inference/response.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "inference/recorded.h"

namespace gw {
namespace {

// All that a reader says, comparable and printable.
struct Facts {
  int64_t prompt = -1, completion = -1, cached = -1;
  uint32_t output_events = 0;
  bool done = false, abort = false, error = false;
  bool operator==(const Facts&) const = default;
};
void PrintTo(const Facts& f, std::ostream* out) {
  *out << "{" << f.prompt << "," << f.completion << "," << f.cached << ", " << f.output_events
       << (f.done ? " done" : "") << (f.abort ? " abort" : "") << (f.error ? " error" : "") << "}";
}

Facts FactsOf(const ResponseReader& reader) {
  return {reader.usage().prompt_tokens,
          reader.usage().completion_tokens,
          reader.usage().cached_tokens,
          reader.output_events(),
          reader.saw_done(),
          reader.saw_abort(),
          reader.saw_error_event()};
}

Facts Read(std::string_view body, bool stream, ApiKind api = ApiKind::kChatCompletions) {
  ResponseReader reader;
  reader.Reset(api, stream);
  reader.Feed(body);
  reader.Finish();
  return FactsOf(reader);
}
Facts ReadStream(std::string_view body) { return Read(body, true); }
Facts ReadBody(std::string_view body) { return Read(body, false); }

TEST(RecordedResponses, AreReadAlikeHoweverTheyAreCut) {
  const struct {
    std::string name;
    bool stream;
    Facts facts;
  } cases[] = {
      {"vllm-0.32.0/chat_stream", true, {-1, -1, -1, 14, true}},
      {"vllm-0.32.0/chat_stream_usage", true, {136, 16, 128, 13, true}},
      {"vllm-0.32.0/chat_stream_continuous_usage", true, {136, 4, 128, 3, true}},
      {"vllm-0.32.0/chat_stream_n2", true, {-1, -1, -1, 6, true}},
      {"vllm-0.32.0/completion_stream", true, {6, 8, 0, 8, true}},
      {"vllm-0.32.0/messages_stream", true, {14, 4, 0, 4, true}},
      {"vllm-0.32.0/sigterm_tail", true, {-1, -1, -1, 1, true, true}},
      {"vllm-0.32.0/engine_killed_tail", true, {-1, -1, -1, 0, true, false, true}},
      {"vllm-0.32.0/stream_error", true, {-1, -1, -1, 0, true, false, true}},
      {"vllm-0.32.0/chat_nostream", false, {243, 16, 0}},
      {"vllm-0.32.0/chat_return_token_ids", false, {64, 3, 32}},
      {"vllm-0.32.0/chat_lora", false, {172, 4, 0}},
      {"vllm-0.32.0/completion_nostream", false, {6, 8, 0}},
      {"vllm-0.32.0/completion_batch", false, {4, 8, 0}},
      {"vllm-0.32.0/responses_nostream", false, {14, 8, 0}},
      {"vllm-0.32.0/messages_nostream", false, {14, 8, 0}},
      {"vllm-0.32.0/models", false, {}},
      {"vllm-0.32.0/err_unknown_model", false, {}},
      {"vllm-0.14.1/chat_stream", true, {-1, -1, -1, 13, true}},
      {"vllm-0.14.1/chat_stream_usage", true, {136, 16, 128, 12, true}},
      {"vllm-0.14.1/chat_stream_continuous_usage", true, {136, 4, 128, 2, true}},
      {"vllm-0.14.1/chat_stream_n2", true, {-1, -1, -1, 6, true}},
      {"vllm-0.14.1/completion_stream", true, {6, 8, -1, 8, true}},
      {"vllm-0.14.1/messages_stream", true, {14, 4, -1, 3, true}},
      {"vllm-0.14.1/chat_nostream", false, {243, 16, -1}},
      {"vllm-0.14.1/chat_return_token_ids", false, {64, 3, 32}},
      {"vllm-0.14.1/responses_nostream", false, {14, 8, 0}},
      {"vllm-0.14.1/messages_nostream", false, {14, 8, -1}},
  };
  for (const auto& c : cases) {
    const std::string body = internal::RecordedBody(c.name + ".response");
    ASSERT_FALSE(body.empty()) << c.name;
    EXPECT_EQ(Read(body, c.stream), c.facts) << c.name;
    ResponseReader reader;
    for (size_t cut = 0; cut <= body.size(); ++cut) {
      reader.Reset(ApiKind::kChatCompletions, c.stream);
      reader.Feed(std::string_view(body).substr(0, cut));
      reader.Feed(std::string_view(body).substr(cut));
      reader.Finish();
      ASSERT_EQ(FactsOf(reader), c.facts) << c.name << " cut at " << cut;
    }
    reader.Reset(ApiKind::kChatCompletions, c.stream);
    for (const char& byte : body) reader.Feed({&byte, 1});
    reader.Finish();
    EXPECT_EQ(FactsOf(reader), c.facts) << c.name << " byte by byte";
  }
}

TEST(ResponseReader, OutputIsTextReasoningToolCallsOrTokenIds) {
  const struct {
    std::string_view data;
    uint32_t output_events;
  } cases[] = {
      {R"({"choices":[{"delta":{"role":"assistant","content":""}}]})", 0},
      {R"({"choices":[{"delta":{"content":"x"}}]})", 1},
      {R"({"choices":[{"delta":{"content":"\n"}}]})", 1},
      {R"({"choices":[{"delta":{"content":null}}]})", 0},
      {R"({"choices":[{"delta":{"content":[]}}]})", 0},
      {R"({"choices":[{"delta":{"content":"","reasoning_content":"hm"}}]})", 1},
      {R"({"choices":[{"delta":{"reasoning":"hm"}}]})", 1},
      {R"({"choices":[{"delta":{"refusal":"no"}}]})", 1},
      {R"({"choices":[{"delta":{"tool_calls":[]}}]})", 0},
      {R"({"choices":[{"delta":{"tool_calls":[ {"index":0}]}}]})", 1},
      {R"({"choices":[{"delta":{"content":""},"token_ids":[5]}]})", 1},
      {R"({"choices":[{"delta":{"content":""},"token_ids":[ ]}]})", 0},
      {R"({"choices":[{"delta":{"content":""}},{"delta":{"content":"x"}}]})", 1},
      {R"({"choices":[{"text":""}]})", 0},
      {R"({"choices":[{"text":"x"}]})", 1},
      {R"({"choices":[],"usage":{"prompt_tokens":1}})", 0},
      {R"({"type":"content_block_delta","delta":{"type":"text_delta","text":"x"}})", 1},
      {R"({"type":"content_block_delta","delta":{"type":"thinking_delta","thinking":"x"}})", 1},
      {R"({"type":"content_block_delta","delta":{"type":"input_json_delta","partial_json":"x"}})",
       1},
      {R"({"type":"content_block_start","content_block":{"type":"text","text":""}})", 0},
      {R"({"type":"message_delta","delta":{"stop_reason":"end_turn"}})", 0},
      {R"({"type":"response.output_text.delta","delta":"x"})", 1},
      {R"({"type":"response.output_text.delta","delta":""})", 0},
      {R"({"type":"response.created","response":{"output":[]}})", 0},
      {R"({"content":"x","text":"x","tool_calls":[1]})", 0},
      {R"([{"choices":[{"text":"x"}]}])", 0},
  };
  for (const auto& c : cases) {
    const Facts facts = ReadStream("data: " + std::string(c.data) + "\n\n");
    EXPECT_EQ(facts.output_events, c.output_events) << c.data;
  }
}

TEST(ResponseReader, UsageOfEachDialect) {
  EXPECT_EQ(
      ReadStream("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3,"
                 "\"prompt_tokens_details\":{\"cached_tokens\":4}}}\n\n"),
      (Facts{7, 3, 4}));
  EXPECT_EQ(
      ReadStream("event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":"
                 "{\"usage\":{\"input_tokens\":9,\"input_tokens_details\":{\"cached_tokens\":8},"
                 "\"output_tokens\":2}}}\n\n"),
      (Facts{9, 2, 8, 0, true}));
  // Anthropic's input_tokens leave out the cached ones.
  EXPECT_EQ(
      ReadStream("event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":"
                 "{\"input_tokens\":5,\"cache_read_input_tokens\":20,"
                 "\"cache_creation_input_tokens\":3,\"output_tokens\":1}}}\n\n"
                 "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{},\"usage\":"
                 "{\"output_tokens\":12}}\n\n"
                 "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"),
      (Facts{28, 12, 20, 0, true}));
}

TEST(ResponseReader, OfRunningTotalsTheLastCounts) {
  EXPECT_EQ(ReadStream("data: {\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":1}}\n\n"
                       "data: {\"usage\":null}\n\n"
                       "data: {\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2}}\n\n"),
            (Facts{7, 2, -1}));
}

TEST(ResponseReader, TextThatLooksLikeFactsIsText) {
  const std::string tricks[] = {
      R"({"choices":[{"delta":{"content":"\"usage\":{\"prompt_tokens\":1}"}}]})",
      R"({"choices":[{"delta":{"content":"x\\","role":"usage"}}],"model":"{\"error\":1}"})",
      R"({"choices":[{"delta":{"content":"data: [DONE]\n\n"},"logprobs":{"usage":)"
      R"({"prompt_tokens":1},"finish_reason":"abort","error":{}}}]})",
      R"({"choices":[{"delta":{"content":"x","usage":{"prompt_tokens":1},"error":{"a":1}}}]})",
      R"({"choices":[{"delta":{"content":"x"},"error_count":1}],"x":{"error":{"message":"no"}}})",
      R"({"tools":[{"usage":{"input_tokens":5},"finish_reason":"abort"}],)"
      R"("choices":[{"text":"x"}]})",
  };
  for (const std::string& trick : tricks) {
    EXPECT_EQ(ReadStream("data: " + trick + "\n\n"), (Facts{-1, -1, -1, 1})) << trick;
  }
  EXPECT_EQ(ReadBody(R"({"metadata":{"usage":{"prompt_tokens":1}},"usage":{"prompt_tokens":2,"x":)"
                     R"({"completion_tokens":3}},"output":[{"usage":{"prompt_tokens":4}}]})"),
            (Facts{2, -1, -1}));
}

TEST(ResponseReader, OddCountsAreNoCounts) {
  for (const char* count : {"-5", "1.5", "1e3", "\"7\"", "null", "true", "{}", "[]",
                            "99999999999999999999", "{\"a\":7}"}) {
    EXPECT_EQ(ReadBody(std::string(R"({"usage":{"prompt_tokens":)") + count +
                       R"(,"completion_tokens":6}})"),
              (Facts{-1, 6, -1}))
        << count;
  }
}

TEST(ResponseReader, TellsAbortsAndErrors) {
  EXPECT_TRUE(ReadStream("data: {\"choices\":[{\"finish_reason\":\"abort\"}]}\n\n").abort);
  EXPECT_FALSE(ReadStream("data: {\"choices\":[{\"finish_reason\":\"stop\"}]}\n\n").abort);
  EXPECT_TRUE(ReadBody("{\"choices\":[{\"finish_reason\":\"abort\"}]}").abort);
  for (const char* event :
       {"data: {\"error\":{\"message\":\"x\"}}", "data: {\"error\":\"x\"}",
        "data: {\"error\": {\"code\": 500}}",
        "event: error\ndata: {\"type\":\"error\",\"error\":{}}",
        "event: error\ndata: {\"message\":\"x\"}", "data: {\"object\":\"error\",\"message\":\"x\"}",
        "data: {\"type\":\"response.failed\",\"response\":{}}",
        "data: {\"type\":\"error\",\"code\":\"x\"}"}) {
    EXPECT_TRUE(ReadStream(std::string(event) + "\n\n").error) << event;
  }
  EXPECT_FALSE(ReadStream("data: {\"error\":null}\n\n").error);
  EXPECT_FALSE(ReadStream("event: errors\ndata: {}\n\n").error);
  EXPECT_FALSE(ReadStream("event: error\n\ndata: {}\n\n").error);  // an event without data is none
}

TEST(ResponseReader, TellsTheEnd) {
  for (const char* event :
       {"data: [DONE]", "data:[DONE]", "data: [DONE] ", "event: x\ndata: [DONE]",
        "data: {\"type\":\"message_stop\"}", "data: {\"type\":\"response.completed\"}",
        "data: {\"type\":\"response.incomplete\"}", "data: {\"type\":\"response.failed\"}"}) {
    EXPECT_TRUE(ReadStream(std::string(event) + "\n\n").done) << event;
  }
  for (const char* event : {"data: [DONE]]", "data: [DON]", "data: \"[DONE]\"", "data: x[DONE]",
                            "datax: [DONE]", ": [DONE]", "data: {\"a\":\"[DONE]\"}"}) {
    EXPECT_FALSE(ReadStream(std::string(event) + "\n\n").done) << event;
  }
}

TEST(ResponseReader, LinesMayEndInAnyOfTheThreeWays) {
  const std::string event =
      "event: x@id: 1@: comment@data: {\"usage\":@data:{\"prompt_tokens\":5}}@@"
      "data: [DONE]@@";
  for (const std::string end : {"\n", "\r\n", "\r"}) {
    std::string stream;
    for (const char c : event) stream += c == '@' ? end : std::string(1, c);
    EXPECT_EQ(ReadStream(stream), (Facts{5, -1, -1, 0, true})) << end.size();
  }
}

TEST(ResponseReader, AnEventThatIsCutOffSaysNothing) {
  EXPECT_EQ(ReadStream("data: {\"usage\":{\"prompt_tokens\":5}"), Facts{});
  EXPECT_EQ(ReadBody("{\"usage\":{\"prompt_tokens\":5}"), Facts{});
  // Complete but for the blank line, which some servers leave out at the end.
  EXPECT_EQ(ReadStream("data: {\"usage\":{\"prompt_tokens\":5}}\n"), (Facts{5}));
  EXPECT_TRUE(ReadStream("data: [DONE]").done);
}

TEST(ResponseReader, KnowsWhetherItStandsBetweenEvents) {
  ResponseReader reader;
  reader.Reset(ApiKind::kChatCompletions, true);
  EXPECT_TRUE(reader.at_event_boundary());
  const struct {
    const char* bytes;
    bool boundary;
  } steps[] = {{"d", false},          {"ata: {", false}, {"}", false},
               {"\n", false},         {"\n", true},      {"\n", true},
               {"event: x\n", false}, {"\r\n", true},    {"data: [DONE]\n\n", true}};
  for (const auto& step : steps) {
    reader.Feed(step.bytes);
    EXPECT_EQ(reader.at_event_boundary(), step.boundary) << step.bytes;
  }
}

TEST(ResponseReader, GarbageDoesNoHarm) {
  const std::string pieces[] = {"{",
                                "}",
                                "[",
                                "]",
                                "\"",
                                "\\",
                                ":",
                                ",",
                                "data: ",
                                "\n",
                                "\n\n",
                                "\r",
                                "usage",
                                "\"usage\"",
                                "\"choices\":[{",
                                "null",
                                "12",
                                "\"error\":",
                                "\"delta\":{\"content\":\"",
                                "event: ",
                                "error",
                                "\"type\":\"",
                                "\"finish_reason\":\"abort\"",
                                " ",
                                std::string(100, 'x')};
  for (uint64_t seed = 0; seed < 3000; ++seed) {
    Random random(seed);
    std::string body = random.Below(2) ? "data: {" : "{";
    for (uint64_t i = random.Below(60); i > 0; --i) body += pieces[random.Below(25)];
    const bool stream = random.Below(2) == 0;
    ResponseReader reader;
    reader.Reset(ApiKind::kChatCompletions, stream);
    for (size_t at = 0; at < body.size();) {
      const size_t bytes = std::min<size_t>(1 + random.Below(9), body.size() - at);
      reader.Feed(std::string_view(body).substr(at, bytes));
      at += bytes;
    }
    reader.Finish();
    ASSERT_EQ(FactsOf(reader), Read(body, stream)) << body;
  }
}

TEST(ResponseReader, ADeepAnswerIsPassedOver) {
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  EXPECT_EQ(ReadBody("{\"x\":" + deep + ",\"usage\":{\"prompt_tokens\":5}}"), (Facts{5}));
}

TEST(ResponseReader, ResetForgetsEverything) {
  ResponseReader reader;
  reader.Reset(ApiKind::kChatCompletions, true);
  reader.Feed(
      "data: {\"error\":1,\"usage\":{\"prompt_tokens\":5}}\n\ndata: [DONE]\n\ndata: {\"choi");
  reader.Reset(ApiKind::kChatCompletions, false);
  reader.Feed("{}");
  reader.Finish();
  EXPECT_EQ(FactsOf(reader), Facts{});
}

std::string IdOf(std::string_view body, bool stream, ApiKind api, size_t piece) {
  ResponseReader reader;
  reader.Reset(api, stream);
  for (size_t at = 0; at < body.size(); at += piece) reader.Feed(body.substr(at, piece));
  reader.Finish();
  return std::string(reader.response_id());
}

TEST(ResponseId, IsThatOfTheResponseWhereverItsBytesAreCut) {
  const std::string whole =
      R"({"usage":{"id":"no"},"id":"resp_0123456789abcdef","object":"response","output":)"
      R"([{"id":"msg_1","type":"message"}],"previous_response_id":"resp_0"})";
  const std::string stream =
      "event: response.created\ndata: {\"type\":\"response.created\",\"response\":"
      "{\"output\":[{\"id\":\"msg_1\"}],\"id\":\"resp_0123456789abcdef\"}}\n\n"
      "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":"
      "{\"id\":\"resp_other\"}}\n\n";
  for (size_t piece = 1; piece < 40; ++piece) {
    EXPECT_EQ(IdOf(whole, false, ApiKind::kResponses, piece), "resp_0123456789abcdef");
    EXPECT_EQ(IdOf(stream, true, ApiKind::kResponses, piece), "resp_0123456789abcdef");
  }
  EXPECT_EQ(IdOf(whole, false, ApiKind::kChatCompletions, 1000), "");
  EXPECT_EQ(IdOf(R"({"id":")" + std::string(65, 'a') + R"("})", false, ApiKind::kResponses, 7), "")
      << "longer than any that is known";
  EXPECT_EQ(IdOf(R"({"id":7})", false, ApiKind::kResponses, 1), "");
}

// Whatever the last byte of a read is.
FinishReason FinishOf(std::string_view body, bool stream) {
  ResponseReader whole;
  whole.Reset(ApiKind::kChatCompletions, stream);
  whole.Feed(body);
  whole.Finish();
  for (size_t cut = 0; cut <= body.size(); ++cut) {
    ResponseReader reader;
    reader.Reset(ApiKind::kChatCompletions, stream);
    reader.Feed(body.substr(0, cut));
    reader.Feed(body.substr(cut));
    reader.Finish();
    EXPECT_EQ(reader.finish_reason(), whole.finish_reason()) << cut;
  }
  return whole.finish_reason();
}

TEST(FinishReasons, OfEachDialect) {
  const struct {
    std::string_view body;
    bool stream;
    FinishReason reason;
  } cases[] = {
      {R"({"choices":[{"message":{"content":"a"},"finish_reason":"stop"}]})", false,
       FinishReason::kStop},
      {R"({"choices":[{"finish_reason":"tool_calls"},{"finish_reason":"length"}]})", false,
       FinishReason::kLength},
      {R"({"choices":[{"finish_reason":"content_filter"},{"finish_reason":"stop"}]})", false,
       FinishReason::kAbnormal},
      {R"({"choices":[{"finish_reason":"something_new"}]})", false, FinishReason::kAbnormal},
      {R"({"choices":[{"finish_reason":null}]})", false, FinishReason::kUnknown},
      {R"({"choices":[{"finish_reason":""}]})", false, FinishReason::kUnknown},
      {R"({"type":"message","stop_reason":"max_tokens"})", false, FinishReason::kLength},
      {R"({"object":"response","status":"completed","output":[{"status":"in_progress"}]})", false,
       FinishReason::kStop},
      {R"({"object":"response","status":"incomplete"})", false, FinishReason::kLength},
      {"data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":null}]}\n\n"
       "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}\n\n"
       "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\ndata: [DONE]\n\n",
       true, FinishReason::kLength},
      {"event: message_delta\n"
       "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}\n\n",
       true, FinishReason::kStop},
      {"data: {\"type\":\"response.completed\",\"response\":{\"status\":\"completed\"}}\n\n", true,
       FinishReason::kStop},
      {"data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"abort\"}]}\n\n",
       true, FinishReason::kAbnormal},
  };
  for (const auto& c : cases) EXPECT_EQ(FinishOf(c.body, c.stream), c.reason) << c.body;
}

}  // namespace
}  // namespace gw
