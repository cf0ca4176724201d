#include "tls/certificate.h"

#include <arpa/inet.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include "base/text.h"
#include "tls/contexts.h"
#include "tls/openssl.h"

namespace gw {
namespace {

using internal::FreeWith;
using internal::KeyPtr;
using internal::ReadFrom;
using internal::TakeError;
using internal::X509Ptr;

constexpr int kRsaBitsMin = 2048;  // RFC 9325 4.2
constexpr size_t kChainMax = 16;

absl::Status Invalid(const std::string& text) { return absl::InvalidArgumentError(text); }

// Nobody is asked for a password: an encrypted key is refused.
int NoPassword(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

absl::StatusOr<std::vector<X509Ptr>> ReadChain(std::string_view pem) {
  std::vector<X509Ptr> chain;
  const internal::BioPtr in = ReadFrom(pem);
  ERR_clear_error();
  while (true) {
    X509Ptr next(PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr));
    if (next == nullptr) break;
    chain.push_back(std::move(next));
    if (chain.size() > kChainMax) {
      return Invalid("must have at most 16 certificates");
    }
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  const std::string error = TakeError();
  if (chain.empty() && at_end) return Invalid("must be a certificate in PEM, has none");
  if (!at_end) {
    return Invalid("certificate " + std::to_string(chain.size() + 1) + " cannot be read: " + error);
  }
  return chain;
}

absl::StatusOr<KeyPtr> ReadKey(std::string_view pem) {
  bool asked = false;
  ERR_clear_error();
  KeyPtr key(PEM_read_bio_PrivateKey(ReadFrom(pem).get(), nullptr, NoPassword, &asked));
  const std::string error = TakeError();
  if (key != nullptr) return key;
  if (asked) return Invalid("must not be encrypted");
  // OpenSSL says "unsupported" of whatever is no key.
  if (pem.find("PRIVATE KEY-----") == pem.npos)
    return Invalid("must be a private key in PEM, has none");
  return Invalid("cannot be read: " + error);
}

// What TLS can do with the key; an error says why nothing.
absl::StatusOr<Certificate::KeyType> TypeOf(EVP_PKEY* key) {
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
      if (EVP_PKEY_get_bits(key) < kRsaBitsMin) {
        return Invalid("must be an RSA key of at least 2048 bits, has " +
                       std::to_string(EVP_PKEY_get_bits(key)));
      }
      return Certificate::KeyType::kRsa;
    case EVP_PKEY_EC: {
      char curve[64] = "";
      EVP_PKEY_get_group_name(key, curve, sizeof(curve), nullptr);
      const std::string_view name(curve);
      if (name != "prime256v1" && name != "secp384r1" && name != "secp521r1") {
        return Invalid("must be of the curve P-256, P-384 or P-521, is of " + std::string(name));
      }
      return Certificate::KeyType::kEcdsa;
    }
    case EVP_PKEY_ED25519:
      return Certificate::KeyType::kEd25519;
    default:
      return Invalid("must be an RSA, ECDSA or Ed25519 key");
  }
}

// Signatures that no client should believe any more. A root's own is not looked at by anybody.
absl::Status CheckSignature(X509* certificate, size_t index) {
  if (X509_self_signed(certificate, 0) == 1 && index > 0) return absl::OkStatus();
  int digest = NID_undef;
  X509_get_signature_info(certificate, &digest, nullptr, nullptr, nullptr);
  if (digest != NID_md5 && digest != NID_sha1) return absl::OkStatus();
  return Invalid("certificate " + std::to_string(index + 1) +
                 " must not be signed with MD5 or SHA-1");
}

// A hostname, or a wildcard for its first label.
bool IsName(std::string_view text) {
  if (text.starts_with("*.")) text.remove_prefix(2);
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '.' || c == '_';
  });
}

std::string AddressText(const ASN1_OCTET_STRING* address) {
  const int family = ASN1_STRING_length(address) == 4 ? AF_INET : AF_INET6;
  if (family == AF_INET6 && ASN1_STRING_length(address) != 16) return "";
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(family, ASN1_STRING_get0_data(address), text, sizeof(text));
  return text;
}

