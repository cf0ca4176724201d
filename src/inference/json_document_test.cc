#include "inference/json_document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/random.h"
#include "inference/json_oracle.h"

namespace gw::internal {
namespace {

struct Padded {
  explicit Padded(std::string_view body) : text(body), size(body.size()) {
    text.append(InferenceParser::kPadding, '"');
  }
  std::string_view view() const { return {text.data(), size}; }
  std::string text;
  size_t size;
};

bool Reads(std::string_view text, size_t depth_max = 128) {
  return CheckAgainstDom(Padded(text).view(), depth_max);
}

TEST(JsonDocument, ReadsWhatPythonReads) {
  for (const std::string_view text :
       {R"({})", R"([])", R"( {"a" : [1, -2.5e3, true, false, null, "x"]} )", R"("")", "7",
        R"([NaN, Infinity, -Infinity])", R"([123456789012345678901234567890, 1e999])",
        R"(["\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"])", "[\"\xC3\xA9\"]"}) {
    EXPECT_TRUE(Reads(text)) << text;
  }
}

TEST(JsonDocument, RefusesEverythingElse) {
  for (const std::string_view text : {"",
                                      " ",
                                      "{",
                                      "}",
                                      "[1,]",
                                      "[1 2]",
                                      "[,]",
                                      R"({"a"})",
                                      R"({"a":})",
                                      R"({"a":1,})",
                                      R"({"a" 1})",
                                      R"({1:2})",
                                      R"({"a":1 "b":2})",
                                      "[1]]",
                                      "[1}",
                                      "{]",
                                      R"(["a"x])",
                                      R"(["a)",
                                      "[nul]",
                                      "[truefalse]",
                                      "[1x]",
                                      "[01]",
                                      "[-]",
                                      "[1.]",
                                      "[.5]",
                                      "[1e]",
                                      "[+1]",
                                      "[NaNa]",
                                      "[1NaN]",
                                      "[-NaN]",
                                      "[Infinit]",
                                      R"(["\x"])",
                                      R"(["\u12"])",
                                      R"(["\u12g4"])",
                                      R"(["\ud800"])",
                                      R"(["\udc00"])",
                                      R"(["\ud800\u0041"])",
                                      R"(["\ud800\"])",
                                      "[\"\n\"]",
                                      "[\"\xff\"]",
                                      "[1] 2",
                                      R"({"a":"\)"}) {
    EXPECT_FALSE(Reads(text)) << text;
  }
}

TEST(JsonDocument, CountsOnlyContainersThatHoldSomething) {
  EXPECT_TRUE(Reads("[[[]]]", 2));
  EXPECT_FALSE(Reads("[[[1]]]", 2));
  EXPECT_TRUE(Reads(R"([[1],[{}],{"a":[]}])", 2));
  EXPECT_FALSE(Reads(R"([{"a":[1]}])", 2));
}

TEST(JsonDocument, EqualTextsHaveEqualCanonicalFormsHoweverTheyWereWritten) {
  const auto canonical = [](std::string_view quoted) {
    const Padded text(quoted);
    JsonDocument document;
    EXPECT_TRUE(document.Read(text.view(), 1)) << quoted;
    return std::string(document.root().Canonical());
  };
  EXPECT_EQ(canonical(R"("a\nb")"), R"(a\nb)");
  EXPECT_EQ(canonical(R"("a\u000ab")"), R"(a\nb)");
  EXPECT_EQ(canonical(R"("\u000A\u0022\u005c\u002f\/\u0041")"), R"(\n\"\\//A)");
  EXPECT_EQ(canonical(R"("\u001F\u001f")"), R"(\u001f\u001f)");
  EXPECT_EQ(canonical("\"\\u00e9\xC3\xA9\""), "\xC3\xA9\xC3\xA9");
  EXPECT_EQ(canonical(R"("\uD83D\uDE00")"), "\xF0\x9F\x98\x80");
}

TEST(JsonDocument, GivesPlacesOfValuesInTheText) {
  const Padded text(R"( {"a" : {"b":[ 1 , 2 ] } , "c":"x\n" } )");
  JsonDocument document;
  ASSERT_TRUE(document.Read(text.view(), 9));
  const JsonValue root = document.root();
  EXPECT_EQ(root.raw(), R"({"a" : {"b":[ 1 , 2 ] } , "c":"x\n" })");
  EXPECT_EQ(root.Member("a")->raw(), R"({"b":[ 1 , 2 ] })");
  EXPECT_EQ(root.Member("a")->Member("b")->raw(), "[ 1 , 2 ]");
  EXPECT_EQ(root.Member("c")->raw(), R"("x\n")");
  EXPECT_EQ(root.Member("c")->Decoded(), "x\n");
  EXPECT_FALSE(root.Member("d"));
}

TEST(JsonDocument, NumbersAreWhatTheirFormSays) {
  const Padded text("[7, -7, 7.0, 1e2, 18446744073709551615, 18446744073709551616, NaN, true]");
  JsonDocument document;
  ASSERT_TRUE(document.Read(text.view(), 9));
  std::vector<std::optional<int64_t>> whole;
  std::vector<std::optional<uint64_t>> positive;
  std::vector<std::optional<double>> numbers;
  for (const JsonValue item : document.root()) {
    whole.push_back(item.AsInt64());
    positive.push_back(item.AsUint64());
    numbers.push_back(item.AsDouble());
  }
  using Whole = std::optional<int64_t>;
  using Positive = std::optional<uint64_t>;
  EXPECT_EQ(whole, (std::vector<Whole>{7, -7, {}, {}, {}, 0, 0, {}}));
  EXPECT_EQ(positive, (std::vector<Positive>{7, {}, {}, {}, UINT64_MAX, 0, 0, {}}));
  EXPECT_EQ(numbers[2], 7.0);
  EXPECT_EQ(numbers[3], 100.0);
  EXPECT_FALSE(numbers[7]);
}

// Escapes at every place of the 64 bytes that are looked at together, and over their ends.
TEST(JsonDocument, FindsEscapesWhereverTheyStand) {
  for (const std::string_view escape :
       {R"(\n)", R"(\\)", R"(\\\\)", R"(\")", R"(\u0041)", R"(\ud83d\ude00)", R"(\/)", R"(\x)",
        R"(\u004)", R"(\ud83d)", R"(\ud83d\n)", R"(\\\n)", R"(\\\u0041\\)"}) {
    for (size_t before = 0; before < 140; ++before) {
      for (const size_t after : {0u, 1u, 70u}) {
        const std::string text = "[\"" + std::string(before, 'a') + std::string(escape) +
                                 std::string(after, 'b') + "\"]";
        Reads(text);
      }
    }
  }
}

// Text made of pieces that mean something to a JSON parser, in any order.
TEST(JsonDocument, SeesWhatSimdjsonSeesInAnyText) {
  constexpr std::string_view kPieces[] = {
      "{",       "}",    "[",        "]",    ",",     ":",    "\"",    "\"a\"",
      "\"b\":",  " ",    "\n",       "1",    "-1.5",  "1e5",  "0",     "null",
      "true",    "NaN",  "\\",       "\\n",  "\\u00", "\\\"", "41",    "\\ud83d",
      "\\ude00", "text", "\xC3\xA9", "\xC3", "\t",    "x",    "[1,2]", "{\"k\":[\"v\"]}"};
  Random random(11);
  int read = 0;
  for (int round = 0; round < 60'000; ++round) {
    std::string text;
    const uint64_t pieces = 1 + random.Below(12);
    // Half of them inside brackets, as otherwise hardly any is JSON.
    const bool inside = random.Below(2) == 0;
    for (uint64_t i = 0; i < pieces; ++i) {
      if (inside && i > 0) text += ',';
      text += kPieces[random.Below(std::size(kPieces))];
    }
    if (inside) text.insert(0, 1, '[').push_back(']');
    read += Reads(text, 3) ? 1 : 0;
  }
  EXPECT_GT(read, 2000);
}

TEST(JsonDocument, ItsMemoryIsGivenBack) {
  const Padded large("[\"" + std::string(3 << 20, 'x') + "\"]");
  JsonDocument document;
  ASSERT_TRUE(document.Read(large.view(), 9));
  document.Shrink(1 << 20);
  const Padded small("[1]");
  ASSERT_TRUE(document.Read(small.view(), 9));
  EXPECT_EQ((*document.root().begin()).AsInt64(), 1);
}

}  // namespace
}  // namespace gw::internal
