// GatewayClass, Gateway and ReferenceGrant (gateway.networking.k8s.io).

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/meta.h"

namespace gw::api {

// A reference to an object that holds parameters (GatewayClass, Gateway).
struct ParametersRef {
  std::string group;
  std::string kind;
  std::string ns;
  std::string name;
};

struct GatewayClass {
  ObjectMeta meta;
  std::string version = "v1";
  std::string controller_name;
  std::string description;
  std::optional<ParametersRef> parameters_ref;
  std::vector<Unsupported> unsupported;
};

struct RouteGroupKind {
  std::string group = kGatewayGroup;
  std::string kind;
};

// Which routes may attach to a listener.
struct AllowedRoutes {
  enum class From { kSame, kAll, kSelector, kNone };
  From from = From::kSame;
  LabelSelector selector;             // of Namespaces, for kSelector
  std::vector<RouteGroupKind> kinds;  // empty: what the protocol allows
};

struct SecretRef {
  std::string group;
  std::string kind = "Secret";
  std::string ns;  // the Gateway's unless given
  std::string name;
};

struct ListenerTls {
  enum class Mode { kTerminate, kPassthrough };
  Mode mode = Mode::kTerminate;
  std::vector<SecretRef> certificate_refs;
};

struct Listener {
  std::string name;
  std::string hostname;  // lower case, "*.example.com" for a wildcard; empty: any
  int port = 0;
  std::string protocol;  // "HTTP", "HTTPS", "TCP", or anything the API server lets pass
  std::optional<ListenerTls> tls;
  AllowedRoutes allowed_routes;
};

struct GatewayAddress {
  std::string type = "IPAddress";
  std::string value;
};

struct Gateway {
  ObjectMeta meta;
  std::string version = "v1";
  std::string gateway_class_name;
  std::vector<Listener> listeners;  // at least one; names are distinct
  std::vector<GatewayAddress> addresses;
  std::optional<ParametersRef> parameters_ref;  // infrastructure.parametersRef
  std::vector<Unsupported> unsupported;         // `index` is the listener's
};

// Lets objects of `from` refer to objects of `to` in the grant's own namespace.
struct ReferenceGrant {
  struct From {
    std::string group;
    std::string kind;
    std::string ns;
  };
  struct To {
    std::string group;
    std::string kind;
    std::string name;  // empty: every object of the kind
  };
  ObjectMeta meta;
  std::string version = "v1";
  std::vector<From> from;
  std::vector<To> to;
};

}  // namespace gw::api
