// How the endpoints of a pool are spoken to (Pool::access): what policies and the Gateway ask for.

#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "pool/endpoint_access.h"
#include "tls/certificate.h"
#include "translate/context.h"

namespace gw::internal {

// Whose endpoints: an InferencePool, or the port of a Service.
struct AccessTarget {
  std::string group;
  std::string kind;
  std::string ns;
  std::string name;
  std::string port = {};  // its name; of an InferencePool ""
};

// What a Gateway shows to endpoints that ask who it is (spec.tls.backend).
struct ClientIdentity {
  std::string source = {};                                   // "Secret default/cert"
  std::shared_ptr<const Certificate> certificate = nullptr;  // nullptr: none
  std::string fault = {};  // why there is none, where one is asked for; names the Gateway

  bool operator==(const ClientIdentity& other) const {
    return certificate == other.certificate && fault == other.fault;
  }
};

// That of the Gateway, and what became of its reference to a certificate.
ClientIdentity ReadIdentity(Context& context, const api::Gateway& gateway, Verdict* resolved);

// Whether anything asks for TLS, honoured or not.
bool AsksForTls(const Context& context, const AccessTarget& target);

// nullptr: plain HTTP, with nothing added. The error says what cannot be honoured, of which object:
// then nothing may be sent. `identity`: nullptr for that of no Gateway.
absl::StatusOr<std::shared_ptr<const EndpointAccess>> AccessOf(const Context& context,
                                                               const AccessTarget& target,
                                                               const ClientIdentity* identity);

}  // namespace gw::internal
