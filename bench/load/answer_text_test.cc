#include "bench/load/answer_text.h"

#include <gtest/gtest.h>

namespace gw::bench {
namespace {

TEST(AnswerText, IsThatOfEachApiHoweverItIsCut) {
  const std::string stream =
      R"(data: {"choices":[{"delta":{"role":"assistant","content":""}}]})"
      "\n\n"
      R"(data: {"choices":[{"index":0,"delta":{"content":"He said \"no\",\n"}}]})"
      "\r\n\r\n"
      R"(data:{"choices":[{"text":"then left"}]})"
      "\n\n: keep-alive\n\nevent: content_block_delta\n"
      R"(data: {"type":"content_block_delta","delta":{"type":"text_delta","text":"\u00e4."}})"
      "\n\n"
      R"(data: {"choices":[],"usage":{"prompt_tokens":3}})"
      "\n\ndata: [DONE]\n\ndata: {broken\n";
  for (const size_t step : {size_t{1}, size_t{7}, stream.size()}) {
    AnswerText answer;
    for (size_t at = 0; at < stream.size(); at += step) {
      answer.Feed(std::string_view(stream).substr(at, step));
    }
    EXPECT_EQ(answer.Take(), "He said \"no\",\nthen left\u00e4.");
    EXPECT_EQ(answer.Take(), "");
  }
}

TEST(AnswerText, OfAnEndlessLineNothingIsKept) {
  AnswerText answer;
  answer.Feed("data: {\"choices\":[{\"text\":\"" + std::string(3 * AnswerText::kLineBytesMax, 'a') +
              "\"}]}\ndata: {\"choices\":[{\"text\":\"b\"}]}\n");
  EXPECT_EQ(answer.Take(), "b");
}

TEST(AnswerText, ANewOneHasNothingOfTheLast) {
  AnswerText answer;
  answer.Feed("data: {\"choices\":[{\"text\":\"a\"}]}\ndata: {\"cho");
  answer.Reset();
  answer.Feed("data: {\"choices\":[{\"text\":\"b\"}]}\n");
  EXPECT_EQ(answer.Take(), "b");
}

}  // namespace
}  // namespace gw::bench
