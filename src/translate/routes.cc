#include "translate/routes.h"

#include <fmt/format.h>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "translate/api_keys.h"
#include "translate/foreign.h"
#include "translate/hostnames.h"
#include "translate/route_rules.h"

namespace gw::internal {
namespace {

// The listeners of one parent that take the route, and the verdict.
struct ParentMatch {
  Verdict accepted;
  std::vector<const ListenerState*> listeners;
};

bool IsSelected(const api::ParentRef& ref, const ListenerState& listener) {
  return (ref.section_name.empty() || ref.section_name == listener.spec->name) &&
         (!ref.port || *ref.port == listener.spec->port);
}

bool AllowsNamespace(const Context& context, const ListenerState& listener,
                     const GatewayState& gateway, const std::string& ns) {
  const api::AllowedRoutes& allowed = listener.spec->allowed_routes;
  switch (allowed.from) {
    case api::AllowedRoutes::From::kSame:
      return ns == gateway.gateway->meta.ns;
    case api::AllowedRoutes::From::kAll:
      return true;
    case api::AllowedRoutes::From::kSelector:
      return allowed.selector.Matches(context.resources.NamespaceLabels(ns));
    case api::AllowedRoutes::From::kNone:
      return false;
  }
  return false;
}

// Intersections of the listener's hostname with the route's; empty if the route has no business
// there.
std::vector<std::string> CommonHostnames(const ListenerState& listener,
                                         const api::HttpRoute& route) {
  if (route.hostnames.empty()) return {listener.spec->hostname};
  std::set<std::string> common;
  for (const std::string& hostname : route.hostnames) {
    if (auto both = Intersect(listener.spec->hostname, hostname)) common.insert(*std::move(both));
  }
  return {common.begin(), common.end()};
}

// Narrows the Gateway's listeners down step by step; where none is left the step gives the reason.
ParentMatch MatchParent(const Context& context, const GatewayState& gateway,
                        const api::HttpRoute& route, const api::ParentRef& ref) {
  ParentMatch match;
  for (const ListenerState& listener : gateway.listeners) {
    if (IsSelected(ref, listener)) match.listeners.push_back(&listener);
  }
  if (match.listeners.empty()) {
    match.accepted = Refused(
        "NoMatchingParent",
        fmt::format("Gateway {}/{} has no listener{}{}{}", ref.ns, ref.name,
                    ref.section_name.empty() ? "" : fmt::format(" named {}", ref.section_name),
                    ref.section_name.empty() || !ref.port ? "" : " and",
                    ref.port ? fmt::format(" on port {}", *ref.port) : ""));
    return match;
  }
  std::erase_if(match.listeners,
                [](const ListenerState* listener) { return listener->supported_kinds.empty(); });
  if (match.listeners.empty()) {
    match.accepted = Refused("NotAllowedByListeners", "no listener takes routes of kind HTTPRoute");
    return match;
  }
  std::erase_if(match.listeners, [&](const ListenerState* listener) {
    return !AllowsNamespace(context, *listener, gateway, route.meta.ns);
  });
  if (match.listeners.empty()) {
    match.accepted =
        Refused("NotAllowedByListeners",
                fmt::format("no listener allows routes from namespace {}", route.meta.ns));
    return match;
  }
  std::erase_if(match.listeners, [&](const ListenerState* listener) {
    return CommonHostnames(*listener, route).empty();
  });
  if (match.listeners.empty()) {
    match.accepted = Refused("NoMatchingListenerHostname",
                             "no listener has a hostname in common with spec.hostnames");
    return match;
  }
  match.accepted = Holds("Accepted");
  return match;
}

class Attacher {
 public:
  Attacher(Context& context, const GatewayStates& gateways, PoolSet& pools, GatewayKeys& keys,
           const api::HttpRoute& route)
      : context_(context),
        gateways_(gateways),
        pools_(pools),
        keys_(keys),
        route_(route),
        rules_(MakeRules(context, pools, route)) {}

  AttachedRoute Attach();

 private:
  void AttachTo(const GatewayState& gateway, const api::ParentRef& ref);
  void WriteNotOurs(const api::ParentRef& ref);
  void WriteMissing(const api::ParentRef& ref);
  void WriteRefused(const api::ParentRef& ref, const std::string& message);

  // nullptr: anybody may ask.
  const std::shared_ptr<const ApiKeys>& KeysOf(const GatewayState& gateway);

