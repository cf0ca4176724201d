#include "tls/shared_identity.h"

#include <openssl/kdf.h>
#include <openssl/pem.h>

#include <array>
#include <cstring>
#include <functional>
#include <memory>

#include "base/check.h"
#include "tls/openssl.h"

namespace gw {
namespace {

constexpr char kName[] = "penstock-peers";
constexpr size_t kKeyBytes = 32;  // of Ed25519

using internal::BioPtr;
using internal::FreeWith;
using internal::KeyPtr;
using internal::X509Ptr;

// HKDF-SHA256 without a salt.
void Derive(std::string_view secret, std::string_view purpose, unsigned char* out, size_t bytes) {
  const std::unique_ptr<EVP_PKEY_CTX, FreeWith<&EVP_PKEY_CTX_free>> context(
      EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, nullptr));
  const auto data = [](std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
  };
  CHECK(context != nullptr && EVP_PKEY_derive_init(context.get()) == 1);
  CHECK(EVP_PKEY_CTX_set_hkdf_md(context.get(), EVP_sha256()) == 1);
  CHECK(EVP_PKEY_CTX_set1_hkdf_key(context.get(), data(secret), static_cast<int>(secret.size())) ==
        1);
  CHECK(EVP_PKEY_CTX_add1_hkdf_info(context.get(), data(purpose),
                                    static_cast<int>(purpose.size())) == 1);
  size_t derived = bytes;
  CHECK(EVP_PKEY_derive(context.get(), out, &derived) == 1 && derived == bytes);
}

std::string Pem(const std::function<int(BIO*)>& write) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  CHECK(bio != nullptr && write(bio.get()) == 1);
  char* text = nullptr;
  const long bytes = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<size_t>(bytes)};
}

void AddExtension(X509* certificate, int nid, const char* value) {
  const std::unique_ptr<X509_EXTENSION, FreeWith<&X509_EXTENSION_free>> extension(
      X509V3_EXT_conf_nid(nullptr, nullptr, nid, value));
  CHECK(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1);
}

// The same bytes at each call, as Ed25519's signatures are.
X509Ptr SelfSigned(EVP_PKEY* key) {
  X509Ptr certificate(X509_new());
  X509* const raw = certificate.get();
  CHECK(raw != nullptr && X509_set_version(raw, X509_VERSION_3) == 1);
  CHECK(ASN1_INTEGER_set(X509_get_serialNumber(raw), 1) == 1);
  CHECK(ASN1_TIME_set_string_X509(X509_getm_notBefore(raw), "20000101000000Z") == 1);
  CHECK(ASN1_TIME_set_string_X509(X509_getm_notAfter(raw), "99991231235959Z") == 1);
  X509_NAME* const name = X509_get_subject_name(raw);
  CHECK(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                   reinterpret_cast<const unsigned char*>(kName), -1, -1, 0) == 1);
  CHECK(X509_set_issuer_name(raw, name) == 1 && X509_set_pubkey(raw, key) == 1);
  AddExtension(raw, NID_basic_constraints, "critical,CA:TRUE");
  AddExtension(raw, NID_subject_alt_name, "DNS:penstock-peers");
  CHECK(X509_sign(raw, key, nullptr) > 0);
  return certificate;
}

}  // namespace

absl::StatusOr<SharedIdentity> SharedIdentity::FromSecret(std::string_view secret) {
  if (secret.size() < kSecretMin) {
    return absl::InvalidArgumentError("a secret of " + std::to_string(secret.size()) +
                                      " bytes: at least " + std::to_string(kSecretMin) +
                                      " are wanted");
  }
  std::array<unsigned char, kKeyBytes> seed;
  Derive(secret, "penstock peers certificate", seed.data(), seed.size());
  const KeyPtr key(
      EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.data(), seed.size()));
  CHECK(key != nullptr);
  const X509Ptr certificate = SelfSigned(key.get());
  SharedIdentity identity;
  identity.name = kName;
  identity.certificate_pem =
      Pem([&](BIO* bio) { return PEM_write_bio_X509(bio, certificate.get()); });
  identity.key_pem = Pem([&](BIO* bio) {
    return PEM_write_bio_PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
  return identity;
}

uint64_t NumberFromSecret(std::string_view secret, std::string_view purpose) {
  std::array<unsigned char, sizeof(uint64_t)> bytes;
  Derive(secret, purpose, bytes.data(), bytes.size());
  uint64_t number = 0;
  std::memcpy(&number, bytes.data(), sizeof number);
  return number;
}

}  // namespace gw
