#include "tls/trust.h"

#include <openssl/pem.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "tls/openssl.h"

namespace gw {
namespace {

using internal::TakeError;
using internal::X509Ptr;
using internal::X509StorePtr;

class ParsedTrust final : public Trust {
 public:
  ParsedTrust(X509StorePtr store, size_t size, std::string fingerprint)
      : store_(std::move(store)), size_(size), fingerprint_(std::move(fingerprint)) {}
  x509_store_st* store() const override { return store_.get(); }
  size_t size() const override { return size_; }
  const std::string& fingerprint() const override { return fingerprint_; }

 private:
  const X509StorePtr store_;
  const size_t size_;
  const std::string fingerprint_;
};

// Where distributions keep what the machine trusts: Debian's, Red Hat's, Alpine's.
constexpr const char* kSystemFiles[] = {"/etc/ssl/certs/ca-certificates.crt",
                                        "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"};

bool ReadFile(const char* path, std::string* text) {
  std::FILE* const file = std::fopen(path, "rb");
  if (file == nullptr) return false;
  char block[1 << 14];
  while (const size_t n = std::fread(block, 1, sizeof(block), file)) text->append(block, n);
  const bool read = std::ferror(file) == 0;
  std::fclose(file);
  return read;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Trust>> Trust::Parse(std::string_view pem) {
  X509StorePtr store(X509_STORE_new());
  // What is listed is trusted, be it a root or one below (as Go's x509 has it).
  X509_STORE_set_flags(store.get(), X509_V_FLAG_PARTIAL_CHAIN);
  const internal::BioPtr in = internal::ReadFrom(pem);
  size_t count = 0;
  ERR_clear_error();
  while (true) {
    const X509Ptr next(PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr));
    if (next == nullptr) break;
    X509_STORE_add_cert(store.get(), next.get());  // one that is there already is no error
    ++count;
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  const std::string error = TakeError();
  if (!at_end) {
    return absl::InvalidArgumentError("certificate " + std::to_string(count + 1) +
                                      " cannot be read: " + error);
  }
  if (count == 0) return absl::InvalidArgumentError("must have a certificate in PEM, has none");
  return std::make_shared<const ParsedTrust>(std::move(store), count, internal::DigestText(pem));
}

absl::StatusOr<std::shared_ptr<const Trust>> Trust::System() {
  std::string text;
  const char* const named = std::getenv("SSL_CERT_FILE");
  if (named != nullptr) {
    if (!ReadFile(named, &text)) {
      return absl::NotFoundError(std::string("SSL_CERT_FILE: ") + named + " cannot be read");
    }
    return Parse(text);
  }
  for (const char* path : kSystemFiles) {
    text.clear();
    if (ReadFile(path, &text)) return Parse(text);
  }
  return absl::NotFoundError(
      std::string("none of ") + kSystemFiles[0] + ", " + kSystemFiles[1] + " and " +
      kSystemFiles[2] + " can be read (package ca-certificates), and SSL_CERT_FILE is not set");
}

}  // namespace gw
