#include "config/kubernetes/node_json.h"

#include <gtest/gtest.h>

#include "config/file/yaml.h"

namespace gw::config {
namespace {

absl::StatusOr<std::string> Json(const std::string& yaml) {
  return NodeToJson(ReadYaml(yaml).documents.front());
}

TEST(NodeToJson, WritesEveryKind) {
  EXPECT_EQ(*Json("a: {b: [1, -2.5e3, true, off, null, text, '12', \"q\\\"\\n\"]}\nc: {}\nd: []"),
            R"({"a":{"b":[1,-2.5e3,true,false,null,"text","12","q\"\n"]},"c":{},"d":[]})");
}

TEST(NodeToJson, RefusesNumbersThatJsonDoesNotHave) {
  for (const char* number : {"0x1f", "1_000", ".inf", "+1", "007", ".5", "1."}) {
    EXPECT_EQ(Json(std::string("a:\n  b: ") + number).status().message(),
              "line 2: must be a number that JSON has, or text in quotes")
        << number;
  }
}

}  // namespace
}  // namespace gw::config
