// SharedIdentity: a certificate that everybody makes alike who knows a secret, and nobody else.
// Where each end of a connection shows it and believes no other one (mutual TLS), both have proved
// that they know the secret, and nobody reads along.
//
// Ed25519, from HKDF-SHA256 of the secret (RFC 5869, RFC 8410); signed by itself, valid always.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace gw {

struct SharedIdentity {
  static constexpr size_t kSecretMin = 16;  // bytes

  std::string name;             // that is in it
  std::string certificate_pem;  // which is its own authority, too
  std::string key_pem;

  // An error says that the secret is too short.
  static absl::StatusOr<SharedIdentity> FromSecret(std::string_view secret);
};

// A number that follows from the secret and what it is for, and tells nothing of it.
uint64_t NumberFromSecret(std::string_view secret, std::string_view purpose);

}  // namespace gw
