// What the backendRefs of a route resolve to.

#pragma once

#include <string>

#include "routing/route_table.h"
#include "translate/context.h"
#include "translate/pools.h"

namespace gw::internal {

struct ResolvedRef {
  Destination destination;
  // Set if the reference does not resolve: reason of ResolvedRefs, and what was wanted.
  std::string reason;
  std::string message;
  // Set if it resolves to one.
  const api::InferencePool* pool = nullptr;
  const api::Service* service = nullptr;
};

// A reference that does not resolve keeps its weight: its share of requests is answered 500.
ResolvedRef Resolve(const Context& context, PoolSet& pools, const api::HttpRoute& route,
                    const api::BackendRef& ref);

}  // namespace gw::internal
