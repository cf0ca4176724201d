// Owners for OpenSSL's objects, and its errors as text. For the .cc files of this folder and of
// net/tls; no other header includes OpenSSL.

#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <string_view>

namespace gw::internal {

template <auto free>
struct FreeWith {
  template <typename T>
  void operator()(T* object) const {
    free(object);
  }
};
using BioPtr = std::unique_ptr<BIO, FreeWith<&BIO_free_all>>;
using X509Ptr = std::unique_ptr<X509, FreeWith<&X509_free>>;
using X509StorePtr = std::unique_ptr<X509_STORE, FreeWith<&X509_STORE_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, FreeWith<&EVP_PKEY_free>>;
using SslPtr = std::unique_ptr<SSL, FreeWith<&SSL_free>>;
using SslContextPtr = std::unique_ptr<SSL_CTX, FreeWith<&SSL_CTX_free>>;
using SslSessionPtr = std::unique_ptr<SSL_SESSION, FreeWith<&SSL_SESSION_free>>;
using GeneralNamesPtr = std::unique_ptr<GENERAL_NAMES, FreeWith<&GENERAL_NAMES_free>>;

// A BIO that reads from `text`, which outlives it.
BioPtr ReadFrom(std::string_view text);
// The first of the thread's errors, which are gone afterwards: "bad decrypt"; "" if there is none.
std::string TakeError();
// Of a certificate, RFC 2253: "CN=a.example.com,O=Example".
std::string NameText(const X509_NAME* name);
// Seconds since 1970; nullopt would be a date that is none, which Parse has refused.
int64_t UnixSeconds(const ASN1_TIME* time);
// SHA-256, hexadecimal.
std::string DigestText(std::string_view bytes);
std::string FingerprintOf(X509* certificate);

}  // namespace gw::internal
