#include "config/file/yaml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace gw::config {
namespace {

using api::Node;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

// A Node as compact JSON; unquoted scalars stand in angle brackets.
std::string Show(const Node& node) {
  std::string out;
  switch (node.kind) {
    case Node::Kind::kNull:
      return "null";
    case Node::Kind::kScalar:
      return node.quoted ? "\"" + node.text + "\"" : "<" + node.text + ">";
    case Node::Kind::kList:
      for (const Node& item : node.items) out += (out.empty() ? "" : ",") + Show(item);
      return "[" + out + "]";
    case Node::Kind::kMap:
      for (size_t i = 0; i < node.items.size(); ++i) {
        out += (i > 0 ? "," : "") + node.keys[i].name + ":" + Show(node.items[i]);
      }
      return "{" + out + "}";
  }
  return "";
}

std::string ShowAll(std::string_view text, const FileLimits& limits = {}) {
  const YamlDocuments yaml = ReadYaml(text, limits);
  if (!yaml.error.empty()) {
    EXPECT_THAT(yaml.documents, IsEmpty());
    return "error " + yaml.error;
  }
  std::string out;
  for (const Node& document : yaml.documents) out += (out.empty() ? "" : " ") + Show(document);
  return out;
}

TEST(Yaml, DocumentsAreTakenApartAndEmptyOnesLeftOut) {
  EXPECT_EQ(ShowAll(""), "");
  EXPECT_EQ(ShowAll("# only a comment\n"), "");
  EXPECT_EQ(ShowAll("---\n---\na: 1\n---\n# nothing\n---\nb: 2\n...\n"), "{a:<1>} {b:<2>}");
  EXPECT_EQ(ShowAll("a: 1\r\n---\r\nb: \"x\"\r\n"), "{a:<1>} {b:\"x\"}");
}

TEST(Yaml, QuotedAndPlainScalarsAreToldApart) {
  EXPECT_EQ(ShowAll("[1, \"1\", '1', !!str 1, true, \"\", ~, null, x y]"),
            "[<1>,\"1\",\"1\",\"1\",<true>,\"\",null,null,<x y>]");
  EXPECT_EQ(ShowAll("{a: !!int 5, b: !!seq [!!bool yes], c: !!map {d: !!float 1e3}}"),
            "{a:<5>,b:[<yes>],c:{d:<1e3>}}");
  EXPECT_EQ(ShowAll("a: |\n  two\n  lines\nb:\n"), "{a:\"two\nlines\n\",b:null}");
}

TEST(Yaml, LinesAreThoseOfTheText) {
  const YamlDocuments yaml = ReadYaml("# head\na:\n  b: 1\n  c:\n  - 2\n---\n\nd: e\n");
  ASSERT_EQ(yaml.documents.size(), 2u);
  const Node& first = yaml.documents[0];
  EXPECT_EQ(first.line, 2);
  EXPECT_EQ(first.keys[0].line, 2);
  EXPECT_EQ(first.items[0].keys[1].line, 4);
  EXPECT_EQ(first.items[0].Find("c")->items[0].line, 5);
  EXPECT_EQ(yaml.documents[1].line, 8);
}

TEST(Yaml, JsonIsYaml) {
  EXPECT_EQ(
      ShowAll(
          "{\n\t\"a\": [1, 2.5, true, null, \"x\\n\\u00e9\\/\"],\n\t\"b\": {\"c\": \"1\"}\n}\n"),
      "{a:[<1>,<2.5>,<true>,null,\"x\n\u00e9/\"],b:{c:\"1\"}}");
}

TEST(Yaml, WholeTextsPassTheChecksForHalfOnes) {
  EXPECT_EQ(ShowAll("\xef\xbb\xbf"
                    "a:\nb: ~\n\"c\": \n'd''s' :\n&k e:\nf: {g}\n"),
            "{a:null,b:null,c:null,d's:null,e:null,f:{g:null}}");
  EXPECT_EQ(ShowAll("a: 'it''s'\nb: \"\\\\\"\nc: \"\u00e9\\\"\"\nd: it's\n"),
            "{a:\"it's\",b:\"\\\",c:\"\u00e9\"\",d:<it's>}");
  EXPECT_EQ(ShowAll("a: \"x\" # \"\n"), "{a:\"x\"}");
  EXPECT_EQ(ShowAll("a: &q \"x\"\nb: !!str 'y'"), "{a:\"x\",b:\"y\"}");
}

TEST(Yaml, RepeatedKeysAreKeptForTheReaderToReport) {
  EXPECT_EQ(ShowAll("a: 1\na: 2\n"), "{a:<1>,a:<2>}");
}

TEST(Yaml, AliasesAreExpandedAndMapsMerged) {
  EXPECT_EQ(ShowAll("a: &x {b: 1}\nc: *x\nd: [*x, *x]\n"),
            "{a:{b:<1>},c:{b:<1>},d:[{b:<1>},{b:<1>}]}");
  EXPECT_EQ(ShowAll("base: &b {p: 1, q: 2}\nuse:\n  <<: *b\n  q: 3\n"),
            "{base:{p:<1>,q:<2>},use:{q:<3>,p:<1>}}");
  EXPECT_EQ(ShowAll("x: &x {p: 1}\ny: &y {p: 2, q: 3}\nz: {<<: [*x, *y]}\n"),
            "{x:{p:<1>},y:{p:<2>,q:<3>},z:{p:<1>,q:<3>}}");
  EXPECT_EQ(ShowAll("\"<<\": 1\n"), "{<<:<1>}");
  EXPECT_EQ(ShowAll("a: {<<: 1}\n"),
            "error 1:9: a merge key (<<) must have a map or a list of maps");
  EXPECT_EQ(ShowAll("k: &k name\n*k : v\n"), "{k:<name>,name:<v>}");
}

TEST(Yaml, AnchorsEndWithTheirDocument) {
  EXPECT_THAT(ShowAll("a: &x 1\n---\nb: *x\n"), StartsWith("error 3:4: "));
}

struct Row {
  std::string text;
  std::string error;  // begins with
};

TEST(Yaml, ErrorsNameLineAndColumn) {
  const Row rows[] = {
      {"a: [1, 2\n", "2:1: "},
      {"a: b: c\n", "1:5: "},
      {"a:\n\t- b\n", "2:2: "},
      {"a: \"x\n", "1:4: a quoted text has no end"},
      {"a: \"x\\\"\n", "1:4: a quoted text has no end"},
      {"a: !!str 'it''s\n", "1:4: a quoted text has no end"},
      {"- \"a\"\n- \"b\n", "2:3: a quoted text has no end"},
      {"a: 1\r\n\"k\u00e9\": \"\u00e9\"\r\nb: \"x\r\n", "3:4: a quoted text has no end"},
      {"a: 1\nspec\n", "2:1: no \":\" after \"spec\""},
      {"a:\n  b: 1\n  c d", "3:3: no \":\" after \"c d\""},
      {"a: |\n x\ny\n", "3:1: no \":\" after \"y\""},
      {"a: 1\nb: \xff\n", "2:4: is not UTF-8"},
      {std::string("a: 1\nb: ") + '\0', "2:4: a control character"},
      {"\xfe\xff-", "1:1: is not UTF-8"},
      {"? [a]\n: b\n", "1:3: a key must be text"},
      {"{a: 1}: b\n", "1:1: a key must be text"},
      {"~: b\n", "1:1: a key must be text"},
      {"a: *b\n", "1:4: "},
      {"a: &b [*b]\n", "1:8: an alias stands within what it refers to"},
      {"a: !Ref b\n", "1:4: the tag \"!Ref\" is not supported"},
      {"a: !Map {}\n", "1:4: the tag \"!Map\" is not supported"},
      {"a: !!python/object:os.system b\n",
       "1:4: the tag \"tag:yaml.org,2002:python/object:os.system\" is not supported"},
      {"a: !!binary YQ==\n", "1:4: the tag \"tag:yaml.org,2002:binary\" is not supported"},
      {"a: !!map b\n", "1:4: the tag \"tag:yaml.org,2002:map\" is not supported"},
      {"a: !!set {b}\n", "1:4: the tag \"tag:yaml.org,2002:set\" is not supported"},
      {"a: !!str [b]\n", "1:4: the tag \"tag:yaml.org,2002:str\" is not supported"},
      {"%YAML 3.0\n---\na: b\n", "1:1: "},
      {"a: 1\nb: 2\n c: 3\n", "3:"},
      {"a: 'x\\\n  b: 1\n", "1:4: a quoted text has no end"},
  };
  for (const Row& row : rows) {
    EXPECT_THAT(ShowAll(row.text), StartsWith("error " + row.error)) << row.text;
  }
}

TEST(Yaml, ATabInTheIndentationIsNamed) {
  EXPECT_EQ(ReadYaml("a:\n\tb: 1\n").error.substr(0, 2), "2:");
  EXPECT_TRUE(ReadYaml("a:\n\tb: 1\n")
                  .error.ends_with("; line 2 is indented with a tab: YAML wants spaces"));
  EXPECT_TRUE(ReadYaml("a:\n  b: 1\n \t c: 1\n")
                  .error.ends_with("; line 3 is indented with a tab: YAML wants spaces"));
  EXPECT_EQ(ReadYaml("a: b: c\n").error.find("tab"), std::string::npos);
}

TEST(Yaml, DepthIsLimited) {
  FileLimits limits;
  limits.depth_max = 3;
  EXPECT_EQ(ShowAll("[[[1]]]", limits), "[[[<1>]]]");
  EXPECT_EQ(ShowAll("[[[[1]]]]", limits),
            "error 1:4: nested deeper than 3 levels (limit config_depth)");
  EXPECT_EQ(ShowAll("a: &a [[1]]\nb: *a\n", limits), "{a:[[<1>]],b:[[<1>]]}");
  EXPECT_EQ(ShowAll("a: &a [[1]]\nb: [*a]\n", limits),
            "error 2:5: nested deeper than 3 levels (limit config_depth)");
  EXPECT_THAT(ShowAll(std::string(100'000, '[')), StartsWith("error "));
  EXPECT_THAT(ShowAll(std::string(100'000, '{')), StartsWith("error "));
}

TEST(Yaml, ValuesAndTextAreLimitedWithAliasesExpanded) {
  std::string bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n";
  for (char c = 'b'; c <= 'i'; ++c) {
    const std::string name(1, c);
    const std::string alias = "*" + std::string(1, static_cast<char>(c - 1));
    bomb.append(name).append(": &").append(name).append(" [").append(alias);
    for (int i = 0; i < 9; ++i) bomb += ", " + alias;
    bomb += "]\n";
  }
  EXPECT_THAT(ShowAll(bomb), HasSubstr("more than 2000000 values (limit config_nodes)"));
  const std::string large = "a: &a \"" + std::string(1 << 20, 'x') + "\"\n";
  std::string copies = large + "b: [";
  for (int i = 0; i < 100; ++i) copies += "*a, ";
  EXPECT_THAT(ShowAll(copies + "]\n"), HasSubstr("bytes of text (limit config_expanded_bytes)"));
  FileLimits limits;
  limits.nodes_max = 4;
  EXPECT_EQ(ShowAll("[1, 2, 3]", limits), "[<1>,<2>,<3>]");
  EXPECT_EQ(ShowAll("[1, 2, 3, 4]", limits), "error 1:11: more than 4 values (limit config_nodes)");
}

TEST(Yaml, DocumentsAreLimited) {
  FileLimits limits;
  limits.documents_max = 2;
  EXPECT_EQ(ShowAll("a: 1\n---\nb: 2\n", limits), "{a:<1>} {b:<2>}");
  EXPECT_EQ(ShowAll("a: 1\n---\nb: 2\n---\nc: 3\n", limits),
            "error 1:1: more than 2 documents (limit config_documents)");
}

}  // namespace
}  // namespace gw::config
