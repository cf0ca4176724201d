// What references of Gateways and policies to certificates and authorities lead to.

#pragma once

#include <memory>
#include <string>

#include "translate/context.h"

namespace gw::internal {

// Who refers, for ReferenceGrants.
struct Referrer {
  std::string group;
  std::string kind;
  std::string ns;
};

// What is wrong with a reference: the condition's reason, "" if nothing is, and its message,
// without the field's path.
struct RefFault {
  std::string reason;
  std::string message;

  explicit operator bool() const { return !reason.empty(); }
};

struct CertificateRef {
  std::string source;                              // "Secret default/cert"
  std::shared_ptr<const Certificate> certificate;  // beside a fault the last good one, or none
  RefFault fault;
};
// `reason`: of what is wrong with the reference, but for a missing grant.
CertificateRef ReadCertificateRef(const Context& context, const Referrer& referrer,
                                  const api::SecretRef& ref, const char* reason);

struct AuthoritiesRef {
  std::string source;  // "ConfigMap default/ca"
  std::string pem;     // beside a fault the last good ones, or ""
  RefFault fault;
};
// `kind_reason`: of a reference to what is no ConfigMap. `keep_last_good`: authorities that were
// good once go on being used when what the ConfigMap has now is bad.
AuthoritiesRef ReadAuthoritiesRef(const Context& context, const Referrer& referrer,
                                  const api::CaRef& ref, const char* kind_reason,
                                  bool keep_last_good);

// The message, and what goes on being served beside the fault that it tells.
std::string WithLastGood(std::string message, const TlsMemory::CertificateRead& read);

// "CN=a.example.com, names a.example.com and 3 more, until 2027-01-02T03:04:05Z"
std::string Described(const Certificate& certificate);

}  // namespace gw::internal
