// GatewayClasses, Gateways and their listeners: which are ours, which are valid, which are served.

#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "translate/context.h"
#include "translate/endpoint_access.h"

namespace gw::internal {

struct ListenerState {
  const api::Listener* spec = nullptr;  // of its Gateway's state
  std::string name;                     // "default/inference-gateway/http-llm"
  std::string where;                    // " (gateway.yaml:12)"
  Verdict accepted;
  Verdict resolved;
  std::string conflict_reason;  // empty: it conflicts with no other listener
  std::string conflict_message;
  std::vector<api::SupportedKind> supported_kinds;
  std::string overlap;    // how its hostname and another HTTPS listener's do; empty: they do not
  bool servable = false;  // nothing of it is in the way: it waits for an address at most
  std::vector<std::string> ips;  // of those of its Gateway, where requests are taken on its port
  std::vector<std::shared_ptr<const Certificate>> certificates;  // of HTTPS
  ClientValidation clients;                                      // of HTTPS
  int attached_routes = 0;

  bool served() const { return !ips.empty(); }
};

struct GatewayState {
  std::shared_ptr<const api::Gateway> gateway;  // as it was read
  std::string controller_name;
  Verdict accepted;              // as far as the Gateway itself goes, whatever its listeners are
  std::vector<std::string> ips;  // where it listens
  Verdict addressed;             // it has all the addresses that it is to have; else for Programmed
  bool made = false;             // a Deployment and a Service are made for it (managed.h)
  std::vector<ListenerState> listeners;
  ClientIdentity identity;
  Verdict resolved;  // of its own references, those of listeners aside
};

using GatewayStates = std::map<api::ObjectKey, GatewayState>;

// The Gateways that are ours. Writes the conditions of the GatewayClasses, and those of Gateways
// whose class is somebody else's where options.only_controller asks for it.
GatewayStates ReadGateways(Context& context);

// What of the object alone keeps it, or every listener of it, from being served; "" if nothing.
std::string UnservableText(const api::GatewayClass& gateway_class);
std::string UnservableText(const api::Gateway& gateway);

// Writes the conditions that an accepted Gateway has from those of its listeners. One of which none
// is open has no address.
void SetFromListeners(api::ObjectStatus* status, int64_t generation);

bool IsProgrammed(const api::ListenerStatus& listener);

// Writes the conditions of our Gateways; their routes are attached by then.
void WriteGatewayStatus(Context& context, const GatewayStates& gateways);

}  // namespace gw::internal
