// docs/schema/penstock.schema.json, which editors read, against the code that reads objects.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "api/parse.h"
#include "config/file/yaml.h"
#include "translate/disaggregation.h"
#include "translate/pool_settings.h"

namespace gw {
namespace {

api::Node Schema() {
  std::ifstream file(std::string(PENSTOCK_SOURCE_DIR) + "/docs/schema/penstock.schema.json");
  std::stringstream text;
  text << file.rdbuf();
  config::YamlDocuments read = config::ReadYaml(text.str());  // of which JSON is a part
  EXPECT_EQ(read.error, "");
  return read.documents.empty() ? api::Node() : read.documents[0];
}

// The node at the end of a way of keys; an empty one if there is none.
const api::Node& At(const api::Node& node, const std::vector<std::string>& way) {
  static const api::Node kNone;
  const api::Node* at = &node;
  for (const std::string& key : way) {
    at = at == nullptr ? nullptr : at->Find(key);
  }
  return at == nullptr ? kNone : *at;
}

std::vector<std::string> Texts(const api::Node& list) {
  std::vector<std::string> out;
  for (const api::Node& item : list.items) out.push_back(item.text);
  return out;
}

// Every annotation that the schema offers for a kind, each with the values it offers.
std::map<std::string, std::vector<std::string>> Annotations(const std::string& kind) {
  std::map<std::string, std::vector<std::string>> out;
  const api::Node schema = Schema();
  for (const api::Node& rule : At(schema, {"allOf"}).items) {
    if (At(rule, {"if", "properties", "kind", "const"}).text != kind) continue;
    const api::Node& offered =
        At(rule, {"then", "properties", "metadata", "properties", "annotations", "properties"});
    for (size_t i = 0; i < offered.keys.size(); ++i) {
      std::vector<std::string>& values = out[offered.keys[i].name];
      values = Texts(At(offered.items[i], {"enum"}));
      for (std::string& value : Texts(At(offered.items[i], {"examples"}))) values.push_back(value);
    }
  }
  return out;
}

TEST(Schema, NamesTheKindsThatAreReadAndNoOthers) {
  std::set<std::string> named;
  const api::Node schema = Schema();
  for (const api::Node& rule : At(schema, {"allOf"}).items) {
    const std::string kind = At(rule, {"if", "properties", "kind", "const"}).text;
    for (const std::string& version :
         Texts(At(rule, {"then", "properties", "apiVersion", "enum"}))) {
      named.insert(version + " " + kind);
    }
  }
  const std::vector<std::string> read = api::Parser::KindsRead();
  EXPECT_EQ(named, std::set<std::string>(read.begin(), read.end()));
}

TEST(Schema, OffersOnlyAnnotationsAndValuesOfPoolsThatAreTaken) {
  const auto annotations = Annotations("InferencePool");
  EXPECT_GE(annotations.size(), 5u);
  for (const auto& [key, values] : annotations) {
    EXPECT_FALSE(values.empty()) << key;
    for (const std::string& value : values) {
      api::InferencePool pool;
      pool.meta.annotations[key] = value;
      EXPECT_THAT(internal::ReadPoolSettings(pool).errors, testing::IsEmpty()) << key;
    }
    api::InferencePool pool;
    pool.meta.annotations[key] = "no such value";
    EXPECT_EQ(internal::ReadPoolSettings(pool).errors.size(), 1u) << key << " is read";
  }
}

TEST(Schema, OffersOnlyAnnotationsOfPodsAndPoliciesThatAreTaken) {
  for (const auto& [kind, frame] :
       {std::pair("Pod", "apiVersion: v1\nkind: Pod\n"),
        std::pair("InferenceTrafficPolicy",
                  "apiVersion: inferenceextension.alibabacloud.com/v1alpha1\n"
                  "kind: InferenceTrafficPolicy\nspec: {poolRef: {name: p}}\n")}) {
    const auto annotations = Annotations(kind);
    EXPECT_FALSE(annotations.empty()) << kind;
    for (const auto& [key, values] : annotations) {
      ASSERT_FALSE(values.empty()) << key;
      const std::string text = std::string(frame) + "metadata: {name: a, annotations: {" + key +
                               ": '" + values[0] + "'}}";
      api::Parser parser;
      parser.Add(config::ReadYaml(text).documents.at(0), "a.yaml");
      EXPECT_THAT(parser.Take().objects.at(0).errors, testing::IsEmpty()) << key;
    }
  }
  EXPECT_TRUE(Annotations("Pod").contains(api::kTargetPortAnnotation));
  EXPECT_TRUE(
      Annotations("InferenceTrafficPolicy").contains(internal::kBootstrapTimeoutAnnotation));
  EXPECT_TRUE(
      Annotations("InferenceTrafficPolicy").contains(internal::kUncachedTokensMinAnnotation));
}

}  // namespace
}  // namespace gw
