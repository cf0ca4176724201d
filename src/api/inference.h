// The kinds of the Inference Extension: InferencePool in both versions, InferenceModel,
// InferenceObjective, InferenceModelRewrite, and Alibaba Cloud's InferenceTrafficPolicy.

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/meta.h"

namespace gw::api {

// InferencePool annotations that choose runtime and routing.
inline constexpr char kRuntimeAnnotation[] = "inference.networking.x-k8s.io/model-server-runtime";
inline constexpr char kStrategyAnnotation[] = "inference.networking.x-k8s.io/routing-strategy";

// The extension that picks endpoints: v1 endpointPickerRef, v1alpha2 extensionRef.
struct ExtensionRef {
  enum class FailureMode { kFailClose, kFailOpen };
  std::string group;
  std::string kind = "Service";
  std::string name;
  std::optional<int> port;
  FailureMode failure_mode = FailureMode::kFailClose;

  bool operator==(const ExtensionRef&) const = default;
};

struct InferencePool {
  enum class AppProtocol { kHttp, kH2c };
  ObjectMeta meta;
  std::string group = kInferenceGroup;  // or kInferenceXGroup
  std::string version = "v1";           // or "v1alpha2"
  StringMap selector;                   // of Pod labels; never empty
  std::vector<int> target_ports;        // 1 to 8, distinct
  AppProtocol app_protocol = AppProtocol::kHttp;
  std::optional<ExtensionRef> extension_ref;
  std::vector<Unsupported> unsupported;

  bool v1alpha2() const { return group == kInferenceXGroup; }
  GroupKey group_key() const { return {group, meta.ns, meta.name}; }
  // Name of the field that refers to the extension, for messages.
  const char* extension_field() const {
    return v1alpha2() ? "spec.extensionRef" : "spec.endpointPickerRef";
  }

  bool operator==(const InferencePool&) const = default;
};

// A pool of the same namespace.
struct PoolRef {
  std::string group;
  std::string kind = "InferencePool";
  std::string name;

  bool operator==(const PoolRef&) const = default;
};

struct TargetModel {
  std::string name;
  std::optional<int> weight;

  bool operator==(const TargetModel&) const = default;
};

struct InferenceModel {
  enum class Criticality { kCritical, kStandard, kSheddable };
  ObjectMeta meta;
  std::string model_name;
  std::optional<Criticality> criticality;
  std::vector<TargetModel> target_models;  // empty: the model's own name; all weighted or none
  PoolRef pool_ref;                        // group kInferenceXGroup unless given

  bool operator==(const InferenceModel&) const = default;
};

struct InferenceObjective {
  ObjectMeta meta;
  std::string group;  // kInferenceXGroup or kLlmdGroup
  std::optional<int> priority;
  PoolRef pool_ref;  // group kInferenceGroup unless given

  bool operator==(const InferenceObjective&) const = default;
};

struct InferenceModelRewrite {
  struct Rule {
    std::vector<std::string> models;  // exact names, one must be asked for; empty: any
    std::vector<TargetModel> targets;

    bool operator==(const Rule&) const = default;
  };
  ObjectMeta meta;
  std::string group;  // kInferenceXGroup or kLlmdGroup
  PoolRef pool_ref;   // group kInferenceGroup unless given
  std::vector<Rule> rules;

  bool operator==(const InferenceModelRewrite&) const = default;
};

// Prefill and decode on different endpoints.
struct Disaggregation {
  std::string prefix_cache_mode;      // trafficPolicy.prefixCache.mode: "estimate"; empty: none
  std::string prefill_policy_ref;     // "prefixCache"; empty: by load
  std::string decode_policy_ref;      // the same for decode
  std::string role_label;             // pdRoleLabelName
  std::optional<int> bootstrap_port;  // kvTransfer.bootstrapPort

  bool operator==(const Disaggregation&) const = default;
};

struct InferenceTrafficPolicy {
  ObjectMeta meta;
  std::string pool_name;  // a pool of the same namespace, of either group
  std::string runtime;    // modelServerRuntime: "sglang", "vllm", "trt-llm"; empty: not given
  std::optional<Disaggregation> pd;
  std::vector<Unsupported> unsupported;

  bool operator==(const InferenceTrafficPolicy&) const = default;
};

}  // namespace gw::api
