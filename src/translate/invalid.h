// What is said of objects of which the newest version cannot be served. On a cluster it is told the
// parents of HTTPRoutes, InferencePools and BackendTLSPolicies, too: the status of these kinds has
// no place for conditions of its own.

#pragma once

#include <vector>

#include "translate/context.h"
#include "translate/gateways.h"
#include "translate/pools.h"

namespace gw::internal {

// Of objects that break the rules of their kind, and of which no older version is served.
void WriteInvalid(Context& context, const GatewayStates& gateways, const PoolLinks& links);

// Of those that are served at an older version; all other conditions stand by now.
void WriteStale(Context& context);

// What the parents of an object are told if it is served at an older version: all that is said of
// that version, of the newest one, and why. No change where there is nothing to say.
void AddStale(const Context& context, const api::ObjectRef& ref,
              std::vector<api::ParentStatus>* parents);

}  // namespace gw::internal
