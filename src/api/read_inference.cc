#include <algorithm>
#include <climits>

#include "api/kinds.h"
#include "api/names.h"

namespace gw::api {
namespace {

constexpr int kTargetPortsMax = 8;
constexpr char kPrefixCachePolicy[] = "prefixCache";

PoolRef ReadPoolRef(const Value& value, const char* default_group) {
  MapReader in = value.Map();
  PoolRef ref;
  const Value group = in.Get("group");
  ref.group = group.present() ? group.Group() : default_group;
  if (const Value kind = in.Get("kind"); kind.present()) ref.kind = kind.Kind();
  ref.name = in.Require("name").Text(1, 253);
  return ref;
}

// `port` is {number} in v1 and portNumber in v1alpha2.
ExtensionRef ReadExtensionRef(const Value& value, bool v1alpha2) {
  MapReader in = value.Map();
  ExtensionRef ref;
  ref.group = in.Get("group").Group();
  if (const Value kind = in.Get("kind"); kind.present()) ref.kind = kind.Kind();
  ref.name = in.Require("name").Text(1, 253);
  if (v1alpha2) {
    ref.port = in.Get("portNumber").Port();
  } else {
    const Value port = in.Get("port");
    if (port.present()) ref.port = port.Map().Require("number").Port();
    if (!port.present() && ref.kind == "Service" && ref.group.empty()) {
      port.Error("is required for a Service");
    }
  }
  if (in.Get("failureMode").OneOf({"FailClose", "FailOpen"}, 0) == 1) {
    ref.failure_mode = ExtensionRef::FailureMode::kFailOpen;
  }
  return ref;
}

void ReadPoolV1(MapReader& spec, InferencePool* pool) {
  {
    const Value selector = spec.Require("selector");
    MapReader map = selector.Map();
    const Value labels = map.Get("matchLabels");
    pool->selector = labels.Labels();
    if (selector.present() && !labels.present()) labels.Error("is required");
    if (labels.present() && (pool->selector.empty() || pool->selector.size() > 64)) {
      labels.Error("must have 1..64 entries");
    }
  }
  for (const Value& item : spec.Require("targetPorts").List(1, kTargetPortsMax)) {
    const Value number = item.Map().Require("number");
    const int port = number.Port().value_or(0);
    if (port == 0) continue;
    if (std::find(pool->target_ports.begin(), pool->target_ports.end(), port) !=
        pool->target_ports.end()) {
      item.Error("port " + std::to_string(port) + " is given twice");
    }
    pool->target_ports.push_back(port);
  }
  const Value protocol = spec.Get("appProtocol");
  if (protocol.OneOf({"http", "kubernetes.io/h2c"}, 0) == 1) {
    pool->app_protocol = InferencePool::AppProtocol::kH2c;
    NoteUnsupported(protocol, -1, &pool->unsupported);
  }
  const Value extension = spec.Get("endpointPickerRef");
  extension.Keep();
  if (extension.present()) pool->extension_ref = ReadExtensionRef(extension, false);
}

void ReadPoolV1Alpha2(MapReader& spec, InferencePool* pool) {
  const Value selector = spec.Require("selector");
  pool->selector = selector.Labels();
  if (selector.present() && pool->selector.empty()) selector.Error("must not be empty");
  pool->target_ports.push_back(spec.Require("targetPortNumber").Port().value_or(0));
  const Value extension = spec.Get("extensionRef");
  extension.Keep();
  if (extension.present()) pool->extension_ref = ReadExtensionRef(extension, true);
}

// Target models and their weights; `name_field` is where the name stands.
std::vector<TargetModel> ReadTargets(const Value& value, size_t min, size_t max,
                                     std::string_view name_field) {
  std::vector<TargetModel> targets;
  for (const Value& item : value.List(min, max)) {
    MapReader in = item.Map();
    TargetModel target;
    target.name = in.Require(name_field).Text(1, 253);
    if (const auto weight = in.Get("weight").Integer(1, 1'000'000)) {
      target.weight = static_cast<int>(*weight);
    }
    targets.push_back(std::move(target));
  }
  return targets;
}

Disaggregation ReadDisaggregation(const Value& value, std::vector<Unsupported>* unsupported) {
  Disaggregation pd;
  MapReader in = value.Map();
  // The two references are written inside pd or inside trafficPolicy; both are accepted.
  const auto read_refs = [&pd](MapReader& map) {
    for (const auto& [field, out] : {std::pair("prefillPolicyRef", &pd.prefill_policy_ref),
                                     std::pair("decodePolicyRef", &pd.decode_policy_ref)}) {
      const Value ref = map.Get(field);
      if (!ref.present()) continue;
      if (!out->empty()) ref.Error("is given twice, in pd and in pd.trafficPolicy");
      ref.OneOf({kPrefixCachePolicy}, 0);
      *out = kPrefixCachePolicy;
    }
  };
  const Value traffic = in.Get("trafficPolicy");
  if (traffic.present()) {
    MapReader policy = traffic.Map();
    const Value prefix = policy.Get(kPrefixCachePolicy);
    if (prefix.present()) {
      static constexpr const char* kModes[] = {"estimate", "precise", "tracking", "cache_tracking"};
      MapReader map = prefix.Map();
      const Value mode = map.Get("mode");
      const size_t chosen = mode.OneOf({"estimate", "precise", "tracking", "cache_tracking"}, 0);
      pd.prefix_cache_mode = kModes[chosen];
      if (chosen != 0) NoteUnsupported(mode, -1, unsupported);
    }
    read_refs(policy);
  }
  read_refs(in);
  for (const auto& [field, ref] : {std::pair("prefillPolicyRef", &pd.prefill_policy_ref),
                                   std::pair("decodePolicyRef", &pd.decode_policy_ref)}) {
    if (!ref->empty() && pd.prefix_cache_mode.empty()) {
      in.Error(std::string(field) + " names prefixCache, which trafficPolicy does not have");
    }
  }
  pd.role_label = in.Require("pdRoleLabelName").TextLike(IsLabelKey, "a label key");
  const Value transfer = in.Get("kvTransfer");
  transfer.Keep();
  if (transfer.present()) pd.bootstrap_port = transfer.Map().Get("bootstrapPort").Port();
  return pd;
}

}  // namespace

InferencePool ReadInferencePool(ObjectInput& in) {
  InferencePool pool;
  pool.group = in.group;
  pool.version = in.version;
  MapReader spec = in.top.Require("spec").Map();
  if (pool.v1alpha2()) {
    ReadPoolV1Alpha2(spec, &pool);
  } else {
    ReadPoolV1(spec, &pool);
  }
  pool.meta = std::move(in.meta);
  return pool;
}

InferenceModel ReadInferenceModel(ObjectInput& in) {
  using Criticality = InferenceModel::Criticality;
  static constexpr Criticality kCriticalities[] = {Criticality::kCritical, Criticality::kStandard,
                                                   Criticality::kSheddable};
  InferenceModel model;
  MapReader spec = in.top.Require("spec").Map();
  const Value name = spec.Require("modelName");
  model.model_name = name.Text(1, 256);
  name.Keep();
  const Value criticality = spec.Get("criticality");
  if (criticality.present()) {
    model.criticality = kCriticalities[criticality.OneOf({"Critical", "Standard", "Sheddable"}, 1)];
  }
  const Value targets = spec.Get("targetModels");
  model.target_models = ReadTargets(targets, 0, 10, "name");
  const auto weighted = std::count_if(model.target_models.begin(), model.target_models.end(),
                                      [](const TargetModel& target) { return target.weight; });
  if (weighted != 0 && weighted != static_cast<int64_t>(model.target_models.size())) {
    targets.Error("must all have a weight or none");
  }
  const Value pool = spec.Require("poolRef");
  pool.Keep();
  if (pool.present()) model.pool_ref = ReadPoolRef(pool, kInferenceXGroup);
  model.meta = std::move(in.meta);
  return model;
}

InferenceObjective ReadInferenceObjective(ObjectInput& in) {
  InferenceObjective objective;
  objective.group = in.group;
  MapReader spec = in.top.Require("spec").Map();
  if (const auto priority = spec.Get("priority").Integer(INT_MIN, INT_MAX)) {
    objective.priority = static_cast<int>(*priority);
  }
  const Value pool = spec.Require("poolRef");
  pool.Keep();
  if (pool.present()) objective.pool_ref = ReadPoolRef(pool, kInferenceGroup);
  objective.meta = std::move(in.meta);
  return objective;
}

InferenceModelRewrite ReadInferenceModelRewrite(ObjectInput& in) {
  InferenceModelRewrite rewrite;
  rewrite.group = in.group;
  MapReader spec = in.top.Require("spec").Map();
  const Value pool = spec.Require("poolRef");
  pool.Keep();
  if (pool.present()) rewrite.pool_ref = ReadPoolRef(pool, kInferenceGroup);
  for (const Value& item : spec.Require("rules").List(1, 256)) {
    item.Keep();
    MapReader map = item.Map();
    InferenceModelRewrite::Rule rule;
    bool any = false;
    for (const Value& match : map.Get("matches").List(0, 256)) {
      MapReader fields = match.Map();
      const Value model = fields.Get("model");
      if (!model.present()) {
        any = true;  // a match that asks for nothing
        continue;
      }
      MapReader name = model.Map();
      name.Get("type").OneOf({"Exact"}, 0);
      rule.models.push_back(name.Require("value").Text(1, 1024));
    }
    if (any) rule.models.clear();
    rule.targets = ReadTargets(map.Require("targets"), 1, 256, "modelRewrite");
    rewrite.rules.push_back(std::move(rule));
  }
  rewrite.meta = std::move(in.meta);
  return rewrite;
}

InferenceTrafficPolicy ReadInferenceTrafficPolicy(ObjectInput& in) {
  InferenceTrafficPolicy policy;
  MapReader spec = in.top.Require("spec").Map();
  const Value pool = spec.Require("poolRef");
  pool.Keep();
  if (pool.present()) policy.pool_name = pool.Map().Require("name").Text(1, 253);
  const Value runtime = spec.Get("modelServerRuntime");
  runtime.Keep();
  if (runtime.present()) {
    static constexpr const char* kRuntimes[] = {"sglang", "vllm", "trt-llm", "trt-llm"};
    policy.runtime = kRuntimes[runtime.OneOf({"sglang", "vllm", "trt-llm", "trtllm-serve"}, 0)];
  }
  {
    MapReader profile = spec.Get("profile").Map();
    const Value pd = profile.Get("pd");
    if (pd.present()) policy.pd = ReadDisaggregation(pd, &policy.unsupported);
  }
  policy.meta = std::move(in.meta);
  return policy;
}

}  // namespace gw::api
