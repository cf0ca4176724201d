// docs/schema/penstock.schema.json, which editors read, against the code that reads objects.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "api/annotations.h"
#include "api/inference.h"
#include "api/parse.h"
#include "config/file/yaml.h"
#include "translate/judge.h"
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
std::map<std::string, std::vector<std::string>> Annotations(std::string_view kind) {
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

// Of pools these say something only beside another one.
bool IsOfTls(const std::string& key) {
  return key == api::kEndpointTlsVerifyAnnotation || key == api::kEndpointTlsServerNameAnnotation;
}

bool IsOfQueue(const std::string& key) {
  return key.starts_with("penstock.dev/queue-") || key == api::kMaxWaitingAnnotation;
}

// Of Gateways each of these is named beside the other.
bool NamesFile(const std::string& key) {
  return key == api::kCertificateFileOption || key == api::kKeyFileOption;
}

TEST(Schema, OffersOnlyAnnotationsAndValuesOfPoolsThatAreTaken) {
  const auto annotations = Annotations("InferencePool");
  EXPECT_GE(annotations.size(), 5u);
  for (const auto& [key, values] : annotations) {
    EXPECT_FALSE(values.empty()) << key;
    for (const std::string& value : values) {
      api::InferencePool pool;
      pool.meta.annotations[key] = value;
      if (IsOfQueue(key)) pool.meta.annotations[api::kQueueingAnnotation] = "true";
      if (IsOfTls(key)) pool.meta.annotations[api::kEndpointSchemeAnnotation] = "https";
      EXPECT_THAT(internal::ReadPoolSettings(pool).errors, testing::IsEmpty()) << key;
    }
    api::InferencePool pool;
    pool.meta.annotations[key] = "no such value";
    EXPECT_EQ(internal::ReadPoolSettings(pool).errors.size(), 1u) << key << " is read";
  }
}

TEST(Schema, HasTheAnnotationsThatTheCodeKnowsAndNoOthers) {
  std::set<std::string> known;
  for (const api::OwnAnnotation& own : api::OwnAnnotations()) {
    known.insert(std::string(own.kind) + " " + std::string(own.name));
  }
  for (const char* name : {api::kRuntimeAnnotation, api::kStrategyAnnotation}) {
    known.insert("InferencePool " + std::string(name));
  }
  std::set<std::string> offered;
  std::set<std::string> kinds;
  for (const std::string& read : api::Parser::KindsRead()) {
    kinds.insert(read.substr(read.find(' ') + 1));
  }
  for (const std::string& kind : kinds) {
    for (const auto& [name, values] : Annotations(kind)) offered.insert(kind + " " + name);
  }
  EXPECT_EQ(offered, known);
}

// What is wrong with an object that has this annotation; also what translate finds.
std::string ErrorsWith(const std::string& frame, const std::string& key, const std::string& value) {
  std::string annotations = key + ": '" + value + "'";
  // Of Gateways and HTTPRoutes these say more of the keys that another one names.
  const bool of_keys = key == api::kApiKeysForwardAnnotation ||
                       key == api::kRequestsPerMinuteAnnotation ||
                       key == api::kTokensPerMinuteAnnotation;
  if (of_keys) annotations += std::string(", ") + api::kApiKeysAnnotation + ": app=keys";
  if (IsOfQueue(key)) annotations += std::string(", ") + api::kQueueingAnnotation + ": 'true'";
  if (IsOfTls(key)) annotations += std::string(", ") + api::kEndpointSchemeAnnotation + ": https";
  if (NamesFile(key)) {
    const std::string other =
        key == api::kKeyFileOption ? api::kCertificateFileOption : api::kKeyFileOption;
    annotations += ", " + other + ": tls.pem";
  }
  const std::string text = frame + "metadata: {name: a, annotations: {" + annotations + "}}";
  api::Parser parser;
  parser.Add(config::ReadYaml(text).documents.at(0), "a.yaml");
  const api::Parsed parsed = parser.Take();
  const api::ParsedObject& object = parsed.objects.at(0);
  return object.errors.empty() ? RefusedAlone(*object.object) : object.errors.front();
}

TEST(Schema, OffersOnlyAnnotationsAndValuesThatAreTaken) {
  const std::map<std::string_view, std::string> frames = {
      {"Gateway",
       "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\n"
       "spec: {gatewayClassName: c, listeners: [{name: l, port: 443, protocol: HTTPS}]}\n"},
      {"HTTPRoute", "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nspec: {}\n"},
      {"InferencePool",
       "apiVersion: inference.networking.k8s.io/v1\nkind: InferencePool\n"
       "spec: {selector: {matchLabels: {a: b}}, targetPorts: [{number: 80}]}\n"},
      {"InferenceTrafficPolicy",
       "apiVersion: inferenceextension.alibabacloud.com/v1alpha1\n"
       "kind: InferenceTrafficPolicy\nspec: {poolRef: {name: p}}\n"},
      {"Pod", "apiVersion: v1\nkind: Pod\n"},
      {"Secret", "apiVersion: v1\nkind: Secret\n"}};
  for (const api::OwnAnnotation& own : api::OwnAnnotations()) {
    ASSERT_TRUE(frames.contains(own.kind)) << own.kind;
    const std::string& frame = frames.at(own.kind);
    const std::string key(own.name);
    const std::vector<std::string> values = Annotations(own.kind)[key];
    EXPECT_FALSE(values.empty()) << key;
    for (const std::string& value : values) EXPECT_EQ(ErrorsWith(frame, key, value), "") << key;
    const std::string wrong = NamesFile(key) ? "" : "no such value";
    EXPECT_THAT(ErrorsWith(frame, key, wrong), testing::HasSubstr("must be")) << key;
  }
}

}  // namespace
}  // namespace gw
