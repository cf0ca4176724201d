// Endpoints: from Pods and EndpointSlices to the addresses requests may be sent to.

#pragma once

#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "pool/pool.h"
#include "translate/context.h"

namespace gw::internal {

// What a Pod is part of.
struct PodSelection {
  const std::string& ns;
  const api::StringMap& selector;  // of an InferencePool or Service there; an empty one: nothing
  const std::vector<int>& ports;   // each is an endpoint of its own
  Runtime runtime = Runtime::kVllm;
  const std::string* role_label = nullptr;  // of a disaggregated pool: where roles stand
};

// Pods that match and may receive requests: Ready, not terminating, with an address; in the order
// of their names. With a role label, those that have a role there. A Pod's own port replaces
// `ports`. `notes` gets what the user should hear; `shadowed` the number of endpoints left out,
// whose address one before them has.
std::vector<Endpoint> EndpointsOfPods(const Context& context, const PodSelection& selection,
                                      std::vector<std::string>* notes, size_t* shadowed);

// The same where only Pods of these names are not as they were when `before` was made. nullopt if
// they alone do not tell: something is noted or shadowed. REQUIRES: nothing was when `before` was
std::optional<std::vector<Endpoint>> ChangedEndpoints(const Context& context,
                                                      const PodSelection& selection,
                                                      std::span<const Endpoint> before,
                                                      const std::set<std::string>& changed);

// Ready addresses of the EndpointSlices of Service `service` of `ns`, at the slices' port of that
// name.
std::vector<Endpoint> EndpointsOfSlices(const Context& context, const std::string& ns,
                                        const std::string& service, const api::ServicePort& port);

// The addresses that `host`, a name or itself an address, stands for now.
std::vector<Endpoint> EndpointsOfHost(const Context& context, const std::string& ns,
                                      const std::string& host, int port);

}  // namespace gw::internal
