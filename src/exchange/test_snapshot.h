// A Snapshot for tests: one listener with one route "/v1" to one pool.

#pragma once

#include <memory>
#include <utility>

#include "snapshot/snapshot.h"

namespace gw {

// A rule of route "default/route" that leads to the Snapshot's one pool.
inline std::shared_ptr<RouteRule> RuleToThePool() {
  auto rule = std::make_shared<RouteRule>();
  rule->route = "default/route";
  rule->name = "default/route/0";
  rule->destinations.push_back({Destination::Kind::kPool, 0, 1});
  rule->total_weight = 1;
  return rule;
}

inline std::shared_ptr<const Snapshot> SnapshotOf(
    std::shared_ptr<const PoolEntry> pool, const ListenerKey& listener,
    std::shared_ptr<const RouteRule> rule = RuleToThePool()) {
  RouteTable::Entry route;
  route.hostname = "*";
  route.match.path = "/v1";
  route.rule = std::move(rule);
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->generation = 1;
  snapshot->pools.push_back(std::move(pool));
  snapshot->listeners.push_back({listener, {"default/gw/http"}, RouteTable::Build({route}, {"*"})});
  return snapshot;
}

}  // namespace gw
