// HTTPRoutes: what they attach to, what their rules lead to, and what they are told.

#pragma once

#include <map>
#include <vector>

#include "routing/route_table.h"
#include "translate/context.h"
#include "translate/gateways.h"
#include "translate/pools.h"

namespace gw::internal {

using EntriesByListener = std::map<ListenerKey, std::vector<RouteTable::Entry>>;

struct Attachments {
  EntriesByListener entries;
  PoolLinks links;
};

// Attaches every route to the listeners that take it, counts it there, and writes its conditions.
Attachments AttachRoutes(Context& context, GatewayStates& gateways, PoolSet& pools);

}  // namespace gw::internal
