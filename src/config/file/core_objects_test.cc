// Pod, Service, EndpointSlice, Secret and Namespace, of which only little is used.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "config/file/test_objects.h"

namespace gw::config {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST(CoreObjects, MetadataAsTheApiServerWritesIt) {
  const api::ResourceSet set = Good(R"(
apiVersion: v1
kind: Pod
metadata:
  name: qwen-0
  generateName: qwen-
  namespace: llm
  uid: 0d1f5c6a-0000-4000-8000-000000000000
  resourceVersion: "123"
  generation: 4
  creationTimestamp: "1970-01-02T00:00:01Z"
  deletionTimestamp: "2026-01-02T03:04:05.5+01:00"
  deletionGracePeriodSeconds: 30
  labels: {app: qwen, tier: ""}
  annotations: {penstock.dev/target-port: "8001", note: null}
  ownerReferences: [{kind: ReplicaSet}]
  finalizers: [a/b]
  managedFields: [{manager: kubectl}]
spec: {containers: [{name: vllm, image: vllm}]}
status:
  phase: Running
  podIP: fd00::1
  conditions:
  - {type: Initialized, status: "True"}
  - {type: Ready, status: "False"}
)");
  ASSERT_EQ(set.pods.size(), 1u);
  const api::Pod& pod = set.pods.begin()->second;
  EXPECT_EQ(pod.meta.ns, "llm");
  EXPECT_EQ(pod.meta.generation, 4);
  EXPECT_EQ(pod.meta.creation_unix_s, 86401);
  EXPECT_TRUE(pod.meta.terminating);
  EXPECT_THAT(pod.meta.labels, ElementsAre(Pair("app", "qwen"), Pair("tier", "")));
  EXPECT_EQ(pod.meta.annotation("note"), "");
  EXPECT_EQ(pod.meta.source.ToString(), "a.yaml:2");
  EXPECT_EQ(pod.target_port, 8001);
  EXPECT_EQ(pod.ip, "fd00::1");
  EXPECT_EQ(pod.phase, "Running");
  EXPECT_FALSE(pod.ready);
}

TEST(CoreObjects, ReadinessOfPods) {
  const auto ready = [](const std::string& status) {
    return Good("apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n" + status)
        .pods.begin()
        ->second.ready;
  };
  EXPECT_TRUE(ready(""));
  EXPECT_TRUE(ready("status: {podIP: 127.0.0.1}"));
  EXPECT_TRUE(ready("status: {conditions: []}"));
  EXPECT_TRUE(ready("status: {conditions: [{type: Ready, status: \"True\"}]}"));
  EXPECT_FALSE(ready("status: {conditions: [{type: Ready, status: \"Unknown\"}]}"));
  EXPECT_FALSE(ready("status: {conditions: [{type: Initialized, status: \"True\"}]}"));
}

TEST(CoreObjects, AreReadOnlyAsFarAsNeeded) {
  const api::ResourceSet set = Good(R"(
apiVersion: v1
kind: Service
metadata: {name: s}
spec:
  type: ClusterIP
  clusterIP: None
  ipFamilyPolicy: SingleStack
  selector: {app: web}
  ports:
  - {name: http, port: 80, targetPort: 8080, protocol: TCP, nodePort: 30000}
  - {name: metrics, port: 90, targetPort: metrics, appProtocol: kubernetes.io/h2c}
  - {name: same, port: 91}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: s-1, labels: {kubernetes.io/service-name: s}}
addressType: IPv4
ports: [{name: http, port: 8080}, {name: all, port: null}]
endpoints:
- addresses: [127.0.0.1]
  conditions: {ready: false}
  nodeName: n
  targetRef: {kind: Pod, name: web-0}
- {addresses: [127.0.0.2], conditions: {ready: false, serving: true, terminating: true}}
- {addresses: [127.0.0.3]}
---
apiVersion: v1
kind: Secret
metadata: {name: cert}
type: kubernetes.io/tls
data: {tls.crt: "", tls.key: ""}
---
apiVersion: v1
kind: Namespace
metadata: {name: ml, labels: {team: a}}
)");
  const api::Service* service = set.FindService("default", "s");
  ASSERT_NE(service, nullptr);
  EXPECT_EQ(service->cluster_ip, "None");
  ASSERT_EQ(service->ports.size(), 3u);
  EXPECT_EQ(service->ports[0].target_port, 8080);
  EXPECT_EQ(service->ports[1].target_port, 0);
  EXPECT_EQ(service->ports[1].target_port_name, "metrics");
  EXPECT_EQ(service->ports[1].app_protocol, "kubernetes.io/h2c");
  EXPECT_EQ(service->ports[2].target_port, 91);
  ASSERT_EQ(set.endpoint_slices.size(), 1u);
  const api::EndpointSlice& slice = set.endpoint_slices.begin()->second;
  EXPECT_EQ(slice.service_name, "s");
  ASSERT_EQ(slice.ports.size(), 2u);
  EXPECT_EQ(slice.ports[0].port, 8080);
  EXPECT_FALSE(slice.ports[1].port.has_value());
  ASSERT_EQ(slice.endpoints.size(), 3u);
  EXPECT_FALSE(slice.endpoints[0].ready);
  EXPECT_FALSE(slice.endpoints[0].serving) << "serving follows ready when it is absent";
  EXPECT_EQ(slice.endpoints[0].pod_name, "web-0");
  EXPECT_TRUE(slice.endpoints[1].serving);
  EXPECT_TRUE(slice.endpoints[1].terminating);
  EXPECT_TRUE(slice.endpoints[2].ready);
  EXPECT_EQ(set.secrets.at({"default", "cert"}).type, "kubernetes.io/tls");
  EXPECT_THAT(set.NamespaceLabels("ml"),
              ElementsAre(Pair("kubernetes.io/metadata.name", "ml"), Pair("team", "a")));
  EXPECT_THAT(set.NamespaceLabels("web"), ElementsAre(Pair("kubernetes.io/metadata.name", "web")));
}

