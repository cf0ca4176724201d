#include "server/document.h"

#include <gtest/gtest.h>

#include <limits>

namespace gw {
namespace {

Document Sample() {
  Document list = Document::List();
  list.Add(Document::Map().Set("type", "Accepted").Set("ok", true));
  list.Add(Document::Map().Set("type", "true").Set("text", "a: \"b\"\n"));
  Document out = Document::Map();
  out.Set("conditions", std::move(list))
      .Set("empty", Document::List())
      .Set("none", Document())
      .Set("status", Document::Map().Set("count", 3).Set("ratio", 0.25));
  return out;
}

TEST(Document, IsIndentedJson) {
  EXPECT_EQ(Document::Map().Set("a", Document::List().Add(1).Add("x")).ToJson(),
            "{\n    \"a\": [\n        1,\n        \"x\"\n    ]\n}\n");
  EXPECT_EQ(Document::List().ToJson(), "[]\n");
}

TEST(Document, IsJsonOnOneLine) {
  EXPECT_EQ(Sample().ToCompactJson(),
            R"({"conditions":[{"type":"Accepted","ok":true},{"type":"true","text":"a: \"b\"\n"}],)"
            R"("empty":[],"none":null,"status":{"count":3,"ratio":0.25}})");
}

TEST(Document, IsYamlAsKubectlWritesIt) {
  EXPECT_EQ(Sample().ToYaml(),
            "conditions:\n"
            "- type: Accepted\n"
            "  ok: true\n"
            "- type: \"true\"\n"
            "  text: \"a: \\\"b\\\"\\n\"\n"
            "empty: []\n"
            "none: null\n"
            "status:\n"
            "  count: 3\n"
            "  ratio: 0.25\n");
}

TEST(Document, WhatIsNoNumberIsNull) {
  using Limits = std::numeric_limits<double>;
  for (const double value : {Limits::infinity(), -Limits::infinity(), Limits::quiet_NaN()}) {
    EXPECT_EQ(Document(value).ToCompactJson(), "null");
  }
  EXPECT_EQ(Document(3.0).ToCompactJson(), "3");
  EXPECT_EQ(Document(0.12345).ToCompactJson(), "0.1235");
  EXPECT_EQ(Document(-0.0).ToCompactJson(), "-0");
}

TEST(Table, ColumnsAreAsWideAsTheirLongestCell) {
  Table table({"NAME", "READY", "STATE"});
  EXPECT_EQ(table.ToText(), "");
  table.Add({"qwen", "2/3", "ready"});
  table.Add({"a-long-name", "", "stale"});
  EXPECT_EQ(table.ToText(),
            "NAME          READY    STATE\n"
            "qwen          2/3      ready\n"
            "a-long-name   <none>   stale\n");
}

}  // namespace
}  // namespace gw
