#include "cli/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

#include "base/test_folder.h"
#include "config/file/last_good.h"
#include "translate/translate.h"

namespace gw {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::string kManifests = std::string(PENSTOCK_SOURCE_DIR) + "/test/data/manifests/";

struct Checked {
  int exit_status;
  std::string out;
  std::string err;
};

Checked Check(const std::vector<std::string>& paths) {
  std::ostringstream out;
  std::ostringstream err;
  const int exit_status = RunCheck(paths, {}, false, out, err);
  return {exit_status, out.str(), err.str()};
}

Checked CheckText(const std::string& text) {
  TestFolder folder;
  folder.Write("objects.yaml", text);
  return Check({folder.path()});
}

std::string PodText(const std::string& name, const std::string& labels, const std::string& ip) {
  return "apiVersion: v1\nkind: Pod\nmetadata:\n  name: " + name + "\n  labels: {" + labels +
         "}\nstatus: {podIP: " + ip + "}\n---\n";
}

constexpr char kGateway[] = R"(
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: class}
spec: {controllerName: penstock.dev/gateway-controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gateway}
spec:
  gatewayClassName: class
  listeners: [{name: http, protocol: HTTP, port: 80}]
---
)";

// One of the users' manifests, with the Gateway and two Pods that its selector is about.
struct Manifest {
  const char* file;
  const char* labels;
  Runtime runtime;
  const char* profile;
  const char* split;  // profile of both halves; nullptr: requests are not split
};

constexpr char kVllm[] = "alibabacloud.com/inference-workload: vllm-inference";
constexpr char kVllmNodes[] = "alibabacloud.com/inference-workload: vllm-multi-nodes, role: leader";
constexpr char kSglang[] = "alibabacloud.com/inference-workload: sgl-inference";
constexpr char kSglangNodes[] =
    "alibabacloud.com/inference-workload: sglang-multi-nodes, role: leader";
constexpr char kSglangPd[] = "alibabacloud.com/inference_backend: sglang";

constexpr Manifest kAllManifests[] = {
    {"vllm-single-default.yaml", kVllm, Runtime::kVllm, "DEFAULT", nullptr},
    {"vllm-single-prefix.yaml", kVllm, Runtime::kVllm, "PREFIX_CACHE", nullptr},
    {"vllm-distributed-default.yaml", kVllmNodes, Runtime::kVllm, "DEFAULT", nullptr},
    {"vllm-distributed-prefix.yaml", kVllmNodes, Runtime::kVllm, "PREFIX_CACHE", nullptr},
    {"sglang-single-default.yaml", kSglang, Runtime::kSglang, "DEFAULT", nullptr},
    {"sglang-single-prefix.yaml", kSglang, Runtime::kSglang, "PREFIX_CACHE", nullptr},
    {"sglang-distributed-default.yaml", kSglangNodes, Runtime::kSglang, "DEFAULT", nullptr},
    {"sglang-distributed-prefix.yaml", kSglangNodes, Runtime::kSglang, "PREFIX_CACHE", nullptr},
    {"sglang-pd-default.yaml", kSglangPd, Runtime::kSglang, "DEFAULT", "DEFAULT"},
    {"sglang-pd-prefix.yaml", kSglangPd, Runtime::kSglang, "DEFAULT", "PREFIX_CACHE"},
};

class CheckManifest : public ::testing::TestWithParam<Manifest> {
 protected:
  CheckManifest() {
    const std::string labels = GetParam().labels;
    const std::string role = labels + ", rolebasedgroup.workloads.x-k8s.io/role: ";
    folder_.Write("pods.yaml", PodText("one", role + "prefill", "127.0.0.11") +
                                   PodText("two", role + "decode", "127.0.0.12") +
                                   PodText("other", "app: other", "127.0.0.13"));
    paths_ = {kManifests + "gateway_networking.yaml", kManifests + GetParam().file,
              folder_ / "pods.yaml"};
  }

  TestFolder folder_;
  std::vector<std::string> paths_;
};