// As `kubectl get -o yaml` prints them, cut to one of each field.
constexpr char kFromACluster[] = R"(
apiVersion: v1
kind: Pod
metadata:
  creationTimestamp: "2026-01-02T03:04:05Z"
  generateName: qwen-5d9c7b-
  labels: {app: qwen, pod-template-hash: 5d9c7b}
  name: qwen-5d9c7b-x2x7k
  namespace: default
  ownerReferences:
  - {apiVersion: apps/v1, controller: true, kind: ReplicaSet, name: qwen-5d9c7b, uid: u}
  resourceVersion: "812"
  uid: 5c1b
spec:
  affinity: {}
  containers: [{image: vllm/vllm-openai, name: vllm, ports: [{containerPort: 8000}], resources: {}}]
  dnsPolicy: ClusterFirst
  enableServiceLinks: true
  initContainers: []
  nodeName: gpu-1
  nodeSelector: {gpu: h100}
  preemptionPolicy: PreemptLowerPriority
  priority: 0
  restartPolicy: Always
  runtimeClassName: nvidia
  schedulerName: default-scheduler
  securityContext: {}
  serviceAccount: default
  serviceAccountName: default
  terminationGracePeriodSeconds: 30
  tolerations: [{effect: NoExecute, operator: Exists, tolerationSeconds: 300}]
  volumes: [{name: models, persistentVolumeClaim: {claimName: models}}]
status:
  conditions:
  - {lastProbeTime: null, lastTransitionTime: "2026-01-02T03:04:05Z", observedGeneration: 1,
     reason: R, message: m, status: "True", type: Ready}
  containerStatuses: [{name: vllm, ready: true, restartCount: 0}]
  hostIP: 192.0.2.1
  hostIPs: [{ip: 192.0.2.1}]
  observedGeneration: 1
  phase: Running
  podIP: 192.0.2.17
  podIPs: [{ip: 192.0.2.17}]
  qosClass: Burstable
  startTime: "2026-01-02T03:04:05Z"
---
apiVersion: v1
kind: Service
metadata: {name: qwen, namespace: default}
spec:
  allocateLoadBalancerNodePorts: true
  clusterIP: 192.0.2.200
  clusterIPs: [192.0.2.200]
  externalTrafficPolicy: Cluster
  internalTrafficPolicy: Cluster
  ipFamilies: [IPv4]
  ipFamilyPolicy: SingleStack
  ports: [{name: http, nodePort: 30080, port: 80, protocol: TCP, targetPort: 8000}]
  selector: {app: qwen}
  sessionAffinity: None
  type: LoadBalancer
