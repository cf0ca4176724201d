// The Deployment and the Service of one Gateway (api/managed.h) as they are written: what this
// gateway's own Deployment is, but for names, labels and the flags that are another's in each.
// Values and functions; any thread.

#pragma once

#include <string>

#include "api/managed.h"
#include "api/node.h"
#include "base/status.h"

namespace gw::config {

// As `own`, the Deployment of this gateway as the API server has it: its Pod template with the
// Gateway's labels in place of those that `own` selects by, and flags by which the Gateway is
// served and nothing is written. Without replicas, which are whoever's who scales it. An error says
// what of `own` or of the Gateway is in the way.
absl::StatusOr<api::Node> MakeDeployment(const api::Node& own, const api::ManagedGateway& gateway,
                                         const std::string& ns);

// In front of the Deployment's Pods: a port "port-80" for each of the listeners' ports.
api::Node MakeService(const api::ManagedGateway& gateway, const std::string& ns);

// Whether it was made here once, for whichever Gateway: it has the labels, and the name that goes
// with them. Somebody's copy of it under another name is theirs.
bool WasMade(const api::Node& object);

// Of what `object` has the part that `wish` says something of, in the wish's order: equal to
// ToJson(wish) where the object has all of it. Lists of another length count as a whole.
std::string ViewOf(const api::Node& object, const api::Node& wish);

}  // namespace gw::config
