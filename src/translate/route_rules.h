// The rules of one HTTPRoute, made once for all its parents.

#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "routing/route_table.h"
#include "translate/context.h"
#include "translate/pools.h"

namespace gw::internal {

struct RouteRules {
  std::string route;                                       // "default/inference-route"
  using Matches = std::vector<std::optional<RouteMatch>>;  // nullopt: cannot be matched
  std::vector<std::shared_ptr<const RouteRule>> rules;
  std::vector<Matches> matches;  // of each rule
  Verdict resolved;
  std::vector<api::GroupKey> targets;  // InferencePools and Services that the rules lead to
  size_t unsupported = 0;              // rules that need something that is not built
  std::string unsupported_text;        // which, and what they need
  bool chooses_by_model = false;       // some match is on kModelNameField

  // The same for a Gateway that shows this certificate to endpoints; nullopt if they are.
  std::optional<RouteRules> For(const Context& context, PoolSet& pool_set,
                                const ClientIdentity& identity) const;
  // Appends an entry for each match of each rule, for requests to `hostname` at that listener. They
  // are answered 500 if `refused` says why.
  void AppendEntries(const api::HttpRoute& route, const std::string& hostname,
                     const std::string& listener_hostname, const std::string& refused,
                     const std::shared_ptr<const ApiKeys>& gateway_keys,
                     std::vector<RouteTable::Entry>* entries) const;
};

// What keeps every rule of the route from being served; "" if one can be served.
std::string UnservableText(const api::HttpRoute& route);

RouteRules MakeRules(Context& context, PoolSet& pools, const api::HttpRoute& route);

}  // namespace gw::internal