status: {loadBalancer: {}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
addressType: IPv4
metadata: {name: qwen-1, labels: {kubernetes.io/service-name: qwen}}
endpoints:
- addresses: [192.0.2.17]
  conditions: {ready: true, serving: true, terminating: false}
  hints: {forZones: [{name: a}]}
  hostname: qwen-0
  nodeName: gpu-1
  targetRef: {kind: Pod, name: qwen-5d9c7b-x2x7k, namespace: default, uid: u}
  zone: a
ports: [{appProtocol: http, name: http, port: 8000, protocol: TCP}]
---
apiVersion: v1
kind: Secret
metadata: {name: cert}
type: Opaque
immutable: true
data: {a: "", d: null}
stringData: {b: c}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: authorities}
immutable: false
binaryData: {icon: AAAA}
data:
  ca.crt: |
    any text
  _x: ""
---
apiVersion: v1
kind: Namespace
metadata: {name: default, labels: {kubernetes.io/metadata.name: default}}
spec: {finalizers: [kubernetes]}
status: {phase: Active}
)";

TEST(CoreObjects, WithAllThatAClusterWritesAreAccepted) {
  const api::ResourceSet set = Good(kFromACluster);
  EXPECT_EQ(set.object_count(), 6u);
  EXPECT_TRUE(set.pods.begin()->second.ready);
  EXPECT_EQ(set.pods.begin()->second.ip, "192.0.2.17");
}

TEST(CoreObjects, DataOfASecretIsDecodedAndStringDataGoesOverIt) {
  const api::ResourceSet set = Good(R"(
apiVersion: v1
kind: Secret
metadata: {name: s, namespace: ml}
data: {a: YWJj, b: "YQ==", c: eA==, empty: null}
stringData: {b: plain, d: "line\n"}
)");
  EXPECT_THAT(set.secrets.at({"ml", "s"}).data,
              ElementsAre(Pair("a", "abc"), Pair("b", "plain"), Pair("c", "x"), Pair("d", "line\n"),
                          Pair("empty", "")));
}

// A key that lost its quotes, its indentation or its place is still a key.
TEST(CoreObjects, NoMessageShowsWhatIsInASecret) {
  const std::pair<std::string, std::string> kWrong[] = {
      {"data: {k: aGlkZGVu$$$}",
       "data.k: must be base64, got 11 characters that are not; plain "
       "text goes into stringData (a.yaml:4)"},
      {"data: {k: YQ}",
       "data.k: must be base64, got 2 characters that are not; plain text goes "
       "into stringData (a.yaml:4)"},
      {"stringData: {k: 12345}", "stringData.k: must be text: put it in quotes (a.yaml:4)"},
      {"stringData: {k: [hidden]}", "stringData.k: must be text: put it in quotes (a.yaml:4)"},
      {"stringData: hidden", "stringData: must be a map (a.yaml:4)"},
      {"data: [hidden]", "data: must be a map (a.yaml:4)"},
      {"data: {hidden hidden: YQ==}", "data: entry 1 has a key that is none (a.yaml:4)"},
      {"stringData: {k: a, k: b}", "stringData.k: is given twice (a.yaml:4)"},
      {"type: kubernetes.io/tls\ndata: {tls.crt: YQ==}",
       "data[\"tls.key\"]: is required for type kubernetes.io/tls (a.yaml:5)"},
  };
  for (const auto& [fields, error] : kWrong) {
    const std::vector<std::string> errors =
        ErrorsOf("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n" + fields + "\n");
    EXPECT_THAT(errors, ElementsAre("Secret default/s: " + error)) << fields;
    for (const std::string& each : errors) {
      EXPECT_EQ(each.find("hidden"), std::string::npos) << each;
      EXPECT_EQ(each.find("12345"), std::string::npos) << each;
    }
  }
}

TEST(CoreObjects, DataHasAtMostAMebibyte) {
  const std::string frame = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: ";
  EXPECT_EQ(Good(frame + std::string(1 << 20, 'x') + "}").config_maps.size(), 1u);
  EXPECT_THAT(ErrorsOf(frame + std::string((1 << 20) + 1, 'x') + "}"),
              ElementsAre("ConfigMap default/c: data: must have at most 1048576 bytes, got 1048577 "
                          "(a.yaml:4)"));
}

}  // namespace
}  // namespace gw::config
