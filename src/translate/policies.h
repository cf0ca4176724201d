// What hangs on InferencePools beside their models: InferenceTrafficPolicy, InferenceObjective,
// InferenceModelRewrite.

#pragma once

#include <map>
#include <string>

#include "translate/context.h"

namespace gw::internal {

// By pool: what is asked for it and not built, so that the pool must not be served without it.
using UnservablePools = std::map<api::GroupKey, std::string>;

// Writes the conditions of these kinds.
UnservablePools ReadPolicies(Context& context);

}  // namespace gw::internal