TEST_P(CheckManifest, SaysWhatBecomesOfIt) {
  const Checked checked = Check(paths_);
  EXPECT_EQ(checked.err, "");
  EXPECT_THAT(checked.out, HasSubstr("InferencePool default/qwen-inference-pool ("));
  EXPECT_THAT(checked.out, HasSubstr("1 listening port, 1 pool, 2 endpoints"));
  EXPECT_EQ(checked.exit_status, 0);
  EXPECT_THAT(checked.out, HasSubstr("nothing refused"));
  EXPECT_THAT(checked.out, Not(HasSubstr("Unknown")));
  EXPECT_THAT(checked.out, HasSubstr(GetParam().split == nullptr
                                         ? "InferenceModel default/qwen-inference-model ("
                                         : "InferenceTrafficPolicy default/inference-policy ("));
}

TEST_P(CheckManifest, IsRoutedToItsPods) {
  const config::LoadResult loaded = config::LoadFiles(paths_);
  ASSERT_EQ(loaded.error(), "");
  EndpointTable table;
  const Translation translation = Translate(config::ResourcesOf(loaded), {}, table, 1);
  const ListenerEntry* listener = translation.snapshot->FindListener({8080});
  ASSERT_NE(listener, nullptr);
  http::RequestHead head;
  head.method = "POST";
  EXPECT_EQ(listener->routes->Match("127.0.0.1", "/", "", head), nullptr);
  const RouteRule* rule = listener->routes->Match("127.0.0.1", "/v1/chat/completions", "", head);
  ASSERT_NE(rule, nullptr);
  ASSERT_EQ(rule->destinations.size(), 1u);
  ASSERT_EQ(rule->destinations[0].kind, Destination::Kind::kPool);
  const PoolEntry& entry = *translation.snapshot->pools[rule->destinations[0].pool];
  EXPECT_EQ(entry.pool.id, "default/qwen-inference-pool");
  ASSERT_EQ(entry.pool.endpoints.size(), 2u);
  EXPECT_EQ(entry.pool.endpoints[0].address, "127.0.0.11:8000");
  EXPECT_EQ(entry.pool.endpoints[1].address, "127.0.0.12:8000");
  EXPECT_EQ(entry.profile->name(), GetParam().profile);
  EXPECT_EQ(entry.unservable, "");
  EXPECT_EQ(entry.pool.runtime, GetParam().runtime);
  if (GetParam().split != nullptr) {
    ASSERT_NE(entry.disaggregation, nullptr);
    EXPECT_EQ(entry.disaggregation->decode.endpoints[0].address, "127.0.0.12:8000");
    EXPECT_EQ(entry.disaggregation->prefill_profile->name(), std::string(GetParam().split));
    EXPECT_EQ(entry.disaggregation->decode_profile->name(), std::string(GetParam().split));
    EXPECT_EQ(entry.disaggregation->bootstrap_port, 34000);
    EXPECT_TRUE(entry.models.takes_any_name());
    return;
  }
  const ModelBinding* model = entry.models.Find("/models/Qwen3-32B");
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(model->criticality, Criticality::kCritical);
  EXPECT_EQ(model->targets.size(), 1u);
}

INSTANTIATE_TEST_SUITE_P(All, CheckManifest, ::testing::ValuesIn(kAllManifests),
                         [](const ::testing::TestParamInfo<Manifest>& info) {
                           std::string name = info.param.file;
                           name.resize(name.size() - 5);  // ".yaml"
                           for (char& c : name) {
                             if (c == '-') c = '_';
                           }
                           return name;
                         });

