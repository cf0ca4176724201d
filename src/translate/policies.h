// What hangs on InferencePools beside their models: InferenceTrafficPolicy, InferenceObjective,
// InferenceModelRewrite.

#pragma once

#include <functional>
#include <map>
#include <string>

#include "routing/model_table.h"
#include "translate/context.h"

namespace gw::internal {

// What is asked for one pool.
struct PoolPolicy {
  // What is not built, so that the pool must not be served without it; empty: nothing.
  std::string unservable;
  // The one in force. Points into the context's objects.
  const api::InferenceTrafficPolicy* traffic = nullptr;
  ModelRewrites rewrites = {};
  std::map<std::string, int, std::less<>> priorities = {};  // by InferenceObjective
};
using PoolPolicies = std::map<api::GroupKey, PoolPolicy>;

// What of the policy cannot be served, "" if all can.
std::string RefusedText(const api::InferenceTrafficPolicy& policy);

// Writes the conditions of these kinds. Of two InferenceTrafficPolicies of one pool the older one
// is in force (then the one whose name sorts first), as with the Gateway API's policies. So is the
// older of two InferenceModelRewrites where they differ on a name, and within one its first rule.
// Of two InferenceObjectives of one name the one of the group llm-d.ai is in force.
PoolPolicies ReadPolicies(Context& context);

}  // namespace gw::internal
