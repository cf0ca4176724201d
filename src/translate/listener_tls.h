// What the TLS of a Gateway's HTTPS listeners comes to: the certificates that their references lead
// to, the authorities that clients' certificates are checked against, and the ServerTls of each
// address and port.

#pragma once

#include <memory>
#include <vector>

#include "translate/context.h"
#include "translate/gateways.h"

namespace gw::internal {

struct ListenerTls {
  Verdict accepted;
  Verdict resolved;
  std::vector<std::shared_ptr<const Certificate>> certificates;
  ClientValidation clients;

  bool served() const { return accepted.ok() && !certificates.empty(); }
};

// Of the listener at that index. What is wrong with one reference keeps no other from being used.
// Where clients' certificates are asked for, some authority must be left to check them by.
ListenerTls ReadListenerTls(Context& context, const api::Gateway& gateway, int index);

// Says of listeners that share a port which of them overlap, as "*.example.com" does with
// "a.example.com".
void FindOverlaps(GatewayStates* states);

// Makes the ServerTls of each place where HTTPS listeners are served, into context.servers.
void MakeServers(Context& context, GatewayStates* states);

}  // namespace gw::internal
