// One HTTPRoute: what it attaches to, what its rules lead to, and what it is told.

#pragma once

#include <map>
#include <memory>
#include <vector>

#include "flowcontrol/api_keys.h"
#include "routing/route_table.h"
#include "translate/context.h"
#include "translate/gateways.h"
#include "translate/pools.h"

namespace gw::internal {

using EntriesByListener = std::map<ListenerKey, std::vector<RouteTable::Entry>>;

// What a route comes to. It points to listeners of the Gateways that it was made of.
struct AttachedRoute {
  EntriesByListener entries;
  PoolLinks links;
  std::vector<const ListenerState*> listeners;  // that count it, each once
  std::vector<api::ParentStatus> parents;
};

// The API keys that Gateways ask for, made at the first use. nullptr: anybody may ask.
using GatewayKeys = std::map<const GatewayState*, std::shared_ptr<const ApiKeys>>;

AttachedRoute Attach(Context& context, const GatewayStates& gateways, PoolSet& pools,
                     GatewayKeys& keys, const api::HttpRoute& route);

}  // namespace gw::internal
