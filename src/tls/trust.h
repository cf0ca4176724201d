// Trust: the certificate authorities that a peer's certificate must lead to, as a ConfigMap's
// ca.crt lists them. Immutable, any thread.

#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"

struct x509_store_st;

namespace gw {

class Trust {
 public:
  // One certificate or more, PEM; the error says what is wrong with which of them.
  static absl::StatusOr<std::shared_ptr<const Trust>> Parse(std::string_view pem);
  // Those that the machine trusts (BackendTLSPolicy: wellKnownCACertificates: System). Reads files:
  // not on a worker. The error names the folder that has none.
  static absl::StatusOr<std::shared_ptr<const Trust>> System();
  virtual ~Trust() = default;

  virtual x509_store_st* store() const = 0;
  virtual size_t size() const = 0;                     // certificates
  virtual const std::string& fingerprint() const = 0;  // SHA-256 of the PEM, hexadecimal
};

}  // namespace gw
