#include "tls/contexts.h"

#include "base/check.h"

namespace gw::internal {
namespace {

constexpr char kCiphersTls12[] = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr char kGroups[] = "X25519:P-256:P-384:P-521";
// A whole record and its header: one recv for it, in place of one for each.
constexpr size_t kReadBytes = (16 << 10) + 512;

}  // namespace

SslContextPtr NewContext(const SSL_METHOD* method) {
  SslContextPtr context(SSL_CTX_new(method));
  CHECK(context != nullptr);
  SSL_CTX* const raw = context.get();
  CHECK(SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION) == 1);
  CHECK(SSL_CTX_set_cipher_list(raw, kCiphersTls12) == 1);
  CHECK(SSL_CTX_set1_groups_list(raw, kGroups) == 1);
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_max_early_data(raw, 0);
  SSL_CTX_set_mode(raw, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                            SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(raw, 1);
  SSL_CTX_set_default_read_buffer_len(raw, kReadBytes);
  return context;
}

absl::Status UseCertificate(SSL_CTX* context, const Certificate& certificate) {
  STACK_OF(X509)* const chain = sk_X509_new_null();
  for (X509* each : certificate.chain()) sk_X509_push(chain, each);
  ERR_clear_error();
  const int used =
      SSL_CTX_use_cert_and_key(context, certificate.leaf(), certificate.key(), chain, 1);
  sk_X509_free(chain);  // the context has references of its own
  if (used == 1) return absl::OkStatus();
  return absl::InvalidArgumentError("certificate of " + certificate.subject() +
                                    " cannot be used: " + TakeError());
}

std::string ProtocolsOnWire(const std::vector<std::string>& protocols) {
  std::string wire;
  for (const std::string& protocol : protocols) {
    CHECK(!protocol.empty() && protocol.size() < 256);
    wire.push_back(static_cast<char>(protocol.size()));
    wire += protocol;
  }
  return wire;
}

}  // namespace gw::internal
