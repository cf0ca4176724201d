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
    const std::string message =
        fmt::format("spec.poolRef: InferencePool {}/{} does not exist{}", policy.meta.ns,
                    policy.pool_name, policy.meta.Where("spec.poolRef"));
    return context.options.only_controller ? Refused("TargetNotFound", message) : Pending(message);
  }
  if (older != nullptr) {
    return Refused("Conflicted",
                   fmt::format("InferencePool {}/{} already has InferenceTrafficPolicy {}, {}{}",
                               policy.meta.ns, policy.pool_name, older->meta.name,
                               WhyFirst(older->meta.creation_unix_s, policy.meta.creation_unix_s,
                                        context.Holds(PlaceOf(policy), older->meta.name)),
                               policy.meta.Where("spec.poolRef")));
  }
  if (refused.empty()) return Holds("Accepted");
  return Refused(kNotBuilt, fmt::format("{}; requests to InferencePool {}/{} are answered 500",
                                        refused, policy.meta.ns, policy.pool_name));
}

template <typename Objects>
auto OldestFirst(const Objects& objects) {
  std::vector<const typename Objects::mapped_type*> sorted;
  for (const auto& [key, object] : objects) sorted.push_back(&object);
  // In the order of their names so far.
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) {
    return a->meta.creation_unix_s < b->meta.creation_unix_s;
  });
  return sorted;
}

// The pool's policies; nullptr and why not, if there is no such pool.
PoolPolicy* FindPolicies(const Context& context, const api::PoolRef& ref,
                         const api::ObjectMeta& meta, PoolPolicies* policies, Verdict* missing) {
  const std::string& ns = meta.ns;
  if (ref.kind != "InferencePool") {
    *missing =
        Refused("InvalidKind", fmt::format("spec.poolRef.kind: must be InferencePool, got {}{}",
                                           ref.kind, meta.Where("spec.poolRef")));
    return nullptr;
  }
  if (context.resources.FindPool(ref.group, ns, ref.name) != nullptr) {
    return &(*policies)[api::GroupKey{ref.group, ns, ref.name}];
  }
  std::string message =
      fmt::format("spec.poolRef: InferencePool {}/{} of group {} {}", ns, ref.name, ref.group,
                  context.WhyMissing(ref.group, "InferencePool", ns, ref.name));
  for (const char* group : {api::kInferenceGroup, api::kInferenceXGroup}) {
    if (ref.group == group || !context.resources.FindPool(group, ns, ref.name)) continue;
    message += fmt::format("; one of group {} does", group);
  }
  message += meta.Where("spec.poolRef");
  // On a cluster the pool may still come.
  *missing = context.options.only_controller ? Refused("PoolNotFound", message) : Pending(message);
  return nullptr;
}

// Without any weight all are equally likely; beside weighted ones, one without is never chosen.
std::vector<TargetModel> TargetsOf(const std::vector<api::TargetModel>& specs) {
  const bool any_weight =
      std::any_of(specs.begin(), specs.end(), [](const auto& spec) { return spec.weight; });
  std::vector<TargetModel> targets;
  for (const api::TargetModel& spec : specs) {
    const int weight = spec.weight.value_or(any_weight ? 0 : 1);
    if (weight > 0) targets.push_back({spec.name, static_cast<uint32_t>(weight)});
  }
  return targets;
}

// An older rewrite's rule of a name, or an earlier rule of this one, goes before: told, not
// refused.
Verdict ApplyRewrite(const Context& context, const api::InferenceModelRewrite& rewrite,
                     PoolPolicies* policies) {
  Verdict missing;
  PoolPolicy* policy = FindPolicies(context, rewrite.pool_ref, rewrite.meta, policies, &missing);
  if (policy == nullptr) return missing;
  std::vector<std::string> notes;
  for (size_t i = 0; i < rewrite.rules.size(); ++i) {
    const std::string where = rewrite.meta.Where(fmt::format("spec.rules[{}]", i));
    const api::InferenceModelRewrite::Rule& rule = rewrite.rules[i];
    const std::vector<TargetModel> targets = TargetsOf(rule.targets);
    for (const std::string& model : rule.models) {
      if (policy->rewrites.Add(model, targets)) continue;
      notes.push_back(fmt::format("spec.rules[{}]: model \"{}\" has a rule that goes before{}", i,
                                  model, where));
    }
    if (!rule.models.empty() || policy->rewrites.AddForAnyName(targets)) continue;
    notes.push_back(
        fmt::format("spec.rules[{}]: another rule for all models goes before{}", i, where));
  }
  return Holds("Accepted", Join(notes));
}

Verdict ApplyObjective(const Context& context, const api::InferenceObjective& objective,
                       PoolPolicies* policies) {
  Verdict missing;
  PoolPolicy* policy =
      FindPolicies(context, objective.pool_ref, objective.meta, policies, &missing);
  if (policy == nullptr) return missing;
  const int priority = objective.priority.value_or(0);
  if (!policy->priorities.emplace(objective.meta.name, priority).second) {
    return Refused("Conflicted",
                   fmt::format("InferencePool {}/{} has an InferenceObjective {} of group {}{}",
                               objective.meta.ns, objective.pool_ref.name, objective.meta.name,
                               api::kLlmdGroup, objective.meta.Where("spec.poolRef")));
  }
  return Holds("Accepted", priority < 0 ? "sheddable: answered 429 while the pool is saturated"
                                        : "always admitted");
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
  auto traffic = OldestFirst(context.resources.traffic_policies);
  // Of equal ages the one in force goes on.
  std::stable_sort(traffic.begin(), traffic.end(), [&](const auto* a, const auto* b) {
    const auto rank = [&](const api::InferenceTrafficPolicy& policy) {
      return std::make_pair(policy.meta.creation_unix_s,
                            !context.Holds(PlaceOf(policy), policy.meta.name));
    };
    return rank(*a) < rank(*b);
  });
  for (const auto* policy : traffic) {
    SetAccepted(context, RefOf(*policy), policy->meta, ApplyPolicy(context, *policy, &policies));
  }
  for (const auto* rewrite : OldestFirst(context.resources.inference_model_rewrites)) {
    SetAccepted(context, RefOf(*rewrite), rewrite->meta,
                ApplyRewrite(context, *rewrite, &policies));
  }
  for (const bool llmd : {true, false}) {
    for (const auto& [key, objective] : context.resources.inference_objectives) {
      if ((objective.group == api::kLlmdGroup) != llmd) continue;
      SetAccepted(context, RefOf(objective), objective.meta,
                  ApplyObjective(context, objective, &policies));
    }
  }
  return policies;
}

}  // namespace gw::internal
