#include "inference/json_bytes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace gw::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> Values(std::string_view container) {
  std::vector<std::string> values;
  std::string_view value;
  for (JsonItems items(container); items.Next(&value);) values.emplace_back(value);
  return values;
}

TEST(JsonItems, GivesValuesOfMembersAndElements) {
  EXPECT_THAT(Values(R"({"a": 1, "b": [2, 3]})"), ElementsAre("1", "[2, 3]"));
  EXPECT_THAT(Values(R"([ {"a":[]} ,true,-1.5e+3 , "x"])"),
              ElementsAre(R"({"a":[]})", "true", "-1.5e+3", "\"x\""));
  EXPECT_THAT(Values(" {\n} "), IsEmpty());
  EXPECT_THAT(Values("[]"), IsEmpty());
  EXPECT_THAT(Values(R"([[[]],{},"",null])"), ElementsAre("[[]]", "{}", "\"\"", "null"));
}

TEST(JsonItems, BracketsAndQuotesInStringsAreText) {
  EXPECT_THAT(Values(R"({"]\"":"}\\","\\":"\\\"{","":["\"],"]})"),
              ElementsAre(R"("}\\")", R"("\\\"{")", R"(["\"],"])"));
}

TEST(FindQuoteOrBackslash, FindsTheFirstAtEveryPlace) {
  for (const char wanted : {'"', '\\'}) {
    for (size_t at = 0; at <= 20; ++at) {
      // Neighbours in value that a careless word trick would take for it.
      std::string text = "!#[]\xa2\xdc!#[]\xa2\xdc!#[]\xa2\xdc!#[]";
      if (at < text.size()) text[at] = wanted;
      const char* found = FindQuoteOrBackslash(text.data(), text.data() + text.size());
      EXPECT_EQ(found - text.data(), static_cast<ptrdiff_t>(std::min(at, text.size())));
    }
  }
}

TEST(Simplified, MakesNoNumberOfWhatIsNone) {
  for (const std::string text : {"[1NaN]", "[-NaN]", "[-1.5Infinity]", "[--Infinity]", "[1NaN1]"}) {
    EXPECT_EQ(Simplified(text, 64), text);
  }
}

TEST(Simplified, ReplacesNumbersThatMayNotFitAndKeepsOffsets) {
  EXPECT_EQ(Simplified(R"({"a":1234567890123456789,"b":[1e5,12,-0.5]})", 64),
            R"({"a":0                  ,"b":[0  ,12,-0.5]})");
  EXPECT_EQ(Simplified(R"(["1e5\"1e5",0.1234567890123456789])", 64),
            R"(["1e5\"1e5",0                    ])");
  EXPECT_GE(Simplified("[1e5]", 64).capacity(), 5u + 64);
}

TEST(Simplified, ReplacesWhatPythonTakesForANumber) {
  EXPECT_EQ(Simplified(R"([NaN,Infinity, -Infinity,"NaN"])", 0),
            R"([0  ,0       , 0        ,"NaN"])");
}

// Reading a run once for each of its digits would take hours here.
TEST(Simplified, LongRunsOfDigitsAreReadOnce) {
  const std::string zeros(8 << 20, '0');
  EXPECT_EQ(Simplified(zeros, 0), zeros);
  const std::string dashes(8 << 20, '-');
  EXPECT_EQ(Simplified(dashes, 0), dashes);
  std::string fractions;
  while (fractions.size() < 8 << 20) fractions += "1.";
  EXPECT_EQ(Simplified(fractions, 0), fractions);
}

TEST(Simplified, LeavesAloneWhatIsNoNumber) {
  for (const char* text : {"[01e5]", "[1.]", "[-]", "[.5e1]", "[1e]", "\"1e5", "\"\\"}) {
    EXPECT_EQ(Simplified(text, 0).size(), std::string_view(text).size());
  }
  EXPECT_EQ(Simplified("[1e5", 0), "[0  ");
  EXPECT_EQ(Simplified("[1ex]", 0), "[1ex]");
}

}  // namespace
}  // namespace gw::internal
