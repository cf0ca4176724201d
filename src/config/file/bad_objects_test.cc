// What is refused, and what is said about it. Each row is one object, cut down to what matters: the
// part in question stands in a frame that is otherwise valid.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "config/file/test_objects.h"

namespace gw::config {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr char kPoolX[] =
    "apiVersion: inference.networking.x-k8s.io/v1alpha2\n"
    "kind: InferencePool\n";

TEST(BadObjects, Metadata) {
  const std::string spec = "spec: {targetPortNumber: 8000, selector: {a: b}}\n";
  ExpectErrors(
      {
          {"metadata: {}",
           "InferencePool default/(a.yaml:1): metadata.name: is required (a.yaml:4)"},
          {"metadata: {name: a}\nlabels: {}",
           "InferencePool default/a: labels: unknown field (a.yaml:5)"},
          {"metadata: [a]",
           "InferencePool default/(a.yaml:1): metadata: must be a map, got a list (a.yaml:4)"},
          {"metadata: {name: Qwen}",
           "InferencePool default/Qwen: metadata.name: must be a DNS name (lower case letters, "
           "digits, "
           "'-' and '.', at most 253), got \"Qwen\" (a.yaml:4)"},
          {"metadata: {name: 7}",
           "InferencePool default/7: metadata.name: must be text, got the number 7: put it in "
           "quotes "
           "(a.yaml:4)"},
          {"metadata: {name: a, namespace: b.c}",
           "InferencePool b.c/a: metadata.namespace: must be a DNS label (lower case letters, "
           "digits and "
           "'-', at most 63), got \"b.c\" (a.yaml:4)"},
          {"metadata: {name: a, labels: {x: yes}}",
           "InferencePool default/a: metadata.labels.x: must be text, got the boolean yes: put it "
           "in "
           "quotes (a.yaml:4)"},
          {"metadata: {name: a, labels: {x: \"-\"}}",
           "InferencePool default/a: metadata.labels.x: must be a label value (letters, digits, "
           "'-', '_' "
           "and '.', at most 63), got \"-\" (a.yaml:4)"},
          {"metadata: {name: a, labels: {\"x y\": z}}",
           "InferencePool default/a: metadata.labels[\"x y\"]: is not a valid label key "
           "(a.yaml:4)"},
          {"metadata: {name: a, annotations: {Penstock.dev/x: z}}",
           "InferencePool default/a: metadata.annotations[\"Penstock.dev/x\"]: is not a valid "
           "annotation "
           "key (a.yaml:4)"},
          {"metadata: {name: a, annotations: {penstock.dev/x: 1}}",
           "InferencePool default/a: metadata.annotations[\"penstock.dev/x\"]: must be text, got "
           "the "
           "number 1: put it in quotes (a.yaml:4)"},
          {"metadata: {name: a, generation: -1}",
           "InferencePool default/a: metadata.generation: must be at least 0, got -1 (a.yaml:4)"},
          {"metadata: {name: a, creationTimestamp: \"2026-13-01T00:00:00Z\"}",
           "InferencePool default/a: metadata.creationTimestamp: must be a time such as "
           "\"2026-01-02T03:04:05Z\", got \"2026-13-01T00:00:00Z\" (a.yaml:4)"},
          {"metadata: {name: a, nmespace: b}",
           "InferencePool default/a: metadata.nmespace: unknown field, did you mean \"namespace\"? "
           "(a.yaml:4)"},
          {"metadata: {name: a, name: b}",
           "InferencePool default/a: metadata.name: is given twice (a.yaml:4)"},
      },
      kPoolX + spec);
}

TEST(BadObjects, KindAndVersion) {
  const std::string rest = "metadata: {name: a}\nspec: {}\n";
  ExpectErrors(
      {
          {"kind: InferencePool", "InferencePool a: apiVersion: is required (a.yaml:1)"},
          {"apiVersion: gateway.networking.k8s.io/v1", "object a: kind: is required (a.yaml:1)"},
          {"kind: HTTPRoute\napiVersion: gateway.networking.k8s.io/v1alpha2",
           "HTTPRoute default/a: apiVersion: must be gateway.networking.k8s.io/v1 or v1beta1, got "
           "\"gateway.networking.k8s.io/v1alpha2\" (a.yaml:1)"},
          {"kind: InferencePool\napiVersion: inference.networking.k8s.io/v1alpha2",
           "InferencePool default/a: apiVersion: must be inference.networking.k8s.io/v1, got "
           "\"inference.networking.k8s.io/v1alpha2\" (a.yaml:1)"},
          {"kind: HttpRoute\napiVersion: gateway.networking.k8s.io/v1",
           "HTTPRoute default/a: kind: must be HTTPRoute, got \"HttpRoute\" (a.yaml:1)"},
          {"kind: HTTPRout\napiVersion: gateway.networking.k8s.io/v1",
           "HTTPRout a: kind: there is no kind \"HTTPRout\" in gateway.networking.k8s.io, did you "
           "mean \"HTTPRoute\"? "
           "(a.yaml:1)"},
          {"kind: Anything\napiVersion: penstock.dev/v1alpha1",
           "Anything a: kind: there is no kind \"Anything\" in penstock.dev (a.yaml:1)"},
          {"kind: Gateway\napiVersion: v1",
           "Gateway a: apiVersion: must be gateway.networking.k8s.io/v1 for kind Gateway, got "
           "\"v1\" "
           "(a.yaml:1)"},
          {"kind: 3\napiVersion: v1",
           "3 a: kind: must be text, got the number 3: put it in quotes (a.yaml:3)"},
          {"kind: [Pod]\napiVersion: v1", "object a: kind: must be text, got a list (a.yaml:3)"},
          {"kind: Pod\napiVersion: 1",
           "Pod a: apiVersion: must be text, got the number 1: put it in quotes (a.yaml:4)"},
          {"kind: pod\napiVersion: v1", "Pod default/a: kind: must be Pod, got \"pod\" (a.yaml:1)"},
      },
      rest);
  EXPECT_THAT(
      ErrorsOf("- a\n- b\n"),
      ElementsAre("object (a.yaml:1): must be an object (a map with apiVersion and kind), got a "
                  "list (a.yaml:1)"));
  // No object at all: a request's body, Helm's values.
  EXPECT_THAT(ErrorsOf("\nreplicas: 3\n"), testing::IsEmpty());
  EXPECT_EQ(ObjectsOf("\nreplicas: 3\n").skipped_count(), 1u);
  EXPECT_THAT(ErrorsOf("\nspec: {}\n"),
              ElementsAre("object (a.yaml:2): apiVersion: is required (a.yaml:2)",
                          "object (a.yaml:2): kind: is required (a.yaml:2)"));
  EXPECT_THAT(ErrorsOf("apiVersion: v1\nkind: List\nitems: 3"),
              ElementsAre("List (a.yaml:1): items: must be a list, got the number 3 (a.yaml:3)"));
  EXPECT_THAT(
      ErrorsOf("apiVersion: v1\nkind: List\nitems: [3]"),
      ElementsAre("object (a.yaml:3): must be an object (a map with apiVersion and kind), got "
                  "the number 3 (a.yaml:3)"));
}

TEST(BadObjects, InferencePoolV1Alpha2) {
  const std::string frame = std::string(kPoolX) + "metadata: {name: qwen}\n";
  ExpectErrors(
      {
          {"", "InferencePool default/qwen: spec: is required (a.yaml:1)"},
          {"spec:\n  selector: {a: b}\n  targetPortNumber: 0",
           "InferencePool default/qwen: spec.targetPortNumber: must be 1..65535, got 0 (a.yaml:6)"},
          {"spec: {selector: {a: b}, targetPortNumber: 99999999999999999999}",
           "InferencePool default/qwen: spec.targetPortNumber: must be 1..65535, got "
           "99999999999999999999 (a.yaml:4)"},
          {"spec: {selector: {a: b}, targetPortNumber: \"8000\"}",
           "InferencePool default/qwen: spec.targetPortNumber: must be an integer, got \"8000\" "
           "(a.yaml:4)"},
          {"spec: {selector: {a: b}, targetPortNumber: 0x1f40}",
           "InferencePool default/qwen: spec.targetPortNumber: must be a decimal integer, got the "
           "number "
           "0x1f40 (a.yaml:4)"},
          {"spec: {selector: {a: b}, targetPortNumber: 010}",
           "InferencePool default/qwen: spec.targetPortNumber: must be a decimal integer, got the "
           "number "
           "010 (a.yaml:4)"},
          {"spec: {selector: {a: b}, targetPortNumber: 8e3}",
           "InferencePool default/qwen: spec.targetPortNumber: must be an integer, got the number "
           "8e3 "
           "(a.yaml:4)"},
          {"spec: {selector: {a: b}}",
           "InferencePool default/qwen: spec.targetPortNumber: is required (a.yaml:4)"},
          {"spec: {selector: {a: b}, targetPortNumber: null}",
           "InferencePool default/qwen: spec.targetPortNumber: is required (a.yaml:4)"},
          {"spec: {selector: {a: b}, targetPort: 1, targetPortNumber: 2}",
           "InferencePool default/qwen: spec.targetPort: unknown field (a.yaml:4)"},
          {"spec: {targetPortNumber: 1}",
           "InferencePool default/qwen: spec.selector: is required (a.yaml:4)"},
          {"spec: {selector: {matchLabels: {a: b}}, targetPortNumber: 1}",
           "InferencePool default/qwen: spec.selector.matchLabels: must be text, got a map "
           "(a.yaml:4)"},
          {"spec: {selector: {}, targetPortNumber: 1}",
           "InferencePool default/qwen: spec.selector: must not be empty (a.yaml:4)"},
          {"spec: {selector: {a: b}, targetPortNumber: 1, extensionRef: {}}",
           "InferencePool default/qwen: spec.extensionRef.name: is required (a.yaml:4)"},
          {"spec: {selector: {a: b}, targetPortNumber: 1, extensionRef: {name: x, failureMode: "
           "Open}}",
           "InferencePool default/qwen: spec.extensionRef.failureMode: must be one of FailClose, "
           "FailOpen, got \"Open\" (a.yaml:4)"},
          {"spec: {selector: {a: b}, targetPortNumber: 1, extensionRef: {name: x, portNumber: "
           "70000}}",
           "InferencePool default/qwen: spec.extensionRef.portNumber: must be 1..65535, got 70000 "
           "(a.yaml:4)"},
      },
      frame);
}

TEST(BadObjects, InferencePoolV1) {
  ExpectErrors(
      {
          {"spec: {selector: {}, targetPorts: [{number: 1}]}",
           "InferencePool default/qwen: spec.selector.matchLabels: is required (a.yaml:4)"},
          {"spec: {selector: {matchLabels: {a: b}, a: b}, targetPorts: [{number: 1}]}",
           "InferencePool default/qwen: spec.selector.a: unknown field (a.yaml:4)"},
          {"spec: {selector: {matchLabels: {a: b}}, targetPorts: []}",
           "InferencePool default/qwen: spec.targetPorts: must have 1..8 entries, got 0 "
           "(a.yaml:4)"},
          {"spec: {selector: {matchLabels: {a: b}}, targetPorts: [{number: 1}, {number: 1}]}",
           "InferencePool default/qwen: spec.targetPorts[1]: port 1 is given twice (a.yaml:4)"},
          {"spec: {selector: {matchLabels: {a: b}}, targetPorts: [{}]}",
           "InferencePool default/qwen: spec.targetPorts[0].number: is required (a.yaml:4)"},
          {"spec: {selector: {matchLabels: {a: b}}, targetPorts: [8000]}",
           "InferencePool default/qwen: spec.targetPorts[0]: must be a map, got the number 8000 "
           "(a.yaml:4)"},
          {"spec: {selector: {matchLabels: {a: b}}, targetPorts: [null]}",
           "InferencePool default/qwen: spec.targetPorts[0]: must not be null (a.yaml:4)"},
          {"spec: {selector: {matchLabels: {a: b}}, targetPorts: [{number: 1}], appProtocol: grpc}",
           "InferencePool default/qwen: spec.appProtocol: must be one of http, kubernetes.io/h2c, "
           "got "
           "\"grpc\" (a.yaml:4)"},
          {"spec: {selector: {matchLabels: {a: b}}, targetPorts: [{number: 1}], endpointPickerRef: "
           "{name: x}}",
           "InferencePool default/qwen: spec.endpointPickerRef.port: is required for a Service "
           "(a.yaml:4)"},
          {"spec: {selector: {matchLabels: {a: b}}, targetPorts: [{number: 1}], targetPortNumber: "
           "1}",
           "InferencePool default/qwen: spec.targetPortNumber: unknown field (a.yaml:4)"},
          {"spec: {selector: {matchLabels: {a: b}, matchExpressions: []}, targetPorts: [{number: "
           "1}]}",
           "InferencePool default/qwen: spec.selector.matchExpressions: unknown field (a.yaml:4)"},
      },
      "apiVersion: inference.networking.k8s.io/v1\nkind: InferencePool\nmetadata: {name: qwen}\n");
}

TEST(BadObjects, InferenceModel) {
  ExpectErrors(
      {
          {"spec: {poolRef: {name: p}}",
           "InferenceModel default/m: spec.modelName: is required (a.yaml:4)"},
          {"spec: {modelName: \"\", poolRef: {name: p}}",
           "InferenceModel default/m: spec.modelName: must not be empty (a.yaml:4)"},
          {"spec: {modelName: " + std::string(257, 'x') + ", poolRef: {name: p}}",
           "InferenceModel default/m: spec.modelName: must have 1..256 characters, got 257 "
           "(a.yaml:4)"},
          {"spec: {modelName: x}",
           "InferenceModel default/m: spec.poolRef: is required (a.yaml:4)"},
          {"spec: {modelName: x, poolRef: {}}",
           "InferenceModel default/m: spec.poolRef.name: is required (a.yaml:4)"},
          {"spec: {modelName: x, poolRef: {name: p}, criticality: High}",
           "InferenceModel default/m: spec.criticality: must be one of Critical, Standard, "
           "Sheddable, got "
           "\"High\" (a.yaml:4)"},
          {"spec: {modelName: x, poolRef: {name: p}, targetModels: [{name: y, weight: 0}]}",
           "InferenceModel default/m: spec.targetModels[0].weight: must be 1..1000000, got 0 "
           "(a.yaml:4)"},
          {"spec: {modelName: x, poolRef: {name: p}, targetModels: [{name: y, weight: 1}, {name: "
           "z}]}",
           "InferenceModel default/m: spec.targetModels: must all have a weight or none "
           "(a.yaml:4)"},
          {"spec: {modelName: x, poolRef: {name: p}, targetModels: [{weight: 1}]}",
           "InferenceModel default/m: spec.targetModels[0].name: is required (a.yaml:4)"},
      },
      "apiVersion: inference.networking.x-k8s.io/v1alpha2\nkind: InferenceModel\nmetadata: {name: "
      "m}\n");
}

TEST(BadObjects, InferenceTrafficPolicy) {
  ExpectErrors(
      {
          {"spec: {}", "InferenceTrafficPolicy default/t: spec.poolRef: is required (a.yaml:4)"},
          {"spec: {poolRef: {name: p}, modelServerRuntime: ollama}",
           "InferenceTrafficPolicy default/t: spec.modelServerRuntime: must be one of sglang, "
           "vllm, "
           "trt-llm, trtllm-serve, got \"ollama\" (a.yaml:4)"},
          {"spec: {poolRef: {name: p}, profile: {pd: {}}}",
           "InferenceTrafficPolicy default/t: spec.profile.pd.pdRoleLabelName: is required "
           "(a.yaml:4)"},
          {"spec: {poolRef: {name: p}, profile: {pd: {pdRoleLabelName: r, prefillPolicyRef: "
           "prefixCache}}}",
           "InferenceTrafficPolicy default/t: spec.profile.pd: prefillPolicyRef names prefixCache, "
           "which "
           "trafficPolicy does not have (a.yaml:4)"},
          {"spec: {poolRef: {name: p}, profile: {pd: {pdRoleLabelName: r, trafficPolicy: "
           "{prefixCache: "
           "{mode: guess}}}}}",
           "InferenceTrafficPolicy default/t: spec.profile.pd.trafficPolicy.prefixCache.mode: must "
           "be one "
           "of estimate, precise, tracking, cache_tracking, got \"guess\" (a.yaml:4)"},
          {"spec: {poolRef: {name: p}, profile: {pd: {pdRoleLabelName: r, kvTransfer: "
           "{bootstrapPort: "
           "0}}}}",
           "InferenceTrafficPolicy default/t: spec.profile.pd.kvTransfer.bootstrapPort: must be "
           "1..65535, "
           "got 0 (a.yaml:4)"},
          {"spec: {poolRef: {name: p}, profile: {single: {}}}",
           "InferenceTrafficPolicy default/t: spec.profile.single: unknown field (a.yaml:4)"},
      },
      "apiVersion: inferenceextension.alibabacloud.com/v1alpha1\nkind: InferenceTrafficPolicy\n"
      "metadata: {name: t}\n");
}

TEST(BadObjects, CoreKinds) {
  ExpectErrors(
      {
          {"apiVersion: v1\nkind: Pod\nstatus: {podIP: localhost}",
           "Pod default/x: status.podIP: must be an IP address, got \"localhost\" (a.yaml:4)"},
          {"apiVersion: v1\nkind: Service\nspec: {ports: [{port: 0}]}",
           "Service default/x: spec.ports[0].port: must be 1..65535, got 0 (a.yaml:4)"},
          {"apiVersion: v1\nkind: Service\nspec: {selector: {app: 1}}",
           "Service default/x: spec.selector.app: must be text, got the number 1: put it in quotes "
           "(a.yaml:4)"},
          {"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\naddressType: IPv4\nendpoints: "
           "[{addresses: [web]}]",
           "EndpointSlice default/x: endpoints[0].addresses[0]: must be an IP address, got \"web\" "
           "(a.yaml:5)"},
          {"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nendpoints: []",
           "EndpointSlice default/x: addressType: is required (a.yaml:1)"},
          {"apiVersion: v1\nkind: Pod\nstatus: {podIp: 127.0.0.1}",
           "Pod default/x: status.podIp: unknown field, did you mean \"podIP\"? (a.yaml:4)"},
          {"apiVersion: v1\nkind: Pod\nstatus: {conditions: [{typ: Ready}]}",
           "Pod default/x: status.conditions[0].typ: unknown field, did you mean \"type\"? "
           "(a.yaml:4)"},
          {"apiVersion: v1\nkind: Pod\nspec: {container: []}",
           "Pod default/x: spec.container: unknown field, did you mean \"containers\"? (a.yaml:4)"},
          {"apiVersion: v1\nkind: Pod\nstat: {}",
           "Pod default/x: stat: unknown field, did you mean \"status\"? (a.yaml:4)"},
          {"apiVersion: v1\nkind: Service\nspec: {selectors: {app: a}}",
           "Service default/x: spec.selectors: unknown field, did you mean \"selector\"? "
           "(a.yaml:4)"},
          {"apiVersion: v1\nkind: Service\nspec: {ports: [{port: 80, target: 8080}]}",
           "Service default/x: spec.ports[0].target: unknown field (a.yaml:4)"},
          {"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\naddressType: IPv4\nendpoints: "
           "[{addresses: [127.0.0.1], condition: {}}]",
           "EndpointSlice default/x: endpoints[0].condition: unknown field, did you mean "
           "\"conditions\"? (a.yaml:5)"},
          {"apiVersion: v1\nkind: Secret\nspec: {}",
           "Secret default/x: spec: unknown field (a.yaml:4)"},
          {"apiVersion: v1\nkind: Namespace\nlabels: {a: b}",
           "Namespace x: labels: unknown field (a.yaml:4)"},
      },
      "metadata: {name: x}\n");
  EXPECT_THAT(
      ErrorsOf("apiVersion: v1\nkind: Pod\nmetadata:\n  name: x\n  annotations:\n"
               "    penstock.dev/target-port: \"80000\"\n"),
      ElementsAre("Pod default/x: metadata.annotations[\"penstock.dev/target-port\"]: must be "
                  "1..65535, got \"80000\" (a.yaml:6)"));
  EXPECT_THAT(ErrorsOf("apiVersion: v1\nkind: Pod\nmetadata:\n  name: x\n  annotations:\n"
                       "    penstock.dev/port: \"8000\"\n"),
              ElementsAre("Pod default/x: metadata.annotations[\"penstock.dev/port\"]: unknown; "
                          "known are penstock.dev/target-port (a.yaml:6)"));
  EXPECT_THAT(ErrorsOf("apiVersion: v1\nkind: Pod\nmetadata: {name: x, label: {app: a}}\n"),
              ElementsAre("Pod default/x: metadata.label: unknown field, did you mean \"labels\"? "
                          "(a.yaml:3)"));
}

TEST(BadObjects, AllErrorsOfAnObjectAreReported) {
  EXPECT_THAT(
      ErrorsOf("apiVersion: inference.networking.x-k8s.io/v1alpha2\n"
               "kind: InferencePool\n"
               "metadata:\n"
               "  name: qwen\n"
               "spec:\n"
               "  targetPortNumber: 0\n"
               "  extensionRef:\n"
               "    nam: picker\n"
               "  replicas: 3\n"),
      ElementsAre("InferencePool default/qwen: spec.selector: is required (a.yaml:5)",
                  "InferencePool default/qwen: spec.targetPortNumber: must be 1..65535, got 0 "
                  "(a.yaml:6)",
                  "InferencePool default/qwen: spec.extensionRef.name: is required (a.yaml:7)",
                  "InferencePool default/qwen: spec.extensionRef.nam: unknown field, did you mean "
                  "\"name\"? (a.yaml:8)",
                  "InferencePool default/qwen: spec.replicas: unknown field (a.yaml:9)"));
}

TEST(BadObjects, ErrorsBeyondALimitAreCounted) {
  std::string text = std::string(kPoolX) +
                     "metadata: {name: q}\nspec:\n  selector: {a: b}\n"
                     "  targetPortNumber: 1\n";
  for (int i = 0; i < 100; ++i) text += "  field" + std::to_string(1000 + i) + ": 1\n";
  const std::vector<std::string> errors = ErrorsOf(text);
  ASSERT_EQ(errors.size(), 65u);
  EXPECT_EQ(errors.back(), "InferencePool default/q: and 36 more errors");
}

TEST(BadObjects, OneBadObjectTakesNoneWithIt) {
  const api::ResourceSet set = ObjectsOf(
      "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n---\n"
      "apiVersion: v1\nkind: Pod\nmetadata: {name: B, generation: 7}\n---\n"
      "apiVersion: v1\nkind: Pod\nmetadata: {name: c}\n");
  EXPECT_EQ(set.pods.size(), 2u);
  ASSERT_EQ(set.invalid.size(), 1u);
  EXPECT_EQ(set.invalid[0].ref.ToString(), "Pod default/B");
  EXPECT_EQ(set.invalid[0].source.ToString(), "a.yaml:5");
  EXPECT_EQ(set.invalid[0].generation, 7);
}

TEST(BadObjects, OfTwoWithOneNameTheFirstIsKept) {
  const std::string pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n";
  const api::ResourceSet set =
      ObjectsOf(pod + "status: {podIP: 127.0.0.1}\n---\n" + pod + "status: {podIP: 127.0.0.2}\n");
  ASSERT_EQ(set.pods.size(), 1u);
  EXPECT_EQ(set.pods.begin()->second.ip, "127.0.0.1");
  ASSERT_EQ(set.invalid.size(), 1u);
  EXPECT_THAT(
      set.invalid[0].Messages(),
      ElementsAre("Pod default/a: metadata.name: another Pod default/a is defined at a.yaml:1 "
                  "(a.yaml:6)"));
}

TEST(BadObjects, PoolsOfTheTwoGroupsMayShareAName) {
  const api::ResourceSet set = ObjectsOf(
      std::string(kPoolX) +
      "metadata: {name: q}\nspec: {selector: {a: b}, targetPortNumber: 1}\n---\n"
      "apiVersion: inference.networking.k8s.io/v1\nkind: InferencePool\nmetadata: {name: q}\n"
      "spec: {selector: {matchLabels: {a: b}}, targetPorts: [{number: 2}]}\n");
  EXPECT_THAT(set.invalid, IsEmpty());
  ASSERT_NE(set.FindPool(api::kInferenceXGroup, "default", "q"), nullptr);
  ASSERT_NE(set.FindPool(api::kInferenceGroup, "default", "q"), nullptr);
  EXPECT_THAT(set.FindPool(api::kInferenceGroup, "default", "q")->target_ports, ElementsAre(2));
}

}  // namespace
}  // namespace gw::config
