// Reads the annotations of api/access.h. A fault is an error of the object: what was to be closed
// must not stand open.

#pragma once

#include <optional>

#include "api/access.h"
#include "api/kinds.h"

namespace gw::api {

std::optional<KeyAccess> ReadKeyAccess(const ObjectInput& in);
RateLimits ReadRateLimits(const ObjectInput& in);
QueueTerms ReadQueueTerms(const ObjectInput& in);

}  // namespace gw::api
