#include "base/escape.h"

#include <gtest/gtest.h>

namespace gw {
namespace {

std::string Json(std::string_view text) {
  std::string out;
  AppendJsonEscaped(&out, text);
  return out;
}

TEST(Printable, ShowsControlCharactersOfBothSetsEscaped) {
  EXPECT_EQ(Printable("a\x1b[31mRED\x1b]0;title\x07\n  status 200"),
            "a\\u001b[31mRED\\u001b]0;title\\u0007\\n  status 200");
  EXPECT_EQ(Printable(std::string_view("\0\x7f\t\r", 4)), "\\u0000\\u007f\\t\\r");
  EXPECT_EQ(Printable("\xc2\x9b"
                      "2J \xc2\x80 \xc2\x9f"),
            "\\u009b2J \\u0080 \\u009f");
  EXPECT_EQ(Printable("\x9b"
                      "2J"),
            "\xEF\xBF\xBD"
            "2J");  // C1 as one byte is no UTF-8
}

TEST(Printable, ShowsWhatTurnsTheDirectionOrEndsALineEscaped) {
  EXPECT_EQ(Printable("a\u202eb\u202ac\u2066d\u2069e\u200ef\u200fg\u061ch"),
            "a\\u202eb\\u202ac\\u2066d\\u2069e\\u200ef\\u200fg\\u061ch");
  EXPECT_EQ(Printable("a\u2028b\u2029c"), "a\\u2028b\\u2029c");
}

TEST(Printable, LeavesEverythingElse) {
  const std::string text =
      "Qwen/Qwen3-8B \"x\" \\ \u00e9\u00a0\u200b\u202f\u2065\u206a \U0001F600 \u6a21";
  EXPECT_EQ(Printable(text), text);
  EXPECT_EQ(PrintableLines("a\tb\n" + text + "\n"), "a\tb\n" + text + "\n");
}

TEST(Printable, LinesKeepTheirEndsOnly) {
  EXPECT_EQ(PrintableLines("a\nb\r\n\x1b[2J\xc2\x9b"), "a\nb\\r\n\\u001b[2J\\u009b");
}

TEST(JsonEscaped, EscapesAlsoQuotesAndBackslashes) {
  EXPECT_EQ(Json("\"\\\n\u0085\u202e\x7f\u00e9"), "\\\"\\\\\\n\\u0085\\u202e\\u007f\u00e9");
}

// Long text is looked at in words of eight bytes.
TEST(JsonEscaped, FindsEveryByteWhereverItStands) {
  const std::string around = "0123456789abcdefghijk";
  for (int c = 0; c < 128; ++c) {
    const std::string alone = Json(std::string(1, static_cast<char>(c)));
    for (size_t at = 0; at < around.size(); ++at) {
      std::string text = around;
      text[at] = static_cast<char>(c);
      EXPECT_EQ(Json(text), around.substr(0, at) + alone + around.substr(at + 1))
          << c << " at " << at;
    }
  }
  EXPECT_EQ(Json(around + "\u00e9" + around + "\xff" + around),
            around + "\u00e9" + around + "\xEF\xBF\xBD" + around);
}

}  // namespace
}  // namespace gw
