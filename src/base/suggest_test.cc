#include "base/suggest.h"

#include <gtest/gtest.h>

namespace gw {
namespace {

constexpr std::string_view kWords[] = {"serve", "check", "trt-llm", "PREFIX_CACHE", "backendRefs"};

TEST(Suggest, ASlipOfTheFingersFindsItsWord) {
  EXPECT_EQ(NearestWord("serv", kWords), "serve");
  EXPECT_EQ(NearestWord("chekc", kWords), "check");
  EXPECT_EQ(NearestWord("backendRef", kWords), "backendRefs");
  EXPECT_EQ(NearestWord("prefix-cache", kWords), "PREFIX_CACHE");
  EXPECT_EQ(NearestWord("trtllm", kWords), "trt-llm");
}

TEST(Suggest, AnotherWordFindsNone) {
  for (const char* word : {"", "x", "status", "forwardRefs", "ca"}) {
    EXPECT_EQ(NearestWord(word, kWords), "") << word;
  }
  EXPECT_EQ(NearestWord(std::string(1000, 'a'), kWords), "");
}

TEST(Suggest, TheQuestionIsPutBehindAMessage) {
  EXPECT_EQ(DidYouMean("servee", kWords), ", did you mean \"serve\"?");
  EXPECT_EQ(DidYouMean("other", kWords), "");
}

}  // namespace
}  // namespace gw
