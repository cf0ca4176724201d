#include "translate/policies.h"

#include <fmt/format.h>

#include <vector>

namespace gw::internal {
namespace {

constexpr char kNotBuilt[] = "Unsupported";

// What of the policy is not built, for messages. All of it is as yet.
std::string NotBuiltText(const api::InferenceTrafficPolicy& policy) {
  return policy.pd ? "spec.profile.pd: disaggregated serving is not supported yet"
                   : UnsupportedText(policy.unsupported);
}

Verdict ApplyPolicy(const Context& context, const api::InferenceTrafficPolicy& policy,
                    UnservablePools* unservable) {
  const std::string not_built = NotBuiltText(policy);
  bool found = false;
  // A poolRef has no group: pools of either are meant.
  for (const char* group : {api::kInferenceGroup, api::kInferenceXGroup}) {
    const api::InferencePool* pool =
        context.resources.FindPool(group, policy.meta.ns, policy.pool_name);
    if (pool == nullptr) continue;
    found = true;
    if (not_built.empty()) continue;
    unservable->emplace(pool->group_key(),
                        fmt::format("InferenceTrafficPolicy {}: {}", policy.meta.name, not_built));
  }
  if (!found) {
    const std::string message = fmt::format("spec.poolRef: InferencePool {}/{} does not exist",
                                            policy.meta.ns, policy.pool_name);
    return context.options.only_controller ? Refused("TargetNotFound", message) : Pending(message);
  }
  if (not_built.empty()) return Holds("Accepted");
  return Refused(kNotBuilt, fmt::format("{}; requests to InferencePool {}/{} are answered 500",
                                        not_built, policy.meta.ns, policy.pool_name));
}

Verdict ApplyRewrite(const Context& context, const api::InferenceModelRewrite& rewrite,
                     UnservablePools* unservable) {
  const api::PoolRef& ref = rewrite.pool_ref;
  std::string message = "InferenceModelRewrite is not supported yet";
  if (context.resources.FindPool(ref.group, rewrite.meta.ns, ref.name) != nullptr) {
    // Served without it, clients would get another model than the one they are promised.
    unservable->emplace(
        api::GroupKey{ref.group, rewrite.meta.ns, ref.name},
        fmt::format("InferenceModelRewrite {} is not supported yet", rewrite.meta.name));
    message += fmt::format("; requests to InferencePool {}/{} are answered 500", rewrite.meta.ns,
                           ref.name);
  }
  return Refused(kNotBuilt, message);
}

void SetAccepted(Context& context, const api::ObjectRef& ref, const api::ObjectMeta& meta,
                 const Verdict& verdict) {
  SetVerdict(&context.StatusOf(ref, meta.source).conditions, "Accepted", verdict, meta.generation);
}

}  // namespace

UnservablePools ReadPolicies(Context& context) {
  UnservablePools unservable;
  for (const auto& [key, policy] : context.resources.traffic_policies) {
    SetAccepted(context, RefOf(policy), policy.meta, ApplyPolicy(context, policy, &unservable));
  }
  for (const auto& [key, rewrite] : context.resources.inference_model_rewrites) {
    SetAccepted(context, RefOf(rewrite), rewrite.meta, ApplyRewrite(context, rewrite, &unservable));
  }
  for (const auto& [key, objective] : context.resources.inference_objectives) {
    // An objective changes who waits under load and not the answer: its pool is served.
    SetAccepted(context, RefOf(objective), objective.meta,
                Refused(kNotBuilt,
                        "priorities are not supported yet; requests that name this objective are "
                        "served like any other"));
  }
  return unservable;
}

}  // namespace gw::internal
