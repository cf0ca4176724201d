// InferenceModels: the names clients may ask for at each pool.

#pragma once

#include <map>
#include <vector>

#include "routing/model_table.h"
#include "translate/context.h"

namespace gw::internal {

// By pool, in the order of age, then of names.
using ModelBindings = std::map<api::GroupKey, std::vector<ModelBinding>>;

// Writes the conditions of the InferenceModels.
ModelBindings ReadModels(Context& context);

}  // namespace gw::internal
