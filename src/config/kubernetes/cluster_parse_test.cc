// How strict api::Parser is with objects as an API server holds them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/parse.h"
#include "kube/json_node.h"

namespace gw::config {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

api::ParsedObject Parse(const std::string& json, api::Origin origin = api::Origin::kCluster) {
  const absl::StatusOr<api::Node> node = kube::ParseJson(json);
  EXPECT_TRUE(node.ok()) << node.status();
  api::Parser parser(origin);
  parser.Add(*node, "");
  api::Parsed parsed = parser.Take();
  EXPECT_EQ(parsed.objects.size(), 1u);
  return parsed.objects.front();
}

template <typename Kind>
Kind Whole(const api::ParsedObject& parsed) {
  EXPECT_THAT(parsed.errors, IsEmpty());
  return parsed.object == nullptr ? Kind() : std::get<Kind>(*parsed.object);
}

std::string Route(const std::string& spec) {
  return R"({"apiVersion":"gateway.networking.k8s.io/v1","kind":"HTTPRoute","metadata":{"name":"r",
      "namespace":"ns","generation":7},"spec":)" +
         spec + R"(,"status":{"parents":[{"anything":1}]}})";
}

TEST(ClusterParse, AcceptsWhatAnApiServerAddsToAPod) {
  const auto pod = Whole<api::Pod>(Parse(R"({"apiVersion":"v1","kind":"Pod","metadata":{
      "name":"a-1","namespace":"ns","uid":"0-1","resourceVersion":"17","generation":2,
      "creationTimestamp":"2026-01-02T03:04:05Z","generateName":"a-","selfLink":"",
      "ownerReferences":[{"kind":"ReplicaSet","apiVersion":"apps/v1"}],"finalizers":["x/y"],
      "managedFields":[{"manager":"kubelet","fieldsV1":{"f:status":{".":{}}}}],
      "labels":{"app":"a"},"fieldOfTomorrow":{}},
      "spec":{"containers":[{"name":"c","image":"i"}],"nodeName":"n","fieldOfTomorrow":[1]},
      "status":{"phase":"Running","podIP":"10.0.0.1","podIPs":[{"ip":"10.0.0.1"}],
        "fieldOfTomorrow":1,
        "conditions":[{"type":"Ready","status":"True","fieldOfTomorrow":1}]}})"));
  EXPECT_EQ(pod.meta.ns, "ns");
  EXPECT_EQ(pod.ip, "10.0.0.1");
  EXPECT_TRUE(pod.ready);
  EXPECT_THAT(pod.meta.unknown_fields, IsEmpty());
}

TEST(ClusterParse, APodThatNobodyHasJudgedIsNotReady) {
  const std::string bare = R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},
      "status":{"podIP":"10.0.0.1"}})";
  EXPECT_FALSE(Whole<api::Pod>(Parse(bare)).ready);
  EXPECT_TRUE(Whole<api::Pod>(Parse(bare, api::Origin::kFile)).ready);
}

TEST(ClusterParse, AFieldOfANewerVersionTakesItsRuleOutOfServiceAndNoOther) {
  const std::string json = Route(R"({"parentRefs":[{"name":"g"}],"fieldOfTomorrow":1,"rules":[
      {"backendRefs":[{"name":"a","port":80}]},
      {"backendRefs":[{"name":"a","port":80}],"matches":[{"clientIP":"10.0.0.0/8"}]}]})");
  const api::ParsedObject parsed = Parse(json);
  EXPECT_EQ(parsed.generation, 7);
  const auto route = Whole<api::HttpRoute>(parsed);
  ASSERT_EQ(route.unsupported.size(), 1u);
  EXPECT_EQ(route.unsupported[0].index, 1);
  EXPECT_EQ(route.unsupported[0].path, "spec.rules[1].matches[0].clientIP");
  EXPECT_THAT(route.meta.unknown_fields, ElementsAre("spec.fieldOfTomorrow"));
  EXPECT_THAT(Parse(json, api::Origin::kFile).errors.size(), 2u) << "in a file it is a mistake";
}

TEST(ClusterParse, AFieldOfANewerVersionLeavesThePoolServed) {
  const auto pool = Whole<api::InferencePool>(Parse(R"({
      "apiVersion":"inference.networking.k8s.io/v1","kind":"InferencePool","metadata":{"name":"p"},
      "spec":{"selector":{"matchLabels":{"app":"a"}},"targetPorts":[{"number":8000}],
        "endpointPickerRef":{"name":"epp","port":{"number":9002}},"fieldOfTomorrow":{"a":1}}})"));
  EXPECT_THAT(pool.unsupported, IsEmpty());
  EXPECT_THAT(pool.meta.unknown_fields, ElementsAre("spec.fieldOfTomorrow"));
}

TEST(ClusterParse, AFieldThatMayDemandMoreOfATlsServerIsNotIgnored) {
  const auto policy = Whole<api::BackendTlsPolicy>(Parse(R"({
      "apiVersion":"gateway.networking.k8s.io/v1","kind":"BackendTLSPolicy",
      "metadata":{"name":"p"},"spec":{"targetRefs":[{"group":"","kind":"Service","name":"s"}],
        "validation":{"hostname":"h","wellKnownCACertificates":"System","pins":["x"]}}})"));
  ASSERT_EQ(policy.unsupported.size(), 1u);
  EXPECT_EQ(policy.unsupported[0].path, "spec.validation.pins");
}

TEST(ClusterParse, AValueThatIsWrongIsWrongInAClusterToo) {
  EXPECT_THAT(Parse(Route(R"({"parentRefs":"g"})")).errors,
              ElementsAre("spec.parentRefs: must be a list, got \"g\""));
}

}  // namespace
}  // namespace gw::config
