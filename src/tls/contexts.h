// What all of the gateway's contexts of TLS have in common.

#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "tls/certificate.h"
#include "tls/openssl.h"

namespace gw::internal {

// TLS 1.2 and 1.3, forward secrecy only, nothing renegotiated, compressed or sent early; records
// are read ahead, and buffers given back between them.
SslContextPtr NewContext(const SSL_METHOD* method);
// The certificate, its chain and its key. One of each type of key may be set.
absl::Status UseCertificate(SSL_CTX* context, const Certificate& certificate);
// As ALPN has it on the wire: each with its length before it.
std::string ProtocolsOnWire(const std::vector<std::string>& protocols);

}  // namespace gw::internal