  Context& context_;
  const GatewayStates& gateways_;
  PoolSet& pools_;
  GatewayKeys& keys_;
  const api::HttpRoute& route_;
  const RouteRules rules_;
  AttachedRoute result_;
  std::string where_;  // of the parentRef: " (route.yaml:7)"
  // Listeners the route is attached to already: two parentRefs may select one.
  std::set<const ListenerState*> attached_;
};

AttachedRoute Attacher::Attach() {
  for (size_t i = 0; i < route_.parent_refs.size(); ++i) {
    const api::ParentRef& ref = route_.parent_refs[i];
    where_ = route_.meta.Where(fmt::format("spec.parentRefs[{}]", i));
    const bool is_gateway = ref.group == api::kGatewayGroup && ref.kind == "Gateway";
    const auto it = gateways_.find({ref.ns, ref.name});
    if (is_gateway && it != gateways_.end()) {
      AttachTo(it->second, ref);
    } else if (!is_gateway || context_.resources.FindGateway(ref.ns, ref.name) == nullptr) {
      WriteMissing(ref);
    } else if (context_.options.only_controller) {
      WriteNotOurs(ref);
    }  // else: a Gateway of another controller, whose business the route is
  }
  return std::move(result_);
}

void Attacher::AttachTo(const GatewayState& gateway, const api::ParentRef& ref) {
  ParentMatch match = MatchParent(context_, gateway, route_, ref);
  if (!match.accepted.ok()) match.accepted.message += where_;
  const bool all_unsupported = rules_.unsupported == rules_.rules.size();
  if (match.accepted.ok() && !gateway.accepted.ok()) {
    match.accepted = Pending(fmt::format("Gateway {}/{} is not accepted", ref.ns, ref.name));
  } else if (match.accepted.ok() && all_unsupported) {
    match.accepted = Refused("UnsupportedValue", rules_.unsupported_text);
  } else if (match.accepted.ok() && rules_.chooses_by_model) {
    match.accepted.message =
        fmt::format("{} is set from the model that the request's body names", kModelNameField);
  }
  const std::optional<RouteRules> own = rules_.For(context_, pools_, gateway.identity);
  for (const ListenerState* listener : match.listeners) {
    if (!attached_.insert(listener).second) continue;
    if (match.accepted.ok()) result_.listeners.push_back(listener);
    if (!listener->served()) continue;
    const std::string refused = ForeignText(context_, api::kGatewayGroup, "Gateway",
                                            gateway.gateway->meta, listener->spec->name);
    for (const std::string& ip : listener->ips) {
      const auto port = static_cast<uint16_t>(listener->spec->port);
      for (const std::string& hostname : CommonHostnames(*listener, route_)) {
        (own ? *own : rules_)
            .AppendEntries(route_, hostname, listener->spec->hostname, refused, KeysOf(gateway),
                           &result_.entries[{port, ip}]);
      }
    }
  }
  for (const api::GroupKey& target : rules_.targets) {
    PoolLink& link = result_.links[target][{ref.ns, ref.name}];
    link.controller_name = gateway.controller_name;
    link.accepted |= match.accepted.ok();
  }
  api::ParentStatus& parent = result_.parents.emplace_back();
  parent.parent_ref = ref;
  parent.controller_name = gateway.controller_name;
  const int64_t generation = route_.meta.generation;
  SetVerdict(&parent.conditions, "Accepted", match.accepted, generation);
  SetVerdict(&parent.conditions, "ResolvedRefs", rules_.resolved, generation);
  if (rules_.unsupported > 0 && !all_unsupported) {
    SetVerdict(&parent.conditions, "PartiallyInvalid",
               Holds("UnsupportedValue", rules_.unsupported_text), generation);
  }
}

const std::shared_ptr<const ApiKeys>& Attacher::KeysOf(const GatewayState& state) {
  const auto [place, is_new] = keys_.try_emplace(&state);
  const api::Gateway& gateway = *state.gateway;
  if (is_new && gateway.access && !gateway.access->open) {
    place->second = MakeApiKeys(context_, *gateway.access, gateway.meta.ns,
                                fmt::format("Gateway {}/{}", gateway.meta.ns, gateway.meta.name));
  }
  return place->second;
}

void Attacher::WriteMissing(const api::ParentRef& ref) {
  if (!context_.options.only_controller) return;
  const bool is_gateway = ref.group == api::kGatewayGroup && ref.kind == "Gateway";
  WriteRefused(ref,
               is_gateway
                   ? fmt::format("Gateway {}/{} {}", ref.ns, ref.name,
                                 context_.WhyMissing(ref.group, ref.kind, ref.ns, ref.name))
                   : fmt::format("parentRefs: must be a Gateway, got {}/{}", ref.group, ref.kind));
}

void Attacher::WriteNotOurs(const api::ParentRef& ref) {
  WriteRefused(
      ref, fmt::format("Gateway {}/{} is of a class that nobody serves here", ref.ns, ref.name));
}

void Attacher::WriteRefused(const api::ParentRef& ref, const std::string& message) {
  api::ParentStatus& parent = result_.parents.emplace_back();
  parent.parent_ref = ref;
  parent.controller_name = context_.own_name();
  SetVerdict(&parent.conditions, "Accepted", Refused("NoMatchingParent", message + where_),
             route_.meta.generation);
  SetVerdict(&parent.conditions, "ResolvedRefs", rules_.resolved, route_.meta.generation);
}

}  // namespace

AttachedRoute Attach(Context& context, const GatewayStates& gateways, PoolSet& pools,
                     GatewayKeys& keys, const api::HttpRoute& route) {
  return Attacher(context, gateways, pools, keys, route).Attach();
}

}  // namespace gw::internal
