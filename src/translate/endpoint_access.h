// How the endpoints of a pool are spoken to (Pool::access): what policies, the Gateway and the
// pool's annotations ask for, with the Secrets that they name.

#pragma once

#include <memory>
#include <string>

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

// Whether a policy asks for TLS, honoured or not.
bool HasTlsPolicy(const Context& context, const AccessTarget& target);

struct AccessRead {
  std::shared_ptr<const EndpointAccess> access;  // nullptr: plain, with nothing added
  // What is wrong, "" if nothing is; otherwise the access is closed: nothing is ever sent with less
  // than was asked for.
  std::string error = {};       // with a policy, the pool, or this machine
  std::string unresolved = {};  // with what the pool refers to
};
// `pool`: nullptr for a Service's port. `identity`: nullptr for that of no Gateway.
AccessRead AccessOf(const Context& context, const AccessTarget& target,
                    const api::InferencePool* pool, const ClientIdentity* identity);

}  // namespace gw::internal
