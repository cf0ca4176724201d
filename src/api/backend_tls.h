// BackendTLSPolicy (gateway.networking.k8s.io): TLS to the endpoints of Services and
// InferencePools.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "api/gateway.h"
#include "api/meta.h"

namespace gw::api {

struct BackendTlsPolicy {
  // In the policy's own namespace.
  struct Target {
    std::string group;
    std::string kind;
    std::string name;
    std::string section;  // of a Service the name of a port; empty: all of it

    bool operator==(const Target&) const = default;
  };
  // A name that the endpoint's certificate may have.
  struct AltName {
    enum class Type : uint8_t { kHostname, kUri };
    Type type = Type::kHostname;
    std::string value;

    bool operator==(const AltName&) const = default;
  };
  ObjectMeta meta;
  std::string version = "v1";      // or "v1alpha3"
  std::vector<Target> targets;     // at least one; distinct
  std::vector<CaRef> ca_refs;      // in the policy's namespace; empty: `system_cas`
  bool system_cas = false;         // wellKnownCACertificates: System
  std::string hostname;            // that is asked for
  std::vector<AltName> alt_names;  // one of which must be in the certificate; empty: the hostname
  std::vector<Unsupported> unsupported;

  bool operator==(const BackendTlsPolicy&) const = default;
};

}  // namespace gw::api