TEST(Check, WhatIsWrongWithAnObjectSaysInWhichLine) {
  const Checked checked = CheckText(kGateway + std::string(R"(
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: route
spec:
  parentRefs:
  - name: gateway
  - name: other
  rules:
  - matches:
    - headers: [{name: X-A, value: b}]
    - path:
        type: RegularExpression
        value: "("
    backendRefs:
    - {name: service, port: 80}
    - {group: inference.networking.k8s.io, kind: InferencePool, name: nowhere}
---
apiVersion: inference.networking.k8s.io/v1
kind: InferencePool
metadata:
  name: pool
  annotations:
    example.com/other: x
    inference.networking.x-k8s.io/routing-strategy: FAST
    penstock.dev/prefix-blocks-max: "0"
spec: {selector: {matchLabels: {a: b}}, targetPorts: [{number: 80}]}
---
apiVersion: inference.networking.x-k8s.io/v1alpha2
kind: InferenceModel
metadata: {name: model}
spec:
  modelName: m
  poolRef: {name: nowhere}
)"));
  EXPECT_EQ(checked.exit_status, 1);
  for (const char* text :
       {"Service default/service does not exist (", ":30); InferencePool default/nowhere of group ",
        "does not exist (", ":31)", "Gateway default/other does not exist (", ":22)",
        "spec.rules[0].matches[1].path.value: must be a regular expression", ":28)",
        "routing-strategy: must be DEFAULT or PREFIX_CACHE, got \"FAST\" (", ":39)",
        "prefix-blocks-max: must be 1..4194304, got \"0\" (", ":40)", "spec.poolRef: ", ":48)"}) {
    EXPECT_THAT(checked.out, HasSubstr(text));
  }
}

TEST(Check, AnAnnotationOfOursThatNobodyReadsIsAWarning) {
  const Checked checked = CheckText(kGateway + std::string(R"(
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: route
  annotations:
    penstock.dev/stream-keepalives: 15s
    penstock.dev/stream-usage: "true"
    example.com/other: x
spec: {parentRefs: [{name: gateway}]}
---
apiVersion: v1
kind: Service
metadata: {name: service, annotations: {penstock.dev/retries: "1"}}
spec: {ports: [{port: 80}]}
---
apiVersion: v1
kind: Namespace
metadata: {name: ns, annotations: {penstock.dev/x: "1"}}
)"));
  EXPECT_EQ(checked.exit_status, 0) << checked.out;
  EXPECT_THAT(checked.out, HasSubstr("warning: HTTPRoute default/route: annotation "
                                     "penstock.dev/stream-keepalives: unknown, did you mean "
                                     "\"penstock.dev/stream-keepalive\"? ("));
  EXPECT_THAT(checked.out, HasSubstr("yaml:20)"));
  EXPECT_THAT(checked.out, HasSubstr("penstock.dev/stream-usage: is not read on this kind, only on "
                                     "InferencePool ("));
  EXPECT_THAT(checked.out, HasSubstr("warning: Service default/service: annotation "
                                     "penstock.dev/retries: unknown, this kind has none under "
                                     "penstock.dev/ ("));
  EXPECT_THAT(checked.out, HasSubstr("warning: Namespace ns: annotation penstock.dev/x: unknown"));
  EXPECT_THAT(checked.out, HasSubstr("4 warnings"));
  EXPECT_THAT(checked.out, Not(HasSubstr("example.com/other")));
}

TEST(Check, OfAPathThatDoesNotExistFails) {
  TestFolder folder;
  const Checked checked = Check({folder / "missing.yaml"});
  EXPECT_EQ(checked.exit_status, 1);
  EXPECT_EQ(checked.out, "");
  EXPECT_THAT(checked.err, HasSubstr("missing.yaml"));
}

TEST(Check, OfWhatIsNotYamlNamesThePlace) {
  const Checked checked = CheckText("kind: Gateway\nmetadata: [\n");
  EXPECT_EQ(checked.exit_status, 1);
  EXPECT_EQ(checked.out, "");
  EXPECT_THAT(checked.err, HasSubstr("objects.yaml:"));
}

TEST(Check, NamesObjectFieldAndWhatWasWanted) {
  const Checked checked = CheckText(R"(
apiVersion: inference.networking.x-k8s.io/v1alpha2
kind: InferencePool
metadata: {name: qwen}
spec:
  targetPortNumber: 0
  selector: {app: qwen}
  extensionReff: {name: picker}
)");
  EXPECT_EQ(checked.exit_status, 1);
  EXPECT_THAT(checked.err, HasSubstr("InferencePool default/qwen: spec.targetPortNumber: must be"));
  EXPECT_THAT(checked.err, HasSubstr("InferencePool default/qwen: spec.extensionReff: "));
  EXPECT_THAT(checked.out, HasSubstr("InferencePool default/qwen ("));
  EXPECT_THAT(checked.out, HasSubstr("Invalid"));
  EXPECT_THAT(checked.out, HasSubstr("1 object in 1 file"));
  EXPECT_THAT(checked.out, HasSubstr("1 refused"));
}

TEST(Check, AnObjectThatIsRefusedLeavesTheOthersAccepted) {
  const Checked checked = CheckText(std::string(kGateway) + R"(
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: broken}
spec:
  parentRefs: [{name: gateway}]
  rules: [{matches: [{path: {value: no-slash}}]}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: good}
spec:
  parentRefs: [{name: gateway}]
  rules: [{backendRefs: [{group: inference.networking.k8s.io, kind: InferencePool, name: pool}]}]
---
apiVersion: inference.networking.k8s.io/v1
kind: InferencePool
metadata: {name: pool}
spec:
  selector: {matchLabels: {app: qwen}}
  targetPorts: [{number: 8000}]
  endpointPickerRef: {name: picker, port: {number: 9002}}
)");
  EXPECT_EQ(checked.exit_status, 1);
  EXPECT_THAT(checked.err, HasSubstr("HTTPRoute default/broken: spec.rules[0].matches[0].path"));
  EXPECT_THAT(checked.err, Not(HasSubstr("good")));
  EXPECT_THAT(checked.out, HasSubstr("listener http: 1 attached route, kinds HTTPRoute"));
  EXPECT_THAT(checked.out, HasSubstr("1 refused"));
}

TEST(Check, RefusesWhatIsValidAndNotBuilt) {
  const Checked checked = CheckText(std::string(kGateway) + R"(
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: filtered}
spec:
  parentRefs: [{name: gateway}]
  rules:
  - filters:
    - type: ExtensionRef
      extensionRef: {group: example.org, kind: Filter, name: f}
)");
  EXPECT_EQ(checked.exit_status, 1);
  EXPECT_EQ(checked.err, "");
  EXPECT_THAT(checked.out, HasSubstr("UnsupportedValue"));
  EXPECT_THAT(checked.out, HasSubstr("spec.rules[0].filters[0]: is not supported yet"));
}

