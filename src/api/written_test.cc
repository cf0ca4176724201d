#include "api/written.h"

#include <gtest/gtest.h>

#include <string>

#include "api/parse.h"

namespace gw::api {
namespace {

Node Scalar(std::string text, bool quoted = true) {
  Node node;
  node.kind = Node::Kind::kScalar;
  node.text = std::move(text);
  node.quoted = quoted;
  return node;
}

Node Map(std::vector<std::pair<std::string, Node>> items) {
  Node node;
  node.kind = Node::Kind::kMap;
  for (auto& [key, item] : items) {
    node.keys.push_back({key});
    node.items.push_back(std::move(item));
  }
  return node;
}

Node List(std::vector<Node> items) {
  Node node;
  node.kind = Node::Kind::kList;
  node.items = std::move(items);
  return node;
}

TEST(Written, YamlIsWhatKubectlWouldPrint) {
  const Node document =
      Map({{"apiVersion", Scalar("a.b/v1", false)},
           {"metadata", Map({{"name", Scalar("x")}, {"labels", Map({})}})},
           {"spec", Map({{"weights", List({Scalar("90", false), Scalar("10", false)})},
                         {"rules", List({Map({{"name", Scalar("a")}, {"on", Scalar("yes")}}),
                                         List({Scalar("inner")})})}})}});
  EXPECT_EQ(YamlOf(document), R"(apiVersion: a.b/v1
metadata:
  name: x
  labels: {}
spec:
  weights:
  - 90
  - 10
  rules:
  - name: a
    "on": "yes"
  - - inner
)");
}

TEST(Written, TextKeepsItsMeaning) {
  EXPECT_EQ(YamlOf(Scalar("10")), "\"10\"\n");
  EXPECT_EQ(YamlOf(Scalar("10", false)), "10\n");
  EXPECT_EQ(YamlOf(Scalar("no")), "\"no\"\n");
  EXPECT_EQ(YamlOf(Scalar("")), "\"\"\n");
  EXPECT_EQ(YamlOf(Scalar("a: b #c\nd")), "\"a: b #c\\nd\"\n");
  EXPECT_EQ(YamlOf(Scalar("two\nlines", false)), "\"two\\nlines\"\n");
  EXPECT_EQ(YamlOf(Scalar("a: b", false)), "\"a: b\"\n");
  EXPECT_EQ(YamlOf(Scalar("\x1b[2J")), "\"\\u001b[2J\"\n");
  EXPECT_EQ(YamlOf(Node()), "null\n");
}

TEST(Written, WhatOnlyAServerKeepsIsLeftOut) {
  const Node document = Map(
      {{"kind", Scalar("HTTPRoute")},
       {"metadata", Map({{"name", Scalar("x")},
                         {"uid", Scalar("u")},
                         {"managedFields", List({Map({{"manager", Scalar("m")}})})},
                         {"annotations",
                          Map({{"kubectl.kubernetes.io/last-applied-configuration", Scalar("{}")},
                               {"penstock.dev/a", Scalar("b")}})}})},
       {"status", Map({{"parents", List({})}})}});
  EXPECT_EQ(*WrittenOf(document, "gateway.networking.k8s.io").yaml, R"(kind: HTTPRoute
metadata:
  name: x
  annotations:
    penstock.dev/a: b
)");
}

TEST(Written, SecretsAndWhatComesAndGoesHaveNone) {
  const Node secret = Map({{"kind", Scalar("Secret")}, {"data", Map({{"key", Scalar("s3cret")}})}});
  EXPECT_EQ(WrittenOf(secret, "").yaml, nullptr);
  EXPECT_EQ(WrittenOf(secret, "discovery.k8s.io").yaml, nullptr);
}

TEST(Written, ParsedObjectsHaveIt) {
  const Node document = Map({{"apiVersion", Scalar("gateway.networking.k8s.io/v1")},
                             {"kind", Scalar("GatewayClass")},
                             {"metadata", Map({{"name", Scalar("penstock")}})},
                             {"spec", Map({{"controllerName", Scalar("penstock.dev/gateway")}})}});
  Parser parser;
  parser.Add(document, "a.yaml");
  const Parsed parsed = parser.Take();
  ASSERT_EQ(parsed.objects.size(), 1u);
  ASSERT_NE(parsed.objects[0].object, nullptr);
  const auto& meta = std::get<GatewayClass>(*parsed.objects[0].object).meta;
  ASSERT_NE(meta.written.yaml, nullptr);
  EXPECT_EQ(*meta.written.yaml, YamlOf(document));
}

}  // namespace
}  // namespace gw::api
