// Gateways that have a Deployment and a Service of their own, in the namespace of the gateway that
// makes these: by which names and labels they are known, and what is made for each. Values; any
// thread.

#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "api/gateway.h"
#include "api/meta.h"

namespace gw::api {

// Of Deployment, Pods and Service; the Gateway API has the first of them (GEP-1762). Their
// selectors are these.
inline constexpr char kGatewayNameLabel[] = "gateway.networking.k8s.io/gateway-name";
inline constexpr char kGatewayNamespaceLabel[] = "penstock.dev/gateway-namespace";
inline constexpr char kManagedByLabel[] = "app.kubernetes.io/managed-by";
inline constexpr char kManagedBy[] = "penstock";

// "penstock-default-web-0c1d2e3f": of the Deployment and the Service, a DNS label whatever the
// Gateway's name is. The digits are a hash of both parts of the key, the same in every version.
std::string ManagedName(const ObjectKey& gateway);
// The labels above. The name is cut, and has the hash behind it, where it is no label's value.
StringMap ManagedLabels(const ObjectKey& gateway);
// Whether they are there, for whichever Gateway.
bool HasManagedLabels(const StringMap& labels);

struct ManagedGateway {
  ObjectKey gateway;
  std::vector<uint16_t> ports;  // at least one, sorted
  Infrastructure infrastructure;

  bool operator==(const ManagedGateway&) const = default;
};

struct ManagedGateways {
  std::vector<ManagedGateway> made;  // no two of one name
  // Names of what stays as it is, if it is there: of Gateways that exist and that nothing can be
  // made for at the moment. What has neither is nobody's any more.
  std::set<std::string> kept;

  bool operator==(const ManagedGateways&) const = default;
};

}  // namespace gw::api