TEST(Check, ASecondObjectOfANameIsRefusedInAnEntryOfItsOwn) {
  constexpr char kPool[] = R"(
apiVersion: inference.networking.k8s.io/v1
kind: InferencePool
metadata: {name: pool}
spec:
  selector: {matchLabels: {app: qwen}}
  targetPorts: [{number: 8000}]
  endpointPickerRef: {name: picker, port: {number: 9002}}
---
)";
  constexpr char kModel[] = R"(
apiVersion: inference.networking.x-k8s.io/v1alpha2
kind: InferenceModel
metadata: {name: model}
spec:
  modelName: qwen
  poolRef: {group: inference.networking.k8s.io, name: pool}
---
)";
  TestFolder folder;
  folder.Write("a.yaml", std::string(kPool) + kModel);
  folder.Write("b.yaml", kModel);
  const config::LoadResult loaded = config::LoadFiles({folder.path()});
  ASSERT_EQ(loaded.error(), "");
  EndpointTable table;
  const Translation translation = Translate(config::ResourcesOf(loaded), {}, table, 1);
  const api::StatusSet models = api::OfKind(translation.status, "InferenceModel");
  ASSERT_EQ(models.size(), 2u);
  const api::ObjectStatus& served = models.begin()->second;
  EXPECT_THAT(served.source.ToString(), HasSubstr("a.yaml:"));
  EXPECT_FALSE(api::IsRefused(served)) << api::WhyRefused(served);
  const api::ObjectStatus& refused = models.rbegin()->second;
  EXPECT_THAT(refused.source.ToString(), HasSubstr("b.yaml:"));
  EXPECT_THAT(api::WhyRefused(refused),
              HasSubstr("metadata.name: another InferenceModel default/model is defined at"));
  EXPECT_EQ(Check({folder.path()}).exit_status, 1);
}

TEST(Check, CountsWhatItSkips) {
  const Checked checked = CheckText(std::string(kGateway) + R"(
apiVersion: apps/v1
kind: Deployment
metadata: {name: qwen}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: llama}
)");
  EXPECT_EQ(checked.exit_status, 0);
  EXPECT_THAT(checked.out, HasSubstr("skipped: 2 objects of kind apps/v1 Deployment\n"));
  EXPECT_THAT(checked.out, HasSubstr("2 objects in 1 file: 1 listening port, 0 pools, 0 endpoints; "
                                     "nothing refused\n"));
}

TEST(Check, OfAnEmptyFolderFindsNothingToRefuse) {
  TestFolder folder;
  const Checked checked = Check({folder.path()});
  EXPECT_EQ(checked.exit_status, 0);
  EXPECT_EQ(
      checked.out,
      "warning: there is no Gateway: nothing listens\n0 objects in 0 files: 0 listening ports, 0 "
      "pools, 0 endpoints; nothing refused, 1 warning\n");
}

}  // namespace
}  // namespace gw
