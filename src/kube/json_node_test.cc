#include "kube/json_node.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace gw::kube {
namespace {

using api::Node;
using testing::HasSubstr;

// A Node as text: strings in quotes, other scalars bare, so that a test can write down the whole.
std::string Show(const Node& node) {
  std::string out;
  switch (node.kind) {
    case Node::Kind::kNull:
      return "null";
    case Node::Kind::kScalar:
      return node.quoted ? "'" + node.text + "'" : node.text;
    case Node::Kind::kList:
      for (const Node& item : node.items) out += (out.empty() ? "" : ",") + Show(item);
      return "[" + out + "]";
    case Node::Kind::kMap:
      EXPECT_EQ(node.keys.size(), node.items.size());
      for (size_t i = 0; i < node.items.size(); ++i) {
        out += (i == 0 ? "" : ",") + node.keys[i].name + ":" + Show(node.items[i]);
      }
      return "{" + out + "}";
  }
  return out;
}

TEST(ParseJson, KeepsWhatStandsInTheText) {
  const std::vector<std::pair<std::string, std::string>> table = {
      {"null", "null"},
      {"{}", "{}"},
      {"[]", "[]"},
      {"\"\"", "''"},
      {R"({"a":1,"b":"1","c":true,"d":"true","e":null})", "{a:1,b:'1',c:true,d:'true',e:null}"},
      {R"([0,-1,9223372036854775807,-9223372036854775808])",
       "[0,-1,9223372036854775807,-9223372036854775808]"},
      {"[18446744073709551615]", "[18446744073709551615]"},
      {"[0.1,1.5e300,-2.5]", "[0.1,1.5e+300,-2.5]"},
      {R"(["\u00e9\n\"\\\/","\ud83d\ude00"])", "['\xc3\xa9\n\"\\/','\xf0\x9f\x98\x80']"},
      {R"({"":{"":[[],{}]}})", "{:{:[[],{}]}}"},
      {" \r\n\t{ \"a\" : [ 1 , 2 ] } \n", "{a:[1,2]}"},
  };
  for (const auto& [text, shown] : table) {
    const auto node = ParseJson(text);
    ASSERT_TRUE(node.ok()) << text << ": " << node.status();
    EXPECT_EQ(Show(*node), shown) << text;
  }
}

TEST(ParseJson, RepeatedKeysAreKeptAndTheFirstIsFound) {
  const auto node = ParseJson(R"({"a":1,"b":2,"a":3})");
  ASSERT_TRUE(node.ok());
  EXPECT_EQ(Show(*node), "{a:1,b:2,a:3}");
  EXPECT_EQ(node->Find("a")->text, "1");
}

TEST(ParseJson, StringsThatLookLikeSomethingElseAreText) {
  const auto node = ParseJson(R"({"a":"yes","b":"08"})");
  ASSERT_TRUE(node.ok());
  EXPECT_EQ(api::TypeOf(*node->Find("a")), api::ScalarType::kText);
  EXPECT_EQ(api::TypeOf(*node->Find("b")), api::ScalarType::kText);
}

TEST(ParseJson, RefusesWhatIsNotJson) {
  for (const std::string text : {"",
                                 " ",
                                 "{",
                                 "}",
                                 "[1,]",
                                 "{\"a\":1,}",
                                 "{\"a\" 1}",
                                 "{a:1}",
                                 "[1 2]",
                                 "{} {}",
                                 "[01]",
                                 "[1.]",
                                 "[.5]",
                                 "[+1]",
                                 "[NaN]",
                                 "nul",
                                 "[tru]",
                                 "'a'",
                                 "[\"a]",
                                 "[\"\\x\"]",
                                 "[\"\\ud800\"]",
                                 "[\"a\nb\"]",
                                 "[\"\xff\"]",
                                 "[\"\xc0\x80\"]",
                                 "404 page not found"}) {
    EXPECT_FALSE(ParseJson(text).ok()) << text;
  }
}

TEST(ParseJson, AFaultIsToldWithItsPlace) {
  EXPECT_THAT(ParseJson(R"({"items":[{"a":1},{"b":tru},{"c":2}]})").status().message(),
              HasSubstr("at byte 23 of 37, before \"tru},{"));
  EXPECT_THAT(ParseJson(R"({"a":1 "b":2})").status().message(), HasSubstr("at byte 7 of 13"));
  EXPECT_THAT(ParseJson(R"({"a":1} {)").status().message(), HasSubstr("at byte 8 of 9"));
  EXPECT_THAT(ParseJson(R"({"a":"b)").status().message(), HasSubstr("in 7 bytes"));
  EXPECT_THAT(ParseJson("").status().message(), HasSubstr("empty"));
}

TEST(ParseJson, EveryCutOfATextIsRefused) {
  const std::string text = R"({"a":[1,"b",{"c":null}],"d":true})";
  for (size_t length = 0; length < text.size(); ++length) {
    const absl::Status status = ParseJson(text.substr(0, length)).status();
    EXPECT_FALSE(status.ok()) << length;
    EXPECT_THAT(status.message(), HasSubstr("not JSON")) << length;
  }
}

TEST(ParseJson, StopsAtItsLimits) {
  const auto nested = [](size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_TRUE(ParseJson("[[[1]]]", {.depth_max = 4}).ok());
  const absl::Status deep = ParseJson(nested(5), {.depth_max = 4}).status();
  EXPECT_EQ(deep.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(deep.message(), HasSubstr("deeper than 4"));
  EXPECT_EQ(ParseJson(nested(2'000'000)).status().code(), absl::StatusCode::kResourceExhausted);
  const absl::Status large = ParseJson("[1,2]", {.bytes_max = 4}).status();
  EXPECT_EQ(large.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(large.message(), HasSubstr("5 bytes, at most 4"));
  EXPECT_TRUE(ParseJson("[1,2]", {.bytes_max = 5}).ok());
}

TEST(ToJson, WritesWhatWasRead) {
  for (const char* text :
       {R"({"a":[1,-2.5,1e+300,true,null,"7",""],"b":{},"c":[[]],"a":"again","\n":"\"\\\u0001"})",
        "null", R"("\u202e")", "18446744073709551615"}) {
    EXPECT_EQ(ToJson(*ParseJson(text)), text);
  }
  EXPECT_EQ(ToJson(*ParseJson(" [ \"ü/\" , 1.0 ] ")), "[\"ü/\",1]");
}

}  // namespace
}  // namespace gw::kube
