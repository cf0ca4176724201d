#include "translate/context.h"

#include <utility>

namespace gw::internal {

Verdict Holds(std::string reason, std::string message) {
  return {api::ConditionStatus::kTrue, std::move(reason), std::move(message)};
}

Verdict Refused(std::string reason, std::string message) {
  return {api::ConditionStatus::kFalse, std::move(reason), std::move(message)};
}

Verdict Pending(std::string message) {
  return {api::ConditionStatus::kUnknown, "Pending", std::move(message)};
}

api::ObjectStatus& Context::StatusOf(const api::ObjectRef& ref, const api::SourceRef& source) {
  const auto known = status.find(ref);
  return known != status.end() ? known->second : AddStatus(ref, source);
}

api::ObjectStatus& Context::AddStatus(const api::ObjectRef& ref, const api::SourceRef& source) {
  api::ObjectStatus added;
  added.source = source;
  return status.emplace(ref, std::move(added))->second;
}

bool Context::IsInvalid(std::string_view group, std::string_view kind, std::string_view ns,
                        std::string_view name) const {
  for (const api::InvalidObject& object : resources.invalid) {
    const api::ObjectRef& ref = object.ref;
    // Of an object whose version is wrong the namespace stands as it was written.
    const bool same_ns = ref.ns == ns || (ref.ns.empty() && ns == "default");
    if (ref.group == group && ref.kind == kind && same_ns && ref.name == name) return true;
  }
  return false;
}

std::string_view Context::WhyMissing(std::string_view group, std::string_view kind,
                                     std::string_view ns, std::string_view name) const {
  return IsInvalid(group, kind, ns, name) ? "is invalid" : "does not exist";
}

api::ObjectRef RefOf(const api::GatewayClass& gateway_class) {
  return {api::kGatewayGroup, gateway_class.version, "GatewayClass", "", gateway_class.meta.name};
}
api::ObjectRef RefOf(const api::Gateway& gateway) {
  return {api::kGatewayGroup, gateway.version, "Gateway", gateway.meta.ns, gateway.meta.name};
}
api::ObjectRef RefOf(const api::HttpRoute& route) {
  return {api::kGatewayGroup, route.version, "HTTPRoute", route.meta.ns, route.meta.name};
}
api::ObjectRef RefOf(const api::InferencePool& pool) {
  return {pool.group, pool.version, "InferencePool", pool.meta.ns, pool.meta.name};
}
api::ObjectRef RefOf(const api::InferenceModel& model) {
  return {api::kInferenceXGroup, "v1alpha2", "InferenceModel", model.meta.ns, model.meta.name};
}
api::ObjectRef RefOf(const api::InferenceObjective& objective) {
  return {objective.group, "v1alpha2", "InferenceObjective", objective.meta.ns,
          objective.meta.name};
}
api::ObjectRef RefOf(const api::InferenceModelRewrite& rewrite) {
  return {rewrite.group, "v1alpha2", "InferenceModelRewrite", rewrite.meta.ns, rewrite.meta.name};
}
api::ObjectRef RefOf(const api::InferenceTrafficPolicy& policy) {
  return {api::kTrafficPolicyGroup, "v1alpha1", "InferenceTrafficPolicy", policy.meta.ns,
          policy.meta.name};
}

api::ObjectRef RefOf(const api::Backend& backend) {
  return {api::kPenstockGroup, "v1alpha1", "Backend", backend.meta.ns, backend.meta.name};
}
api::ObjectRef RefOf(const api::BackendTlsPolicy& policy) {
  return {api::kGatewayGroup, policy.version, "BackendTLSPolicy", policy.meta.ns, policy.meta.name};
}

api::ObjectRef RefOf(const api::ModelRelease& release) {
  return {api::kPenstockGroup, "v1alpha1", "ModelRelease", release.meta.ns, release.meta.name};
}

api::ParentRef GatewayRef(const api::ObjectKey& key) {
  api::ParentRef ref;
  ref.ns = key.ns;
  ref.name = key.name;
  ref.group_given = ref.kind_given = ref.ns_given = true;
  return ref;
}

void SetVerdict(std::vector<api::Condition>* conditions, std::string type, const Verdict& verdict,
                int64_t generation) {
  api::SetCondition(conditions, {.type = std::move(type),
                                 .status = verdict.status,
                                 .reason = verdict.reason,
                                 .message = verdict.message,
                                 .observed_generation = generation});
}

std::string_view WhyFirst(int64_t created, int64_t other_created, bool held) {
  if (created < other_created) return "which is older";
  return held ? "which had it first" : "whose name sorts first";
}

std::string Join(const std::vector<std::string>& parts) {
  std::string joined;
  for (const std::string& part : parts) {
    if (!joined.empty()) joined += "; ";
    joined += part;
  }
  return joined;
}

std::string UnsupportedText(const std::vector<api::Unsupported>& unsupported, int index) {
  std::vector<std::string> parts;
  for (const api::Unsupported& field : unsupported) {
    if (field.index == index) parts.push_back(field.path + ": " + field.message);
  }
  return Join(parts);
}

}  // namespace gw::internal
