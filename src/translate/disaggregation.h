// From an InferenceTrafficPolicy's profile.pd to the Disaggregation of its pool.

#pragma once

#include <memory>
#include <string>
#include <vector>

#include "api/inference.h"
#include "snapshot/disaggregation.h"

namespace gw::internal {

// What of the policy cannot be served, with the field's name. Empty: all of it can.
std::vector<std::string> DisaggregationErrors(const api::InferenceTrafficPolicy& policy);

// REQUIRES: policy.pd, and DisaggregationErrors(policy) is empty
// `pool` has its endpoints with their roles. `notes` gets what the user should hear.
std::shared_ptr<const Disaggregation> MakeDisaggregation(const api::InferenceTrafficPolicy& policy,
                                                         const Pool& pool,
                                                         std::vector<std::string>* notes);

}  // namespace gw::internal
