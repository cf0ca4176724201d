// Certificates for tests, made when they are wanted: authorities, servers, clients, and what is
// wrong with them.

#pragma once

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "tls/certificate.h"
#include "tls/openssl.h"
#include "tls/trust.h"

namespace gw {

enum class TestKey { kP256, kOtherP256, kP384, kSecp256k1, kRsa2048, kRsa1024, kEd25519 };

// Made once per program: an RSA key takes a tenth of a second.
inline EVP_PKEY* KeyForTest(TestKey kind) {
  static std::map<TestKey, internal::KeyPtr>& keys = *new std::map<TestKey, internal::KeyPtr>;
  internal::KeyPtr& key = keys[kind];
  if (key != nullptr) return key.get();
  switch (kind) {
    case TestKey::kP256:
    case TestKey::kOtherP256:
      key.reset(EVP_EC_gen("P-256"));
      break;
    case TestKey::kP384:
      key.reset(EVP_EC_gen("P-384"));
      break;
    case TestKey::kSecp256k1:
      key.reset(EVP_EC_gen("secp256k1"));
      break;
    case TestKey::kRsa2048:
      key.reset(EVP_RSA_gen(2048));
      break;
    case TestKey::kRsa1024:
      key.reset(EVP_RSA_gen(1024));
      break;
    case TestKey::kEd25519:
      key.reset(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
      break;
  }
  CHECK(key != nullptr);
  return key.get();
}

inline std::string KeyPemForTest(TestKey kind) {
  const internal::BioPtr out(BIO_new(BIO_s_mem()));
  CHECK(PEM_write_bio_PrivateKey(out.get(), KeyForTest(kind), nullptr, nullptr, 0, nullptr,
                                 nullptr) == 1);
  char* text = nullptr;
  const long bytes = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<size_t>(bytes)};
}

// One certificate and the key that it is for.
struct TestCertificate {
  std::string pem;
  TestKey key;
  std::shared_ptr<X509> x509;

  std::string key_pem() const { return KeyPemForTest(key); }
  std::shared_ptr<const Certificate> Parsed(const std::string& chain_pem = "") const {
    auto parsed = Certificate::Parse(pem + chain_pem, key_pem());
    CHECK(parsed.ok());
    return *std::move(parsed);
  }
  std::shared_ptr<const Trust> Trusted() const {
    auto parsed = Trust::Parse(pem);
    CHECK(parsed.ok());
    return *std::move(parsed);
  }
};

struct TestCertificateOptions {
  std::string common_name = "test";
  std::string names = {};  // as OpenSSL has them: "DNS:a.example.com,IP:10.0.0.1,URI:spiffe://a"
  TestKey key = TestKey::kP256;
  const TestCertificate* issuer = nullptr;  // nullptr: self-signed
  bool authority = false;
  std::string not_before = "20200101000000Z";
  std::string not_after = "20491231235959Z";
  const char* digest = "SHA256";
};

inline TestCertificate MakeCertificate(const TestCertificateOptions& options) {
  static int serial = 0;
  const std::shared_ptr<X509> made(X509_new(), X509_free);
  X509* const raw = made.get();
  CHECK(X509_set_version(raw, 2) == 1);
  CHECK(ASN1_INTEGER_set(X509_get_serialNumber(raw), ++serial) == 1);
  CHECK(ASN1_TIME_set_string(X509_getm_notBefore(raw), options.not_before.c_str()) == 1);
  CHECK(ASN1_TIME_set_string(X509_getm_notAfter(raw), options.not_after.c_str()) == 1);
  CHECK(X509_set_pubkey(raw, KeyForTest(options.key)) == 1);
  X509_NAME* const subject = X509_get_subject_name(raw);
  CHECK(X509_NAME_add_entry_by_txt(
            subject, "CN", MBSTRING_UTF8,
            reinterpret_cast<const unsigned char*>(options.common_name.c_str()), -1, -1, 0) == 1);
  X509* const issuer = options.issuer == nullptr ? raw : options.issuer->x509.get();
  CHECK(X509_set_issuer_name(raw, X509_get_subject_name(issuer)) == 1);
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, raw, nullptr, nullptr, 0);
  const auto extend = [&](int nid, const std::string& value) {
    X509_EXTENSION* const extension = X509V3_EXT_nconf_nid(nullptr, &context, nid, value.c_str());
    CHECK(extension != nullptr && X509_add_ext(raw, extension, -1) == 1);
    X509_EXTENSION_free(extension);
  };
  extend(NID_basic_constraints, options.authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
  if (!options.names.empty()) extend(NID_subject_alt_name, options.names);
  const TestKey signs = options.issuer == nullptr ? options.key : options.issuer->key;
  const EVP_MD* const digest =
      signs == TestKey::kEd25519 ? nullptr : EVP_get_digestbyname(options.digest);
  CHECK(X509_sign(raw, KeyForTest(signs), digest) > 0);
  const internal::BioPtr out(BIO_new(BIO_s_mem()));
  CHECK(PEM_write_bio_X509(out.get(), raw) == 1);
  char* text = nullptr;
  const long bytes = BIO_get_mem_data(out.get(), &text);
  return {{text, static_cast<size_t>(bytes)}, options.key, made};
}

// What most tests are about: an authority and a server's certificate of it.
inline const TestCertificate& TestAuthority() {
  static const TestCertificate& made = *new TestCertificate(
      MakeCertificate({.common_name = "Test CA", .key = TestKey::kP384, .authority = true}));
  return made;
}
inline TestCertificate ServerCertificate(const std::string& name, TestKey key = TestKey::kP256) {
  return MakeCertificate(
      {.common_name = name, .names = "DNS:" + name, .key = key, .issuer = &TestAuthority()});
}

}  // namespace gw
