// Fields of objects of a cluster that are not known here and that they are served without.

#pragma once

#include "translate/context.h"

namespace gw::internal {

// A warning for each object that has any. Those that leave a rule or a listener unserved stand in
// its conditions instead.
void WarnOfUnknownFields(Context& context);

}  // namespace gw::internal
