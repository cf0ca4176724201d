// What the replicas say, against what real vLLM servers were recorded to say: the same members, in
// the same places.

#include "sim/server/answer.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "http/h1_parser.h"
#include "sim/server/test_client.h"

namespace gw::sim {
namespace {

// The body of a recorded answer.
std::string Recorded(const std::string& name) {
  std::ifstream file(std::string(PENSTOCK_SOURCE_DIR) + "/test/data/inference/vllm-0.32.0/" + name +
                         ".response.http",
                     std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  EXPECT_FALSE(bytes.empty()) << name;
  http::ResponseParser parser;
  std::string body;
  for (std::string_view in = bytes;;) {
    const http::H1Step step = parser.Next(in);
    in.remove_prefix(step.consumed);
    if (step.event == http::H1Event::kBody) body.append(step.body);
    if (step.event == http::H1Event::kEnd) return body;
    if (step.event == http::H1Event::kNeedMore || step.event == http::H1Event::kError) {
      ADD_FAILURE() << name << " is not a whole answer";
      return body;
    }
  }
}

// The places of all members: "choices/0/index". Of a list only the first element counts.
void CollectPlaces(simdjson::dom::element element, const std::string& place,
                   std::vector<std::string>* places) {
  simdjson::dom::object object;
  simdjson::dom::array array;
  if (!element.get(object)) {
    for (const auto& field : object) {
      CollectPlaces(field.value, place + "/" + std::string(field.key), places);
    }
  } else if (!element.get(array)) {
    if (array.size() > 0) CollectPlaces(array.at(0).value(), place + "/0", places);
  } else {
    places->push_back(place);
  }
}

std::vector<std::string> PlacesOf(std::string_view json) {
  simdjson::dom::parser parser;
  std::vector<std::string> places;
  const simdjson::padded_string padded(json);
  simdjson::dom::element root;
  EXPECT_FALSE(parser.parse(padded).get(root)) << json;
  CollectPlaces(root, "", &places);
  std::sort(places.begin(), places.end());
  return places;
}

std::vector<std::string> EventsOf(std::string_view body) {
  std::vector<std::string> events;
  size_t read = 0;
  TakeEvents(body, &read, &events);
  EXPECT_EQ(read, body.size());
  return events;
}

class Collect final : public EventSink {
 public:
  void Event(std::string_view event) override { text.append(event); }
  std::string text;
};

Answer AnswerOf(Dialect dialect, uint32_t tokens, bool include_usage = false) {
  Answer answer;
  answer.dialect = dialect;
  answer.include_usage = include_usage;
  answer.id = "id";
  answer.model = "m\"";
  answer.prompt_tokens = 10;
  answer.cached_tokens = 4;
  answer.output_tokens = tokens;
  for (uint32_t i = 0; i < tokens; ++i) AppendOutputToken(5, i, &answer.text);
  return answer;
}

std::string BodyOf(Dialect dialect, FinishReason reason = FinishReason::kLength) {
  std::string body;
  AppendAnswerBody(AnswerOf(dialect, 3), reason, &body);
  return body;
}

std::string StreamOf(Dialect dialect, uint32_t tokens, bool include_usage) {
  Answer answer = AnswerOf(dialect, tokens, include_usage);
  StreamWriter writer;
  Collect sink;
  writer.Begin(answer, &sink);
  for (uint32_t i = 1; i <= tokens; ++i) {
    answer.output_tokens = i;
    writer.Token(answer, i == tokens ? FinishReason::kLength : FinishReason::kNone, &sink);
  }
  writer.End(answer, FinishReason::kLength, &sink);
  return sink.text;
}

TEST(AnswerBody, HasTheMembersOfRecordedOnes) {
  EXPECT_EQ(PlacesOf(BodyOf(Dialect::kChat)), PlacesOf(Recorded("chat_nostream")));
  EXPECT_EQ(PlacesOf(BodyOf(Dialect::kCompletion)), PlacesOf(Recorded("completion_nostream")));
  EXPECT_EQ(PlacesOf(BodyOf(Dialect::kMessages)), PlacesOf(Recorded("messages_nostream")));
}

TEST(AnswerBody, OfResponsesHasWhatClientsRead) {
  const std::vector<std::string> recorded = PlacesOf(Recorded("responses_nostream"));
  const std::vector<std::string> ours = PlacesOf(BodyOf(Dialect::kResponses));
  for (const char* place :
       {"/id", "/object", "/created_at", "/model", "/status", "/incomplete_details/reason",
        "/output/0/id", "/output/0/type", "/output/0/role", "/output/0/status",
        "/output/0/content/0/type", "/output/0/content/0/text", "/usage/input_tokens",
        "/usage/input_tokens_details/cached_tokens", "/usage/output_tokens",
        "/usage/total_tokens"}) {
    EXPECT_TRUE(std::binary_search(recorded.begin(), recorded.end(), place)) << place;
    EXPECT_TRUE(std::binary_search(ours.begin(), ours.end(), place)) << place;
  }
}

TEST(AnswerBody, SaysTheTokensAndHowItEnded) {
  const std::string body = BodyOf(Dialect::kChat, FinishReason::kStop);
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(body);
  const simdjson::dom::element root = parser.parse(padded);
  EXPECT_EQ(std::string_view(root.at_pointer("/choices/0/message/content")).size(), 12u);
  EXPECT_EQ(std::string_view(root.at_pointer("/choices/0/finish_reason")), "stop");
  EXPECT_EQ(std::string_view(root["model"]), "m\"");
  EXPECT_EQ(uint64_t(root.at_pointer("/usage/total_tokens")), 13u);
  EXPECT_EQ(uint64_t(root.at_pointer("/usage/prompt_tokens_details/cached_tokens")), 4u);
}

TEST(AnswerBody, OfSeveralChoicesHasThemAllAndCountsTheirTokens) {
  for (const Dialect dialect : {Dialect::kChat, Dialect::kCompletion}) {
    Answer answer = AnswerOf(dialect, 3, true);
    answer.choices = 2;
    std::string body;
    AppendAnswerBody(answer, FinishReason::kLength, &body);
    simdjson::dom::parser parser;
    const simdjson::padded_string padded(body);
    const simdjson::dom::element root = parser.parse(padded);
    EXPECT_EQ(root["choices"].get_array().value().size(), 2u);
    EXPECT_EQ(uint64_t(root.at_pointer("/choices/1/index")), 1u);
    EXPECT_EQ(uint64_t(root.at_pointer("/usage/completion_tokens")), 6u);
    EXPECT_EQ(uint64_t(root.at_pointer("/usage/total_tokens")), 16u);
    StreamWriter writer;
    Collect sink;
    writer.Begin(answer, &sink);
    sink.text.clear();
    writer.Token(answer, FinishReason::kLength, &sink);
    const std::vector<std::string> events = EventsOf(sink.text);
    ASSERT_EQ(events.size(), 2u);
    EXPECT_NE(events[1].find(R"("choices":[{"index":1,)"), std::string::npos);
  }
}

TEST(AnswerBody, SaysWhereItsKvIs) {
  for (const Dialect dialect : {Dialect::kChat, Dialect::kCompletion}) {
    Answer answer = AnswerOf(dialect, 1);
    answer.kv_transfer_params = R"({"remote_port":8500})";
    std::string body;
    AppendAnswerBody(answer, FinishReason::kLength, &body);
    EXPECT_NE(body.find(R"("kv_transfer_params":{"remote_port":8500},)"), std::string::npos);
  }
}

TEST(Stream, HasTheEventsOfRecordedOnes) {
  const struct {
    Dialect dialect;
    const char* recorded;
    uint32_t tokens;
    bool include_usage;
  } cases[] = {
      {Dialect::kChat, "chat_stream", 16, false},
      // Two of its 16 tokens came in one event.
      {Dialect::kChat, "chat_stream_usage", 15, true},
      {Dialect::kCompletion, "completion_stream", 8, true},
      {Dialect::kMessages, "messages_stream", 4, false},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.recorded);
    const std::vector<std::string> ours = EventsOf(StreamOf(c.dialect, c.tokens, c.include_usage));
    const std::vector<std::string> recorded = EventsOf(Recorded(c.recorded));
    ASSERT_EQ(ours.size(), recorded.size());
    for (size_t i = 0; i < ours.size(); ++i) {
      if (recorded[i] == "[DONE]") {
        EXPECT_EQ(ours[i], "[DONE]");
      } else {
        EXPECT_EQ(PlacesOf(ours[i]), PlacesOf(recorded[i])) << i;
      }
    }
  }
}

TEST(Stream, OfMessagesNamesItsEvents) {
  const std::string stream = StreamOf(Dialect::kMessages, 1, false);
  EXPECT_TRUE(stream.starts_with("event: message_start\ndata: {\"type\":\"message_start\","));
  EXPECT_TRUE(stream.ends_with("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"));
}

TEST(Stream, OfResponsesCountsItsEventsAndRepeatsTheText) {
  const std::vector<std::string> events = EventsOf(StreamOf(Dialect::kResponses, 2, false));
  ASSERT_EQ(events.size(), 10u);
  simdjson::dom::parser parser;
  for (size_t i = 0; i < events.size(); ++i) {
    const simdjson::padded_string padded(events[i]);
    EXPECT_EQ(uint64_t(parser.parse(padded)["sequence_number"]), i);
  }
  const simdjson::padded_string last(events.back());
  const simdjson::dom::element root = parser.parse(last);
  EXPECT_EQ(std::string_view(root["type"]), "response.incomplete");
  EXPECT_EQ(std::string_view(root.at_pointer("/response/output/0/content/0/text")),
            AnswerOf(Dialect::kResponses, 2).text);
}

TEST(Stream, StoppedByTheServerEndsAsRecorded) {
  Answer answer = AnswerOf(Dialect::kChat, 1);
  StreamWriter writer;
  Collect sink;
  writer.Begin(answer, &sink);
  writer.Token(answer, FinishReason::kNone, &sink);
  sink.text.clear();
  writer.Stop(answer, FinishReason::kAbort, &sink);
  writer.End(answer, FinishReason::kAbort, &sink);
  const std::vector<std::string> events = EventsOf(sink.text);
  ASSERT_EQ(events.size(), 2u);
  EXPECT_NE(events[0].find("\"finish_reason\":\"abort\""), std::string::npos);
  EXPECT_EQ(events[1], "[DONE]");
}

TEST(ErrorBody, HasTheMembersOfARecordedOne) {
  std::string body;
  AppendErrorBody(Runtime::kVllm, Dialect::kChat, {404, "NotFoundError", "model", "no"}, &body);
  EXPECT_EQ(PlacesOf(body), PlacesOf(Recorded("err_unknown_model")));
  EXPECT_EQ(body,
            R"({"error":{"message":"no","type":"NotFoundError","param":"model","code":404}})");
}

}  // namespace
}  // namespace gw::sim
