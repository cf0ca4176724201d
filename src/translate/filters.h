// The filters of an HTTPRoute as values of routing.

#pragma once

#include <memory>

#include "api/route.h"
#include "routing/filters.h"

namespace gw::internal {

// nullptr if there are none. `rule`: whose they are, or whose backendRef's.
std::shared_ptr<const RouteFilters> MakeFilters(const api::RouteFilters& filters,
                                                const api::RouteRule& rule,
                                                std::vector<Mirror> mirrors);

}  // namespace gw::internal
