#include "inference/body_edit.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include "base/random.h"
#include "inference/json_bytes.h"

namespace gw {
namespace {

std::string Edited(std::string_view body, std::initializer_list<BodyEdit::Member> members) {
  BodyEdit edit;
  edit.Begin(body);
  edit.Set(std::vector(members));
  return edit.ToString();
}

TEST(BodyEdit, WithoutEditsIsTheBodyItself) {
  const std::string body = " {\"a\": 1 } \n";
  BodyEdit edit;
  edit.Begin(body);
  ASSERT_EQ(edit.parts().size(), 1u);
  EXPECT_EQ(edit.parts()[0].data(), body.data());
  EXPECT_EQ(edit.size(), body.size());
}

TEST(BodyEdit, ReplacesAddsAndRemoves) {
  EXPECT_EQ(Edited(R"({"a": 1, "b":2})", {{"b", "3"}}), R"({"a": 1, "b":3})");
  EXPECT_EQ(Edited(R"({"a": 1, "b":2 })", {{"c", "\"x\""}}), R"({"a": 1, "b":2, "c": "x" })");
  EXPECT_EQ(Edited(R"({"a": 1, "b":2, "c":3})", {{"b", ""}}), R"({"a": 1, "c":3})");
  EXPECT_EQ(Edited(R"({ "a": 1, "b":2})", {{"a", ""}}), R"({ "b":2})");
  EXPECT_EQ(Edited(R"({"a": 1, "b":2})", {{"b", ""}}), R"({"a": 1})");
  EXPECT_EQ(Edited(R"({"a": 1, "b":2})", {{"a", ""}, {"b", ""}}), "{}");
  EXPECT_EQ(Edited(R"({"a": 1})", {{"a", ""}, {"b", "2"}}), R"({"b": 2})");
  EXPECT_EQ(Edited(" {} ", {{"b", "2"}, {"c", "3"}, {"d", ""}}), R"( {"b": 2, "c": 3} )");
  EXPECT_EQ(Edited(R"({"a": 1})", {{"b", "2", true}}), R"({"a": 1})");
  EXPECT_EQ(Edited(R"({"a": 1})", {{"a", "2", true}}), R"({"a": 2})");
}

TEST(BodyEdit, SetsEveryMemberOfThatNameHoweverItIsWritten) {
  EXPECT_EQ(Edited(R"({"a":1, "\u0061": 2, "A":3, "x":{"a":4}})", {{"a", "0"}}),
            R"({"a":0, "\u0061": 0, "A":3, "x":{"a":4}})");
  EXPECT_EQ(Edited(R"({"a":1,"a":2,"b":3,"a":4})", {{"a", ""}}), R"({"b":3})");
}

TEST(BodyEdit, ASetAndAReplacedRangeGoTogether) {
  const std::string body = R"({"model": "m", "n": 1})";
  BodyEdit edit;
  edit.Begin(body);
  const BodyEdit::Member members[] = {{"n", "2"}, {"z", "true"}};
  edit.Set(members);
  edit.Replace({body.find("\"m\""), 3}, "\"other\"");
  EXPECT_EQ(edit.ToString(), R"({"model": "other", "n": 2, "z": true})");
}

// The oracle reads with a parser and writes the members one by one.
TEST(BodyEdit, AgreesWithAParserOnRandomObjects) {
  Random random(7);
  simdjson::dom::parser parser;
  const char* values[] = {"1", "\"s\\\"}\"", "{\"a\": [1, 2]}", "[]", "null", "-1.5e3"};
  const char* spaces[] = {"", " ", "\n\t"};
  const auto space = [&] { return spaces[random.Below(3)]; };
  for (int round = 0; round < 2000; ++round) {
    std::string body = "{";
    body += space();
    const uint64_t count = 1 + random.Below(5);
    for (uint64_t i = 0; i < count; ++i) {
      if (i > 0) body.append(",").append(space());
      body.append("\"").append(1, static_cast<char>('a' + random.Below(4))).append("\"");
      body.append(space()).append(":").append(space()).append(values[random.Below(6)]);
      body += space();
    }
    body += "}";
    const bool only_if_there = random.Below(2) == 0;
    const std::string edited = Edited(body, {{"a", ""}, {"b", "[7]", only_if_there}});
    std::string expected;
    bool b_seen = false;
    internal::JsonItems items(body);
    std::string_view value;
    while (items.Next(&value)) {
      if (items.raw_key() == "\"a\"") continue;
      const bool b = items.raw_key() == "\"b\"";
      b_seen |= b;
      expected.append(items.raw_key()).append(b ? "[7]" : value).append(";");
    }
    if (!b_seen && !only_if_there) expected += "\"b\"[7];";
    std::string got;
    internal::JsonItems edited_items(edited);
    while (edited_items.Next(&value)) got.append(edited_items.raw_key()).append(value).append(";");
    EXPECT_EQ(got, expected) << body;
    simdjson::dom::element root;
    EXPECT_EQ(parser.parse(edited).get(root), simdjson::SUCCESS) << body << " -> " << edited;
  }
}

TEST(SameString, KnowsEscapes) {
  EXPECT_TRUE(internal::SameString(R"("n")", "n"));
  EXPECT_TRUE(internal::SameString(R"("st\u0072eam")", "stream"));
  EXPECT_FALSE(internal::SameString(R"("st\u0172eam")", "stream"));
  EXPECT_FALSE(internal::SameString(R"("stream\u0000")", "stream"));
  EXPECT_FALSE(internal::SameString(R"("strea\)", "stream"));
}

}  // namespace
}  // namespace gw
