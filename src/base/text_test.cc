#include "base/text.h"

#include <gtest/gtest.h>

#include <vector>

namespace gw {
namespace {

TEST(ToLower, ChangesLettersOfAsciiOnly) {
  EXPECT_EQ(ToLower("Host: A.Example-[@`{].COM"), "host: a.example-[@`{].com");
  EXPECT_EQ(ToLower("\xc3\x84\xc3\xa4"), "\xc3\x84\xc3\xa4");
  EXPECT_EQ(ToLower(""), "");
}

TEST(Trimmed, TakesBlanksAndTabsOffBothEnds) {
  EXPECT_EQ(Trimmed(" \t a b\t "), "a b");
  EXPECT_EQ(Trimmed("a"), "a");
  EXPECT_EQ(Trimmed(" \t"), "");
  EXPECT_EQ(Trimmed("\n"), "\n") << "a line's end is no blank";
}

TEST(Sparkline, HighestValueIsTheHighestBar) {
  EXPECT_EQ(Sparkline(std::vector<double>{0, 1, 2, 4, 8}), "▁▂▃▅█");
  EXPECT_EQ(Sparkline(std::vector<double>{0, 0}), "▁▁");
  EXPECT_EQ(Sparkline({}), "");
}

TEST(UtcText, IsRfc3339) {
  EXPECT_EQ(UtcText(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(UtcText(1767322982), "2026-01-02T03:03:02Z");
  EXPECT_EQ(UtcText(951782400), "2000-02-29T00:00:00Z");
}

}  // namespace
}  // namespace gw
