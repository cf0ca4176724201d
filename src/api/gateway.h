// GatewayClass, Gateway and ReferenceGrant (gateway.networking.k8s.io).

#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "api/access.h"
#include "api/infrastructure.h"
#include "api/meta.h"

namespace gw::api {

// A reference to an object that holds parameters (GatewayClass, Gateway).
struct ParametersRef {
  std::string group;
  std::string kind;
  std::string ns;
  std::string name;

  bool operator==(const ParametersRef&) const = default;
};

struct GatewayClass {
  ObjectMeta meta;
  std::string version = "v1";
  std::string controller_name;
  std::string description;
  std::optional<ParametersRef> parameters_ref;
  std::vector<Unsupported> unsupported;

  bool operator==(const GatewayClass&) const = default;
};

struct RouteGroupKind {
  std::string group = kGatewayGroup;
  std::string kind;

  bool operator==(const RouteGroupKind&) const = default;
};

// Which routes may attach to a listener.
struct AllowedRoutes {
  enum class From { kSame, kAll, kSelector, kNone };
  From from = From::kSame;
  LabelSelector selector;             // of Namespaces, for kSelector
  std::vector<RouteGroupKind> kinds;  // empty: what the protocol allows

  bool operator==(const AllowedRoutes&) const = default;
};

struct SecretRef {
  std::string group;
  std::string kind = "Secret";
  std::string ns;  // the Gateway's unless given
  std::string name;

  bool operator==(const SecretRef&) const = default;
};

// A listener's tls.options have them as keys, a Gateway as annotations, for those of its HTTPS
// listeners that name no certificate.
inline constexpr char kCertificateFileOption[] = "penstock.dev/certificate-file";
inline constexpr char kKeyFileOption[] = "penstock.dev/key-file";

// A certificate in files beside those of the objects. Whoever reads objects out of files reads
// these too; nobody else does, as a cluster's objects have no files beside them. What is in them is
// never shown to anybody.
struct CertificateFiles {
  std::string certificate;  // as it is written; once they are read the path that it means
  std::string key;
  std::string path = {};  // where they are named: "spec.listeners[0].tls.options"
  bool read = false;
  std::string certificate_pem = {};
  std::string key_pem = {};
  std::string fault = {};  // why one of them could not be read, with its path

  bool operator==(const CertificateFiles&) const = default;
};

struct ListenerTls {
  enum class Mode { kTerminate, kPassthrough };
  Mode mode = Mode::kTerminate;
  std::vector<SecretRef> certificate_refs;
  std::optional<CertificateFiles> files = {};

  bool operator==(const ListenerTls&) const = default;
};

struct Listener {
  std::string name;
  std::string hostname;  // lower case, "*.example.com" for a wildcard; empty: any
  int port = 0;
  std::string protocol;  // "HTTP", "HTTPS", "TCP", or anything the API server lets pass
  std::optional<ListenerTls> tls;
  AllowedRoutes allowed_routes;

  bool operator==(const Listener&) const = default;
};

// A reference to what holds certificate authorities.
struct CaRef {
  std::string group;
  std::string kind;
  std::string ns;  // the Gateway's unless given
  std::string name;

  bool operator==(const CaRef&) const = default;
};

// Which certificates clients have to show (spec.tls.frontend).
struct FrontendValidation {
  enum class Mode { kAllowValidOnly, kAllowInsecureFallback };
  Mode mode = Mode::kAllowValidOnly;
  std::vector<CaRef> ca_refs;  // at least one
  std::string path;            // "spec.tls.frontend.default.validation"

  bool operator==(const FrontendValidation&) const = default;
};

struct FrontendTls {
  std::optional<FrontendValidation> validation;                   // nullopt: none are asked for
  std::map<int, std::optional<FrontendValidation>> by_port = {};  // in its place, by the port

  bool operator==(const FrontendTls&) const = default;
};

// spec.tls.backend
struct BackendTls {
  std::optional<SecretRef> client_certificate;  // that endpoints are shown

  bool operator==(const BackendTls&) const = default;
};

struct GatewayAddress {
  std::string type = "IPAddress";
  std::string value;  // empty: any will do; of an IPAddress as CanonicalIp writes it

  bool operator==(const GatewayAddress&) const = default;
};

// The IP addresses that a Gateway's status had when this version of it was read: where it was
// reached before this process began. They make no other object of it, as whoever serves it writes
// them.
struct ToldIps {
  std::vector<std::string> ips;  // as CanonicalIp writes them

  bool operator==(const ToldIps&) const { return true; }
};

struct Gateway {
  ObjectMeta meta;
  std::string version = "v1";
  std::string gateway_class_name;
  std::vector<Listener> listeners;  // at least one; names are distinct
  std::vector<GatewayAddress> addresses;
  ToldIps told;                                 // of a cluster
  FrontendTls frontend;                         // of HTTPS listeners
  BackendTls backend;                           // to endpoints that are spoken to by TLS
  std::optional<ParametersRef> parameters_ref;  // infrastructure.parametersRef
  Infrastructure infrastructure;
  std::optional<KeyAccess> access;       // nullopt: anybody may ask
  std::vector<Unsupported> unsupported;  // `index` is the listener's

  bool operator==(const Gateway&) const = default;
};

// Lets objects of `from` refer to objects of `to` in the grant's own namespace.
struct ReferenceGrant {
  struct From {
    std::string group;
    std::string kind;
    std::string ns;

    bool operator==(const From&) const = default;
  };
  struct To {
    std::string group;
    std::string kind;
    std::string name;  // empty: every object of the kind

    bool operator==(const To&) const = default;
  };
  ObjectMeta meta;
  std::string version = "v1";
  std::vector<From> from;
  std::vector<To> to;

  bool operator==(const ReferenceGrant&) const = default;
};

}  // namespace gw::api
