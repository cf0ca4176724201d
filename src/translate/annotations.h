// Annotations under penstock.dev/ on objects that do not have them.

#pragma once

#include "translate/context.h"

namespace gw::internal {

// A warning for each, as whoever wrote it believes that it does something. InferencePools, Pods and
// InferenceTrafficPolicies with such a one are refused where they are read.
void WarnOfUnknownAnnotations(Context& context);

}  // namespace gw::internal
