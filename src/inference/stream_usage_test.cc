#include "inference/stream_usage.h"

#include <gtest/gtest.h>

#include "inference/parser.h"
#include "inference/recorded.h"

namespace gw {
namespace {

std::string Asked(std::string body, ApiKind api = ApiKind::kChatCompletions) {
  InferenceRequest request;
  request.api = api;
  InferenceParser parser;
  body.reserve(body.size() + InferenceParser::kPadding);
  EXPECT_EQ(parser.Parse(body, 0, &request), ParseOutcome::kOk) << body;
  const std::optional<UsageAsk> ask = AskForUsage(body, request);
  if (!ask) return "";
  BodyEdit edit;
  edit.Begin(body);
  edit.Replace(ask->at, ask->text);
  return edit.ToString();
}

TEST(AskForUsage, AddsTheOptionToStreamsThatHaveNone) {
  EXPECT_EQ(Asked(R"( {"model":"m","stream":true,"messages":[]})"),
            R"( {"stream_options": {"include_usage": true}, )"
            R"("model":"m","stream":true,"messages":[]})");
  EXPECT_EQ(Asked(R"({"stream_options": null ,"model":"m","stream":true,"messages":[]})"),
            R"({"stream_options": {"include_usage": true} ,"model":"m","stream":true,)"
            R"("messages":[]})");
  EXPECT_EQ(Asked(R"({"model":"m","stream":true,"prompt":"x"})", ApiKind::kCompletions),
            R"({"stream_options": {"include_usage": true}, )"
            R"("model":"m","stream":true,"prompt":"x"})");
}

TEST(AskForUsage, TurnsAnExplicitNoRoundAndKeepsTheOtherOptions) {
  EXPECT_EQ(
      Asked(
          R"({"model":"m","stream":true,"messages":[],"stream_options":)"
          R"({"include_obfuscation":false,"include_usage":false,"continuous_usage_stats":true}})"),
      R"({"model":"m","stream":true,"messages":[],"stream_options":)"
      R"({"include_obfuscation":false,"include_usage":true}})");
}

TEST(AskForUsage, LeavesAloneWhoAsksOrMayAskAndWhatIsNoStream) {
  for (const char* options :
       {R"({"include_usage":true})", "{}", R"({"include_usage":null})", R"({"include_usage":1})",
        R"({"continuous_usage_stats":true})", "7", R"("x")", "[]"}) {
    EXPECT_EQ(Asked(R"({"model":"m","messages":[],"stream":true,"stream_options":)" +
                    std::string(options) + "}"),
              "")
        << options;
  }
  EXPECT_EQ(Asked(R"({"model":"m","messages":[]})"), "");
  EXPECT_EQ(Asked(R"({"model":"m","messages":[],"stream":false})"), "");
  EXPECT_EQ(
      Asked(R"({"model":"m","messages":[],"max_tokens":9,"stream":true})", ApiKind::kMessages), "");
  EXPECT_EQ(Asked(R"({"model":"m","input":"x","stream":true})", ApiKind::kResponses), "");
}

// Sends the bytes in pieces that end at `cuts`, one read for each.
std::string Filtered(std::string_view bytes, const std::vector<size_t>& cuts,
                     bool keep_null = false) {
  UsageFilter filter;
  filter.Start(keep_null);
  std::string out;
  size_t at = 0;
  for (size_t i = 0; i <= cuts.size(); ++i) {
    const size_t end = i < cuts.size() ? cuts[i] : bytes.size();
    const std::string read(bytes.substr(at, end - at));  // of its own, as the loop's scratch
    std::vector<std::string_view> pieces{read};
    filter.Filter(&pieces, i == cuts.size());
    for (std::string_view piece : pieces) out += piece;
    at = end;
  }
  return out;
}

void ExpectHoweverItIsCut(std::string_view bytes, std::string_view expected,
                          bool keep_null = false) {
  EXPECT_EQ(Filtered(bytes, {}, keep_null), expected);
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    ASSERT_EQ(Filtered(bytes, {cut}, keep_null), expected) << "cut at " << cut;
  }
  std::vector<size_t> everywhere;
  for (size_t cut = 1; cut < bytes.size(); ++cut) everywhere.push_back(cut);
  EXPECT_EQ(Filtered(bytes, everywhere, keep_null), expected);
}

constexpr std::string_view kFirst = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
constexpr std::string_view kUsage =
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"total_tokens\":4}}\n\n";
constexpr std::string_view kDone = "data: [DONE]\n\n";

std::string Concat(std::initializer_list<std::string_view> parts) {
  std::string all;
  for (std::string_view part : parts) all += part;
  return all;
}

TEST(UsageFilter, TheUsageEventGoesAndTheRestStays) {
  ExpectHoweverItIsCut(Concat({kFirst, ": ping\n\n", kUsage, kDone}),
                       Concat({kFirst, ": ping\n\n", kDone}));
}

TEST(UsageFilter, EveryLineEndIsOne) {
  for (const std::string_view eol : {"\n", "\r\n", "\r"}) {
    const auto with = [&](std::initializer_list<std::string_view> lines) {
      std::string text;
      for (std::string_view line : lines) text.append(line).append(eol);
      return text;
    };
    ExpectHoweverItIsCut(
        with({"id: 1", "data: {\"choices\":[{}]}", "", "event: x",
              "data:{\"choices\": [ ] ,\"usage\":{}}", "id: 2", "", "", "data: [DONE]", ""}),
        with({"id: 1", "data: {\"choices\":[{}]}", "", "", "data: [DONE]", ""}));
  }
}

TEST(UsageFilter, AMemberIsTakenOutOfAnEventThatHasMore) {
  const std::string_view before =
      "data: {\"usage\":null,\"choices\":[{}]}\n\n"
      "data: {\"id\":1, \"usage\" : {\"a\":[1,\"}\"]} , \"choices\":[{\"usage\":1}]}\n\n"
      "data: {\"choices\":[{}],\"usage\":null}\n\ndata: {\"choices\":[],\"usage\":null}\n\n";
  ExpectHoweverItIsCut(before,
                       "data: {\"choices\":[{}]}\n\n"
                       "data: {\"id\":1 , \"choices\":[{\"usage\":1}]}\n\n"
                       "data: {\"choices\":[{}]}\n\ndata: {\"choices\":[]}\n\n");
  ExpectHoweverItIsCut("data: {\"choices\":[{}],\"usage\":null}\n\n",
                       "data: {\"choices\":[{}],\"usage\":null}\n\n", true);
}

TEST(UsageFilter, WhatOnlyLooksLikeItStays) {
  for (const std::string_view text :
       {"data: {\"choices\":[{\"delta\":{\"content\":\"\\\"usage\\\":{}\"}}]}\n\n",
        "data: {\"choices\":[],\"x\":\"usage\"}\n\n", "data: {\"choices\":[{\"usage\":{}}]}\n\n",
        "data: [\"usage\"]\n\n", "data: \"usage\"\n\n", ": {\"choices\":[],\"usage\":{}}\n\n",
        "data: {\"choices\":[],\ndata: \"usage\":{}}\n\n", "data: {\"usage\"", "\n\n\n", "usage",
        "data: {\"usage\"\n\n", "data: {\n\n\"usage\"\n\n"}) {
    ExpectHoweverItIsCut(text, text);
  }
}

TEST(UsageFilter, AnEventThatIsTooLongGoesOnAsItIs) {
  const std::string longest(UsageFilter::usage_event_bytes_max + 2000, 'x');
  const std::string text = "data: {\"x\":\"" + longest + "\",\"choices\":[],\"usage\":{}}\n\n";
  UsageFilter filter;
  filter.Start(false);
  const std::string input = text + std::string(kUsage) + std::string(kDone);
  std::string out;
  size_t too_long = 0;
  for (size_t at = 0; at < input.size(); at += 1000) {
    const std::string read = input.substr(at, 1000);
    std::vector<std::string_view> pieces{read};
    too_long += filter.Filter(&pieces, false);
    if (at > longest.size()) {
      EXPECT_EQ(filter.at_event_boundary(), at + 1000 >= text.size());
    }
    for (std::string_view piece : pieces) out += piece;
  }
  EXPECT_EQ(out, text + std::string(kDone));
  EXPECT_EQ(too_long, 1u);
}

TEST(UsageFilter, PiecesOfOneReadMayCutEventsToo) {
  UsageFilter filter;
  filter.Start(false);
  const std::string text = Concat({kFirst, kUsage, kFirst, kFirst, kDone});
  std::vector<std::string_view> pieces;
  for (size_t at = 0; at < text.size(); at += 7) {
    pieces.push_back(std::string_view(text).substr(at, 7));
  }
  filter.Filter(&pieces, true);
  std::string out;
  for (std::string_view piece : pieces) out += piece;
  EXPECT_EQ(out, Concat({kFirst, kFirst, kFirst, kDone}));
}

TEST(UsageFilter, RecordedStreamsAreThoseOfAClientThatDidNotAsk) {
  for (const std::string version : {"vllm-0.14.1", "vllm-0.32.0"}) {
    for (const std::string name : {"chat_stream_usage", "chat_stream_continuous_usage",
                                   "completion_stream", "chat_stream"}) {
      SCOPED_TRACE(version + "/" + name);
      const std::string body = internal::RecordedBody(version + "/" + name + ".response");
      // Written out by the slow and obvious way: whole events, with what is known of these bytes.
      std::string expected;
      for (size_t at = 0; at < body.size();) {
        const size_t end = body.find("\n\n", at) + 2;
        std::string event = body.substr(at, end - at);
        at = end;
        if (event.find("\"choices\":[],\"usage\":{") != std::string::npos) continue;
        const size_t usage = event.find(",\"usage\":");
        if (usage != std::string::npos) {
          const size_t brace = event.find('}', usage);
          event.erase(usage,
                      event.compare(usage, 14, ",\"usage\":null}") == 0 ? 13 : brace + 1 - usage);
        }
        expected += event;
      }
      EXPECT_EQ(expected == body, name == "chat_stream");
      ExpectHoweverItIsCut(body, expected);
    }
  }
}

}  // namespace
}  // namespace gw
