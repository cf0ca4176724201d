// Certificate: a certificate chain and its private key, as a Secret of type kubernetes.io/tls has
// them. Read from PEM and checked, no I/O; immutable, any thread.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

// Of OpenSSL, which no header of ours includes.
struct x509_st;
struct evp_pkey_st;

namespace gw {

class Certificate {
 public:
  enum class KeyType : uint8_t { kRsa, kEcdsa, kEd25519 };

  // `chain_pem`: the server's certificate first, then those that lead to its root. `key_pem`: its
  // private key, PKCS #8, PKCS #1 or SEC 1, not encrypted. The error says what is wrong with which
  // of the two, without a byte of the key: no PEM, no certificate in it, a key that does not belong
  // to it, a chain out of order, an RSA key below 2,048 bits, a curve that TLS does not use, a
  // signature of MD5 or SHA-1 (RFC 9155), or what else OpenSSL would not serve.
  static absl::StatusOr<std::shared_ptr<const Certificate>> Parse(std::string_view chain_pem,
                                                                  std::string_view key_pem);
  virtual ~Certificate() = default;

  // Subject alternative names, lower case, "*.example.com" for a wildcard; DNS names and addresses.
  // What is neither is left out.
  virtual const std::vector<std::string>& names() const = 0;
  virtual KeyType key_type() const = 0;
  virtual const std::string& subject() const = 0;  // RFC 2253, for logs and reports
  virtual const std::string& issuer() const = 0;
  virtual int64_t not_before_unix_s() const = 0;       // of the chain: the latest of its beginnings
  virtual int64_t not_after_unix_s() const = 0;        // and the first of its ends
  virtual const std::string& fingerprint() const = 0;  // SHA-256 of the leaf, hexadecimal

  // "" if it is valid at that time; otherwise "expired on 2026-01-02T03:04:05Z" or "not valid
  // before ...".
  std::string FaultAt(int64_t unix_s) const;

  virtual x509_st* leaf() const = 0;
  virtual const std::vector<x509_st*>& chain() const = 0;  // without the leaf
  virtual evp_pkey_st* key() const = 0;
};

}  // namespace gw
