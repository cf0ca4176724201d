// Gateways that have a Deployment and a Service of their own each
// (TranslateOptions::managed_from): what is to be made for them, and what became of it by what the
// cluster has of Pods and Services. Nothing listens here for them: their listeners count as served
// once a Pod is Ready.

#pragma once

#include <vector>

#include "api/managed.h"
#include "translate/context.h"
#include "translate/gateways.h"

namespace gw::internal {

// Of Programmed: nothing is there yet that could serve the Gateway.
inline constexpr char kNoResources[] = "NoResources";

// In place of AssignAddresses: the address where a Gateway listens is its ManagedName, so that no
// two of them meet. REQUIRES: options.managed_from
void AssignManaged(Context& context, GatewayStates* states);

// What its Service publishes, of a Gateway of which a listener is served.
std::vector<api::GatewayAddress> ManagedAddresses(const Context& context,
                                                  const GatewayState& state);

// REQUIRES: options.managed_from
api::ManagedGateways WantedOf(const Context& context, const GatewayStates& states);

// Whether a listener can have the port, as far as its Gateway's Pods go.
Verdict PortVerdict(const Context& context, int port);

// Says of labels that are ours that they are not taken, and warns of what has no effect here.
void NoteInfrastructure(Context& context, const api::Gateway& gateway, api::ObjectStatus* status);

}  // namespace gw::internal
