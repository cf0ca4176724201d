// What the Service by which clients reach the Gateways that share one address
// (TranslateOptions::shared_service) has to do with us: its ports are our listeners', and its
// endpoints are this gateway and those that serve beside it. Of the Service of one Gateway's own
// the latter are in its namespace. Pure; any thread.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "api/resources.h"
#include "translate/translate.h"

namespace gw {

// Ports that are listened on at `bind_ip`, in order. What is told with `errors` is not open.
std::vector<uint16_t> SharedPorts(const Snapshot& snapshot, const std::string& bind_ip,
                                  const ListenErrors& errors);

// The Pods that are Ready and that the Service selects; 0 if there is no such Service.
int GatewaysBehind(const api::ResourceSet& resources, const api::ObjectKey& service);
// The Pods that are Ready of all Gateways that have a Deployment of their own in that namespace.
int ManagedGatewaysIn(const api::ResourceSet& resources, const std::string& ns);
// The addresses of these Pods.
std::vector<std::string> GatewayIpsBehind(const api::ResourceSet& resources,
                                          const api::ObjectKey& service);
std::vector<std::string> ManagedGatewayIps(const api::ResourceSet& resources,
                                           const std::string& ns);

}  // namespace gw
