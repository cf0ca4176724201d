// The HTTPRoutes of a configuration: attached all at first, then one by one as they change.

#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "api/object.h"
#include "translate/context.h"
#include "translate/gateways.h"
#include "translate/pools.h"
#include "translate/routes.h"

namespace gw::internal {

// True if of that change of a route nothing can follow but by what its rules say: which objects
// they name is the same, and so is all that others hear of it.
bool IsOfRulesOnly(const api::HttpRoute& before, const api::HttpRoute& after);

// A value that holds its Gateways; it is moved, and not copied.
class RouteSet {
 public:
  // Attaches every route to the listeners that take it, counts it there, and writes its conditions.
  RouteSet(Context& context, GatewayStates gateways, PoolSet& pools);
  RouteSet(RouteSet&&) = default;
  RouteSet& operator=(RouteSet&&) = default;

  const GatewayStates& gateways() const { return gateways_; }
  const PoolLinks& links() const { return links_; }
  // What is told a route that exists.
  const std::vector<api::ParentStatus>& ParentsOf(const api::ObjectKey& route) const;
  // Of one of the places where a listener is served.
  std::shared_ptr<const RouteTable> TableAt(const ListenerKey& key) const;

  // Makes the route anew, and adds the places to `made` whose tables are others by it. The context
  // has the objects as they are now. False if more than that would be another: then all is to be
  // translated anew. REQUIRES: IsOfRulesOnly of what it was before
  bool Follow(Context& context, PoolSet& pools, const api::HttpRoute& route,
              std::set<ListenerKey>* made);

 private:
  GatewayStates gateways_;
  GatewayKeys keys_;
  std::map<api::ObjectKey, AttachedRoute> routes_;
  PoolLinks links_;  // of all of them
  // By the place: its routes, and the hostnames of its listeners.
  std::map<ListenerKey, std::vector<const EntriesByListener::mapped_type*>> entries_;
  std::map<ListenerKey, std::vector<std::string>> hostnames_;
};

}  // namespace gw::internal