std::vector<std::string> NamesOf(X509* leaf) {
  std::vector<std::string> names;
  const internal::GeneralNamesPtr alternatives(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(leaf, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; alternatives != nullptr && i < sk_GENERAL_NAME_num(alternatives.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(alternatives.get(), i);
    if (name->type == GEN_DNS) {
      const std::string_view text(
          reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
          static_cast<size_t>(ASN1_STRING_length(name->d.dNSName)));
      if (IsName(text)) names.push_back(ToLower(text));
    } else if (name->type == GEN_IPADD) {
      std::string address = AddressText(name->d.iPAddress);
      if (!address.empty()) names.push_back(std::move(address));
    }
  }
  return names;
}

class ParsedCertificate final : public Certificate {
 public:
  ParsedCertificate(std::vector<X509Ptr> certificates, KeyPtr key, KeyType key_type)
      : certificates_(std::move(certificates)), key_(std::move(key)), key_type_(key_type) {
    for (size_t i = 0; i < certificates_.size(); ++i) {
      X509* const each = certificates_[i].get();
      const int64_t begins = internal::UnixSeconds(X509_get0_notBefore(each));
      const int64_t ends = internal::UnixSeconds(X509_get0_notAfter(each));
      not_before_unix_s_ = i == 0 ? begins : std::max(not_before_unix_s_, begins);
      not_after_unix_s_ = i == 0 ? ends : std::min(not_after_unix_s_, ends);
      if (i > 0) chain_.push_back(each);
    }
    names_ = NamesOf(leaf());
    subject_ = internal::NameText(X509_get_subject_name(leaf()));
    issuer_ = internal::NameText(X509_get_issuer_name(leaf()));
    fingerprint_ = internal::FingerprintOf(leaf());
  }

  const std::vector<std::string>& names() const override { return names_; }
  KeyType key_type() const override { return key_type_; }
  const std::string& subject() const override { return subject_; }
  const std::string& issuer() const override { return issuer_; }
  int64_t not_before_unix_s() const override { return not_before_unix_s_; }
  int64_t not_after_unix_s() const override { return not_after_unix_s_; }
  const std::string& fingerprint() const override { return fingerprint_; }
  x509_st* leaf() const override { return certificates_.front().get(); }
  const std::vector<x509_st*>& chain() const override { return chain_; }
  evp_pkey_st* key() const override { return key_.get(); }

 private:
  const std::vector<X509Ptr> certificates_;  // the leaf first
  const KeyPtr key_;
  const KeyType key_type_;
  std::vector<x509_st*> chain_;
  std::vector<std::string> names_;
  std::string subject_;
  std::string issuer_;
  std::string fingerprint_;
  int64_t not_before_unix_s_ = 0;
  int64_t not_after_unix_s_ = 0;
};

absl::Status Of(const char* part, const absl::Status& status) {
  return Invalid(std::string(part) + ": " + std::string(status.message()));
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Certificate>> Certificate::Parse(std::string_view chain_pem,
                                                                      std::string_view key_pem) {
  absl::StatusOr<std::vector<X509Ptr>> chain = ReadChain(chain_pem);
  if (!chain.ok()) return Of("tls.crt", chain.status());
  absl::StatusOr<KeyPtr> key = ReadKey(key_pem);
  if (!key.ok()) return Of("tls.key", key.status());
  const absl::StatusOr<KeyType> type = TypeOf(key->get());
  if (!type.ok()) return Of("tls.key", type.status());
  for (size_t i = 0; i < chain->size(); ++i) {
    X509* const each = (*chain)[i].get();
    std::tm parts{};
    if (ASN1_TIME_to_tm(X509_get0_notBefore(each), &parts) != 1 ||
        ASN1_TIME_to_tm(X509_get0_notAfter(each), &parts) != 1) {
      return Invalid("tls.crt: certificate " + std::to_string(i + 1) + " has a date that is none");
    }
    if (const absl::Status signature = CheckSignature(each, i); !signature.ok()) {
      return Of("tls.crt", signature);
    }
    if (i > 0 && X509_check_issued(each, (*chain)[i - 1].get()) != X509_V_OK) {
      return Invalid("tls.crt: certificate " + std::to_string(i + 1) +
                     " must be the issuer of the one before it");
    }
  }
  ERR_clear_error();
  if (X509_check_private_key(chain->front().get(), key->get()) != 1) {
    ERR_clear_error();
    return Invalid("tls.key: must be the key of the first certificate of tls.crt");
  }
  auto parsed =
      std::make_shared<const ParsedCertificate>(*std::move(chain), *std::move(key), *type);
  // A weak certificate further up is found here, and not when a listener is made of it.
  const absl::Status used =
      internal::UseCertificate(internal::NewContext(TLS_server_method()).get(), *parsed);
  if (!used.ok()) return Of("tls.crt", used);
  return parsed;
}

std::string Certificate::FaultAt(int64_t unix_s) const {
  if (unix_s < not_before_unix_s()) {
    return "not valid before " + UtcText(not_before_unix_s());
  }
  if (unix_s > not_after_unix_s()) return "expired on " + UtcText(not_after_unix_s());
  return "";
}

}  // namespace gw
