#include "translate/gateways.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "translate/addresses.h"
#include "translate/features.h"
#include "translate/listener_tls.h"
#include "translate/managed.h"

namespace gw::internal {
namespace {

bool IsOurs(const Context& context, const api::GatewayClass& gateway_class) {
  return context.options.controller_names.contains(gateway_class.controller_name);
}

constexpr char kIpAddress[] = "IPAddress";

Verdict ClassVerdict(const api::GatewayClass& gateway_class) {
  const std::string unsupported = UnsupportedText(gateway_class.unsupported);
  if (unsupported.empty()) return Holds("Accepted");
  return Refused(gateway_class.parameters_ref ? "InvalidParameters" : "Unsupported", unsupported);
}

// A class that is ours by a flag and not by an object. One that could not be read may be another's.
bool IsOursByName(const Context& context, const std::string& class_name) {
  return context.options.gateway_classes.contains(class_name) &&
         !context.IsInvalid(api::kGatewayGroup, "GatewayClass", "", class_name);
}

Verdict ClassMissing(const Context& context, const api::Gateway& gateway) {
  const std::string& name = gateway.gateway_class_name;
  const bool invalid = context.IsInvalid(api::kGatewayGroup, "GatewayClass", "", name);
  std::string message =
      fmt::format("spec.gatewayClassName: GatewayClass {} {}", name,
                  context.WhyMissing(api::kGatewayGroup, "GatewayClass", "", name));
  if (!invalid) message += fmt::format("; --gateway-class {} serves it without one", name);
  message += gateway.meta.Where("spec.gatewayClassName");
  return Refused("Invalid", message);
}

void WriteClassStatus(Context& context, const api::GatewayClass& gateway_class) {
  const int64_t generation = gateway_class.meta.generation;
  if (IsOurs(context, gateway_class)) {
    api::ObjectStatus& status = context.StatusOf(RefOf(gateway_class), gateway_class.meta.source);
    SetVerdict(&status.conditions, "Accepted", ClassVerdict(gateway_class), generation);
    status.supported_features = SupportedFeatures(context.options);
  } else if (context.options.only_controller) {
    api::ObjectStatus& status = context.StatusOf(RefOf(gateway_class), gateway_class.meta.source);
    const std::string message = fmt::format(
        "spec.controllerName: nobody serves {} here, ours are {}{}", gateway_class.controller_name,
        fmt::join(context.options.controller_names, " and "),
        gateway_class.meta.Where("spec.controllerName"));
    SetVerdict(&status.conditions, "Accepted", Refused("Unsupported", message), generation);
  }
}

// What is true of the Gateway before its listeners are looked at.
Verdict VerdictWithoutClass(const api::Gateway& gateway) {
  const std::string unsupported = UnsupportedText(gateway.unsupported);
  if (unsupported.empty()) return Holds("Accepted");
  const bool address =
      std::any_of(gateway.addresses.begin(), gateway.addresses.end(),
                  [](const api::GatewayAddress& each) { return each.type != kIpAddress; });
  const char* reason = gateway.parameters_ref ? "InvalidParameters"
                       : address              ? "UnsupportedAddress"
                                              : "Invalid";
  return Refused(reason, unsupported);
}

Verdict GatewayVerdict(const api::Gateway& gateway, const api::GatewayClass& gateway_class) {
  if (!ClassVerdict(gateway_class).ok()) {
    return Pending(fmt::format("GatewayClass {} is not accepted", gateway_class.meta.name));
  }
  return VerdictWithoutClass(gateway);
}

// `https`: whether that is served.
bool IsServed(const api::Listener& listener, bool https) {
  return listener.protocol == "HTTP" || (listener.protocol == "HTTPS" && https);
}

Verdict ListenerVerdict(const api::Gateway& gateway, const api::Listener& listener, int index,
                        bool https) {
  if (!IsServed(listener, https)) {
    return Refused(
        "UnsupportedProtocol",
        fmt::format("protocol {} is not supported, only {}{}", listener.protocol,
                    https ? "HTTP and HTTPS are" : "HTTP is",
                    gateway.meta.Where(fmt::format("spec.listeners[{}].protocol", index))));
  }
  const std::string unsupported = UnsupportedText(gateway.unsupported, index);
  return unsupported.empty() ? Holds("Accepted") : Refused("UnsupportedValue", unsupported);
}

// Fills supported_kinds and the verdict on allowedRoutes.kinds.
void ResolveKinds(const api::Gateway& gateway, int index, bool https, ListenerState* state) {
  state->resolved = Holds("ResolvedRefs");
  // A protocol that is not served takes no kind of route.
  if (!IsServed(*state->spec, https)) return;
  const std::vector<api::RouteGroupKind>& wanted = state->spec->allowed_routes.kinds;
  if (wanted.empty()) state->supported_kinds.push_back({api::kGatewayGroup, "HTTPRoute"});
  std::vector<std::string> unknown;
  for (const api::RouteGroupKind& kind : wanted) {
    const api::SupportedKind supported{kind.group, kind.kind};
    if (kind.group != api::kGatewayGroup || kind.kind != "HTTPRoute") {
      unknown.push_back(kind.group.empty() ? kind.kind : kind.group + "/" + kind.kind);
    } else if (state->supported_kinds.empty()) {
      state->supported_kinds.push_back(supported);
    }
  }
  if (!unknown.empty()) {
    state->resolved = Refused(
        "InvalidRouteKinds",
        fmt::format("allowedRoutes.kinds: only HTTPRoute is supported, got {}{}",
                    fmt::join(unknown, ", "),
                    gateway.meta.Where(fmt::format("spec.listeners[{}].allowedRoutes", index))));
  }
}

// Protocols that can share a port: those told apart by Host, and those told apart by SNI.
std::string_view PortSharingGroup(std::string_view protocol) {
  if (protocol == "HTTPS" || protocol == "TLS") return "TLS";
  return protocol;
}

// Why two listeners of one Gateway cannot both be served; nullptr if they can.
const char* ConflictOf(const api::Listener& a, const api::Listener& b) {
  if (a.port != b.port) return nullptr;
  if ((a.protocol == "UDP") != (b.protocol == "UDP")) return nullptr;
  if (PortSharingGroup(a.protocol) != PortSharingGroup(b.protocol)) return "ProtocolConflict";
  if (a.protocol == "TCP" || a.protocol == "UDP") return "ProtocolConflict";
  return a.protocol == b.protocol && a.hostname == b.hostname ? "HostnameConflict" : nullptr;
}

// All that are not distinct are conflicted: to serve one of them would be to guess.
void FindConflicts(std::vector<ListenerState>* listeners) {
  for (ListenerState& state : *listeners) {
    for (const ListenerState& other : *listeners) {
      if (&state == &other) continue;
      const char* reason = ConflictOf(*state.spec, *other.spec);
      if (reason == nullptr) continue;
      state.conflict_reason = reason;
      state.conflict_message = fmt::format(
          "port {} is also listener {}'s, protocol {}, hostname \"{}\"{}", state.spec->port,
          other.spec->name, other.spec->protocol, other.spec->hostname, state.where);
      break;
    }
  }
}

// Adds what the listener's certificates and its clients' come to.
void ResolveTls(Context& context, const api::Gateway& gateway, int index, ListenerState* state) {
  ListenerTls tls = ReadListenerTls(context, gateway, index);
  if (state->accepted.ok()) state->accepted = tls.accepted;
  if (state->resolved.ok()) {
    state->resolved = std::move(tls.resolved);
  } else if (!tls.resolved.ok()) {
    state->resolved.message += "; " + tls.resolved.message;
  }
  state->certificates = std::move(tls.certificates);
  state->clients = std::move(tls.clients);
}

GatewayState ReadGateway(Context& context, const api::Gateway& gateway, std::string controller_name,
                         Verdict accepted) {
  GatewayState state;
  const bool https = context.options.tickets != nullptr;
  state.gateway = std::make_shared<const api::Gateway>(gateway);
  state.controller_name = std::move(controller_name);
  state.accepted = std::move(accepted);
  state.identity = ReadIdentity(context, gateway, &state.resolved);
  for (const api::Listener& listener : state.gateway->listeners) {
    ListenerState& added = state.listeners.emplace_back();
    added.spec = &listener;
    added.name = gateway.meta.ns + "/" + gateway.meta.name + "/" + listener.name;
    const int index = static_cast<int>(state.listeners.size()) - 1;
    added.where = gateway.meta.Where(fmt::format("spec.listeners[{}]", index));
    added.accepted = ListenerVerdict(gateway, listener, index, https);
    if (added.accepted.ok()) added.accepted = PortVerdict(context, listener.port);
    ResolveKinds(gateway, index, https, &added);
    if (https && listener.protocol == "HTTPS") ResolveTls(context, gateway, index, &added);
  }
  FindConflicts(&state.listeners);
  for (ListenerState& listener : state.listeners) {
    // A listener that also names kinds we do not know serves those we do.
    listener.servable = state.accepted.ok() && listener.accepted.ok() &&
                        listener.conflict_reason.empty() && !listener.supported_kinds.empty() &&
                        (listener.spec->protocol == "HTTP" || !listener.certificates.empty());
  }
  return state;
}

void OpenListeners(GatewayStates* states) {
  for (auto& [key, state] : *states) {
    for (ListenerState& listener : state.listeners) {
      if (listener.servable) listener.ips = state.ips;
    }
  }
}

struct Contender {
  const GatewayState* gateway;
  ListenerState* listener;
};

// Of equal ranks the first, in the order of the names: the oldest Gateway's, then the one that is
// served already.
const Contender& OwnerOf(Context& context, const std::string& what,
                         const std::vector<Contender>& contenders) {
  const auto rank = [&](const Contender& contender) {
    return std::make_pair(contender.gateway->gateway->meta.creation_unix_s,
                          !context.Holds(what, contender.listener->name));
  };
  const auto owner =
      std::min_element(contenders.begin(), contenders.end(),
                       [&](const Contender& a, const Contender& b) { return rank(a) < rank(b); });
  context.holders[what] = owner->listener->name;
  return *owner;
}

// The contender gives up the address.
void Lose(Context& context, const std::string& what, const std::string& ip, const Contender& owner,
          const char* reason, const std::string& wanted, Contender& contender) {
  const auto created = [](const Contender& each) {
    return each.gateway->gateway->meta.creation_unix_s;
  };
  std::erase(contender.listener->ips, ip);
  contender.listener->conflict_reason = reason;
  contender.listener->conflict_message = fmt::format(
      "port {}{} with {} is listener {}'s, {}{}", contender.listener->spec->port,
      ip == context.options.bind_ip ? "" : " of address " + ip, wanted, owner.listener->name,
      WhyFirst(created(owner), created(contender), context.Holds(what, owner.listener->name)),
      contender.listener->where);
}

// "protocol HTTPS", "protocol HTTPS and its clients' certificates": what all listeners of a port
// have in common, as it is settled before anybody has said which of them is meant.
std::string CommonOf(const ListenerState& listener) {
  std::string text = "protocol " + listener.spec->protocol;
  if (listener.clients.mode != ClientValidation::Mode::kNone) {
    text += " and its clients' certificates";
  }
  return text;
}

// Listeners of different Gateways meet on a port of one address as those of one Gateway do. With
// one protocol and told apart by hostname they share it; otherwise the oldest Gateway's is served,
// then the one that is served already, then the one whose Gateway's name sorts first: what worked
// goes on working when somebody adds another.
void FindTaken(Context& context, GatewayStates* states) {
  std::map<std::pair<std::string, int>, std::vector<Contender>> ports;
  for (auto& [key, gateway] : *states) {
    for (ListenerState& listener : gateway.listeners) {
      for (const std::string& ip : listener.ips) {
        ports[{ip, listener.spec->port}].push_back({&gateway, &listener});
      }
    }
  }
  for (auto& [place, on_port] : ports) {
    const auto& [ip, port] = place;
    const std::string what = fmt::format("address {} port {}", ip, port);
    const Contender owner = OwnerOf(context, what, on_port);
    std::map<std::string, std::vector<Contender>> by_hostname;
    for (Contender& contender : on_port) {
      if (contender.listener->spec->protocol == owner.listener->spec->protocol &&
          contender.listener->clients == owner.listener->clients) {
        by_hostname[contender.listener->spec->hostname].push_back(contender);
      } else {
        Lose(context, what, ip, owner, "ProtocolConflict", CommonOf(*owner.listener), contender);
      }
    }
    for (auto& [hostname, contenders] : by_hostname) {
      const std::string which = fmt::format("{} hostname {}", what, hostname);
      const Contender first = OwnerOf(context, which, contenders);
      for (Contender& contender : contenders) {
        if (contender.listener == first.listener) continue;
        Lose(context, which, ip, first, "HostnameConflict",
             fmt::format("hostname \"{}\"", hostname), contender);
      }
    }
  }
}

void WriteForeignGateway(Context& context, const api::Gateway& gateway,
                         const api::GatewayClass& gateway_class) {
  if (!context.options.only_controller) return;
  api::ObjectStatus& status = context.StatusOf(RefOf(gateway), gateway.meta.source);
  const Verdict refused = Refused(
      "Invalid", fmt::format("spec.gatewayClassName: GatewayClass {} is of controller {}, which "
                             "is not ours: no port is opened{}",
                             gateway_class.meta.name, gateway_class.controller_name,
                             gateway.meta.Where("spec.gatewayClassName")));
  SetVerdict(&status.conditions, "Accepted", refused, gateway.meta.generation);
  SetVerdict(&status.conditions, "Programmed", refused, gateway.meta.generation);
}

Verdict ProgrammedVerdict(const GatewayState& gateway, const ListenerState& state) {
  if (state.served()) return Holds("Programmed", fmt::format("port {}", state.spec->port));
  if (state.servable && gateway.ips.empty()) {
    const bool waits_for_pods = gateway.addressed.reason == kNoResources;
    return Refused("Pending", waits_for_pods ? "the Gateway has no Pod that is Ready"
                                             : "the Gateway has no address");
  }
  return Refused("Invalid", "requests are not taken on this listener");
}

api::ListenerStatus ListenerStatusOf(const GatewayState& gateway, const ListenerState& state) {
  const int64_t generation = gateway.gateway->meta.generation;
  api::ListenerStatus status;
  status.name = state.spec->name;
  status.port = state.spec->port;
  status.attached_routes = state.attached_routes;
  status.supported_kinds = state.supported_kinds;
  SetVerdict(&status.conditions, "Accepted", state.accepted, generation);
  SetVerdict(&status.conditions, "Programmed", ProgrammedVerdict(gateway, state), generation);
  SetVerdict(&status.conditions, "ResolvedRefs", state.resolved, generation);
  // Conflicted is good when it is False.
  Verdict conflicted = Refused("NoConflicts", "");
  if (!state.conflict_reason.empty()) {
    conflicted = Holds(state.conflict_reason, state.conflict_message);
  }
  SetVerdict(&status.conditions, "Conflicted", conflicted, generation);
  if (!state.overlap.empty()) {
    SetVerdict(&status.conditions, "OverlappingTLSConfig",
               Holds("OverlappingHostnames", state.overlap), generation);
  }
  return status;
}

// The Gateway API wants it said aloud where clients with any certificate or none get through.
void WriteFallback(const api::Gateway& gateway, api::ObjectStatus* status) {
  using Mode = api::FrontendValidation::Mode;
  const auto falls_back = [](const std::optional<api::FrontendValidation>& validation) {
    return validation && validation->mode == Mode::kAllowInsecureFallback;
  };
  std::vector<std::string> where;
  if (falls_back(gateway.frontend.validation)) where.push_back(gateway.frontend.validation->path);
  for (const auto& [port, validation] : gateway.frontend.by_port) {
    if (falls_back(validation)) where.push_back(validation->path);
  }
  if (where.empty()) return;
  SetVerdict(&status->conditions, "InsecureFrontendValidationMode",
             Holds("ConfigurationChanged",
                   fmt::format("{}: clients get through whatever certificate they show, or with "
                               "none",
                               fmt::join(where, ", "))),
             gateway.meta.generation);
}

// One that only waits for an address is.
bool IsValid(const api::ListenerStatus& listener) {
  return std::none_of(listener.conditions.begin(), listener.conditions.end(),
                      [](const api::Condition& condition) {
                        return api::IsBad(condition) &&
                               !(condition.type == "Programmed" && condition.reason == "Pending");
                      });
}

}  // namespace

GatewayStates ReadGateways(Context& context) {
  GatewayStates states;
  const auto& classes = context.resources.gateway_classes;
  for (const auto& [name, gateway_class] : classes) WriteClassStatus(context, gateway_class);
  for (const auto& [key, gateway] : context.resources.gateways) {
    if (context.options.only_gateway && key != *context.options.only_gateway) continue;
    const std::string& class_name = gateway.gateway_class_name;
    const auto it = classes.find(class_name);
    if (it != classes.end() && IsOurs(context, it->second)) {
      states.emplace(key, ReadGateway(context, gateway, it->second.controller_name,
                                      GatewayVerdict(gateway, it->second)));
    } else if (it == classes.end() && IsOursByName(context, class_name)) {
      states.emplace(
          key, ReadGateway(context, gateway, context.own_name(), VerdictWithoutClass(gateway)));
    } else if (it != classes.end()) {
      WriteForeignGateway(context, gateway, it->second);
    } else if (context.options.only_controller) {
      states.emplace(
          key, ReadGateway(context, gateway, context.own_name(), ClassMissing(context, gateway)));
    }
  }
  AssignAddresses(context, &states);
  OpenListeners(&states);
  FindTaken(context, &states);
  FindOverlaps(&states);
  MakeServers(context, &states);
  return states;
}

std::string UnservableText(const api::GatewayClass& gateway_class) {
  return ClassVerdict(gateway_class).message;
}

std::string UnservableText(const api::Gateway& gateway) {
  std::string whole = UnsupportedText(gateway.unsupported);
  if (!whole.empty()) return whole;
  std::vector<std::string> errors;
  for (const api::Listener& listener : gateway.listeners) {
    const Verdict verdict = ListenerVerdict(gateway, listener, static_cast<int>(errors.size()),
                                            /*https=*/true);
    if (verdict.ok()) return "";
    errors.push_back(fmt::format("listener {}: {}", listener.name, verdict.message));
  }
  return Join(errors);
}

bool IsProgrammed(const api::ListenerStatus& listener) {
  const api::Condition* programmed = api::FindCondition(listener.conditions, "Programmed");
  return programmed != nullptr && programmed->status == api::ConditionStatus::kTrue;
}

void SetFromListeners(api::ObjectStatus* status, int64_t generation) {
  std::vector<std::string> invalid;
  for (const api::ListenerStatus& listener : status->listeners) {
    if (!IsValid(listener)) invalid.push_back(listener.name);
  }
  Verdict accepted = Holds("Accepted");
  if (!invalid.empty()) {
    const std::string message = fmt::format("not valid: {}", fmt::join(invalid, ", "));
    accepted = invalid.size() < status->listeners.size() ? Holds("ListenersNotValid", message)
                                                         : Refused("ListenersNotValid", message);
  }
  const bool serves = std::any_of(status->listeners.begin(), status->listeners.end(), IsProgrammed);
  if (!serves) status->addresses.clear();
  SetVerdict(&status->conditions, "Accepted", accepted, generation);
  SetVerdict(&status->conditions, "Programmed",
             serves ? Holds("Programmed") : Refused("Invalid", "no listener is served"),
             generation);
}

void WriteGatewayStatus(Context& context, const GatewayStates& gateways) {
  for (const auto& [key, state] : gateways) {
    const api::Gateway& gateway = *state.gateway;
    const int64_t generation = gateway.meta.generation;
    api::ObjectStatus& status = context.StatusOf(RefOf(gateway), gateway.meta.source);
    for (const ListenerState& listener : state.listeners) {
      status.listeners.push_back(ListenerStatusOf(state, listener));
    }
    if (state.accepted.ok()) {
      status.addresses = ToldAddresses(context, state);
      SetFromListeners(&status, generation);
      NoteInfrastructure(context, gateway, &status);
      if (!state.addressed.ok()) {
        SetVerdict(&status.conditions, "Programmed", state.addressed, generation);
      }
    } else {
      const bool waits = state.accepted.status == api::ConditionStatus::kUnknown;
      SetVerdict(&status.conditions, "Accepted", state.accepted, generation);
      SetVerdict(&status.conditions, "Programmed",
                 waits ? state.accepted : Refused("Invalid", "no listener is served"), generation);
    }
    if (gateway.backend.client_certificate) {
      SetVerdict(&status.conditions, "ResolvedRefs", state.resolved, generation);
    }
    WriteFallback(gateway, &status);
  }
}

}  // namespace gw::internal
