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

TEST(ClusterParse, AModelReleaseKeepsItsStatusWhole) {
  const auto release = [](const std::string& status) {
    return R"({"apiVersion":"penstock.dev/v1alpha1","kind":"ModelRelease","metadata":{
        "name":"r"},"spec":{"route":{"name":"c"},"stable":{"name":"a"},"candidate":{"name":"b"},
        "steps":[{"weight":2.50,"samplesMin":9}],"criteria":{"ttft":1},"stepsOfTomorrow":[]})" +
           status + "}";
  };
  const std::string status =
      R"({"phase":"Progressing","weight":2.5,"run":{"a\"b":[null,true,"x"],"n":12345678901}})";
  const auto whole = Whole<api::ModelRelease>(Parse(release(",\"status\": " + status)));
  EXPECT_EQ(whole.status, status);
  EXPECT_EQ(whole.steps.at(0).weight_percent, 2.5);
  EXPECT_EQ(whole.criteria.ttft, 1);
  EXPECT_THAT(whole.meta.unknown_fields, ElementsAre("spec.stepsOfTomorrow"));
  EXPECT_EQ(Whole<api::ModelRelease>(Parse(release(""))).status, "");
  EXPECT_EQ(Whole<api::ModelRelease>(Parse(release(R"(,"status":null)"))).status, "");
  EXPECT_EQ(Whole<api::ModelRelease>(Parse(release(R"(,"status":[7])"))).status, "[7]");
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

std::string GatewayWith(const std::string& status) {
  return R"({"apiVersion":"gateway.networking.k8s.io/v1","kind":"Gateway","metadata":{"name":"g"},
      "spec":{"gatewayClassName":"c","listeners":[{"name":"l","port":80,"protocol":"HTTP"}]})" +
         status + "}";
}

TEST(ClusterParse, OfAGatewaysStatusOnlyIpAddressesAreRead) {
  const std::string status = R"(,"status":{"fieldOfTomorrow":1,"conditions":[{"type":1}],
      "addresses":[{"type":"IPAddress","value":"10.0.0.1"},{"value":"fd00:0::1"},{"type":"x"},
        {"type":"Hostname","value":"gw.example.com","fieldOfTomorrow":1}]})";
  const auto gateway = Whole<api::Gateway>(Parse(GatewayWith(status)));
  EXPECT_THAT(gateway.told.ips, ElementsAre("10.0.0.1", "fd00::1"));
  EXPECT_THAT(gateway.meta.unknown_fields, IsEmpty());
  EXPECT_THAT(gateway.unsupported, IsEmpty());
  const auto in_file = Whole<api::Gateway>(Parse(GatewayWith(status), api::Origin::kFile));
  EXPECT_THAT(in_file.told.ips, IsEmpty()) << "it is somebody's copy";
}

TEST(ClusterParse, WhatIsWrittenIntoAGatewaysStatusMakesNoOtherObjectOfIt) {
  const api::ParsedObject bare = Parse(GatewayWith(""));
  const api::ParsedObject written =
      Parse(GatewayWith(R"(,"status":{"addresses":[{"type":"IPAddress","value":"10.0.0.1"}]})"));
  EXPECT_TRUE(*bare.object == *written.object);
}

TEST(ClusterParse, ReadsWhereAServiceIsReached) {
  const std::string json = R"({"apiVersion":"v1","kind":"Service","metadata":{"name":"s"},
      "spec":{"type":"LoadBalancer","clusterIP":"10.96.0.7","clusterIPs":["10.96.0.7","fd00::7"],
        "externalIPs":["192.0.2.1"]},
      "status":{"conditions":[],"fieldOfTomorrow":1,"loadBalancer":{"fieldOfTomorrow":1,"ingress":[
        {"ip":"192.0.2.5","ipMode":"VIP","ports":[{"port":80}]},{"hostname":"lb.example.com"}]}}})";
  const auto service = Whole<api::Service>(Parse(json));
  EXPECT_EQ(service.cluster_ip, "10.96.0.7");
  EXPECT_THAT(service.cluster_ips, ElementsAre("10.96.0.7", "fd00::7"));
  EXPECT_THAT(service.external_ips, ElementsAre("192.0.2.1"));
  EXPECT_EQ(service.load_balancer,
            (std::vector<api::IngressPoint>{{"192.0.2.5", ""}, {"", "lb.example.com"}}));
  EXPECT_THAT(service.meta.unknown_fields, IsEmpty());
  EXPECT_THAT(Whole<api::Service>(Parse(json, api::Origin::kFile)).load_balancer, IsEmpty());
}

}  // namespace
}  // namespace gw::config
