// Where Gateways listen and which addresses clients are told of: those that a Gateway names, one of
// its own out of an address pool, or, for all that name none, one that they share.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "translate/context.h"
#include "translate/gateways.h"

namespace gw::internal {

using ByAge = std::vector<GatewayState*>;
// The oldest first; of equally old ones the one whose name sorts first.
ByAge SortedByAge(GatewayStates* states);

// Sets where each of the Gateways listens, and whether it has all the addresses that it is to have.
//
// Of an address pool a Gateway keeps its address as long as it lives and names none, whoever else
// comes and whoever serves it; over a restart, too, as its status still tells it. A Gateway that
// names an address of the pool has it unless it was given to another before; what is named is not
// given. New ones have the lowest that is left, the oldest Gateway first.
void AssignAddresses(Context& context, GatewayStates* states);

// What the Gateway's status tells of the addresses where a listener of it is served.
std::vector<api::GatewayAddress> ToldAddresses(const Context& context, const GatewayState& state);

// What a Service can be reached at by clients; none: not yet, or not at all.
std::vector<api::GatewayAddress> PublishedBy(const api::Service& service);
// Why nobody can be told where a Gateway is that is reached by the Service; "": they can be.
// `asked`: what has named it, " (--service)".
std::string WhyUnpublished(const Context& context, const api::ObjectKey& service,
                           std::string_view asked);

}  // namespace gw::internal
