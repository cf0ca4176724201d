#include "routing/regex.h"

#include <gtest/gtest.h>

#include <string>

namespace gw {
namespace {

bool Matches(std::string_view pattern, std::string_view text) {
  const auto regex = Regex::Compile(pattern);
  EXPECT_TRUE(regex.ok()) << regex.status();
  return regex.ok() && (*regex)->Matches(text);
}

TEST(Regex, FitsTheWholeTextOrNotAtAll) {
  EXPECT_TRUE(Matches("/v[12]/.*", "/v1/chat"));
  EXPECT_FALSE(Matches("/v[12]", "/v1/chat"));
  EXPECT_FALSE(Matches("v1", "/v1"));
  EXPECT_TRUE(Matches("a|ab", "ab"));
  EXPECT_TRUE(Matches("^a$", "a"));
  EXPECT_TRUE(Matches("", ""));
  EXPECT_FALSE(Matches("A", "a"));
  EXPECT_TRUE(Matches("(?i)A", "a"));
}

TEST(Regex, TakesAnyBytes) {
  EXPECT_TRUE(Matches("a.*", "a\xff\xfe"));
  EXPECT_TRUE(Matches("a.b", std::string_view("a\0b", 3)));
}

TEST(Regex, ThatIsWrongSaysWhy) {
  const struct {
    std::string pattern;
    const char* error;
  } kCases[] = {
      {"(a", "missing ): (a"},
      {"[z-a]", "invalid character class range: z-a"},
      {"a**", "bad repetition operator: **"},
      {"(?=a)", "invalid perl operator: (?="},
      {"(a)\\1", "invalid escape sequence: \\1"},
      {"((a{100}){100}){100}", "invalid repetition size: {100}"},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(Regex::Compile(c.pattern).status().message(), c.error) << c.pattern;
  }
}

TEST(Regex, OfExponentialPatternsIsLinear) {
  // A backtracking engine takes 2^30 steps for this.
  EXPECT_FALSE(Matches("(a*)*b", std::string(10'000, 'a')));
}

}  // namespace
}  // namespace gw
