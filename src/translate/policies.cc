#include "translate/policies.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "translate/disaggregation.h"

namespace gw::internal {
namespace {

constexpr char kNotBuilt[] = "Unsupported";

// What only one policy can have.
std::string PlaceOf(const api::InferenceTrafficPolicy& policy) {
  return fmt::format("policy of InferencePool {}/{}", policy.meta.ns, policy.pool_name);
}

// Puts the policy in force where none older is.
Verdict ApplyPolicy(Context& context, const api::InferenceTrafficPolicy& policy,
                    PoolPolicies* policies) {
  const std::string refused = RefusedText(policy);
  const api::InferenceTrafficPolicy* older = nullptr;
  bool found = false;
  // A poolRef has no group: pools of either are meant.
  for (const char* group : {api::kInferenceGroup, api::kInferenceXGroup}) {
    const api::InferencePool* pool =
        context.resources.FindPool(group, policy.meta.ns, policy.pool_name);
    if (pool == nullptr) continue;
    found = true;
    PoolPolicy& of_pool = (*policies)[pool->group_key()];
    if (of_pool.traffic != nullptr) {
      older = of_pool.traffic;
      continue;
    }
    of_pool.traffic = &policy;
    context.holders[PlaceOf(policy)] = policy.meta.name;
    if (refused.empty()) continue;
    of_pool.unservable = fmt::format("InferenceTrafficPolicy {}: {}", policy.meta.name, refused);
  }
  if (!found) {
    const std::string message = fmt::format("spec.poolRef: InferencePool {}/{} does not exist",
                                            policy.meta.ns, policy.pool_name);
    return context.options.only_controller ? Refused("TargetNotFound", message) : Pending(message);
  }
  if (older != nullptr) {
    return Refused("Conflicted",
                   fmt::format("InferencePool {}/{} already has InferenceTrafficPolicy {}, {}",
                               policy.meta.ns, policy.pool_name, older->meta.name,
                               WhyFirst(older->meta.creation_unix_s, policy.meta.creation_unix_s,
                                        context.Holds(PlaceOf(policy), older->meta.name))));
  }
  if (refused.empty()) return Holds("Accepted");
  return Refused(kNotBuilt, fmt::format("{}; requests to InferencePool {}/{} are answered 500",
                                        refused, policy.meta.ns, policy.pool_name));
}

std::vector<const api::InferenceTrafficPolicy*> OldestFirst(const Context& context) {
  std::vector<const api::InferenceTrafficPolicy*> policies;
  for (const auto& [key, policy] : context.resources.traffic_policies) policies.push_back(&policy);
  // In the order of their names so far.
  std::stable_sort(policies.begin(), policies.end(), [&](const auto* a, const auto* b) {
    const auto rank = [&](const api::InferenceTrafficPolicy& policy) {
      return std::make_pair(policy.meta.creation_unix_s,
                            !context.Holds(PlaceOf(policy), policy.meta.name));
    };
    return rank(*a) < rank(*b);
  });
  return policies;
}

Verdict ApplyRewrite(const Context& context, const api::InferenceModelRewrite& rewrite,
                     PoolPolicies* policies) {
  const api::PoolRef& ref = rewrite.pool_ref;
  std::string message = "InferenceModelRewrite is not supported yet";
  if (context.resources.FindPool(ref.group, rewrite.meta.ns, ref.name) != nullptr) {
    // Served without it, clients would get another model than the one they are promised.
    std::string& unservable =
        (*policies)[api::GroupKey{ref.group, rewrite.meta.ns, ref.name}].unservable;
    if (unservable.empty()) {
      unservable = fmt::format("InferenceModelRewrite {} is not supported yet", rewrite.meta.name);
    }
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

std::string RefusedText(const api::InferenceTrafficPolicy& policy) {
  std::vector<std::string> errors = DisaggregationErrors(policy);
  const std::string unsupported = UnsupportedText(policy.unsupported);
  if (!unsupported.empty()) errors.push_back(unsupported);
  return Join(errors);
}

PoolPolicies ReadPolicies(Context& context) {
  PoolPolicies policies;
  for (const api::InferenceTrafficPolicy* policy : OldestFirst(context)) {
    SetAccepted(context, RefOf(*policy), policy->meta, ApplyPolicy(context, *policy, &policies));
  }
  for (const auto& [key, rewrite] : context.resources.inference_model_rewrites) {
    SetAccepted(context, RefOf(rewrite), rewrite.meta, ApplyRewrite(context, rewrite, &policies));
  }
  for (const auto& [key, objective] : context.resources.inference_objectives) {
    // An objective changes who waits under load and not the answer: its pool is served.
    SetAccepted(context, RefOf(objective), objective.meta,
                Refused(kNotBuilt,
                        "priorities are not supported yet; requests that name this objective are "
                        "served like any other"));
  }
  return policies;
}

}  // namespace gw::internal
