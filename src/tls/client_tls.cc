#include "tls/client_tls.h"

#include <list>
#include <unordered_map>
#include <utility>

#include "base/check.h"
#include "base/mutex.h"
#include "tls/contexts.h"
#include "tls/openssl.h"

namespace gw {
namespace {

using internal::SslContextPtr;
using internal::SslSessionPtr;

// The other end of a connection.
struct Server {
  std::string session_key;
  std::string ip;
};

int ConnectionIndex() {
  static const int index = SSL_get_ex_new_index(
      0, nullptr, nullptr, nullptr, [](void*, void* server, CRYPTO_EX_DATA*, int, long, void*) {
        delete static_cast<Server*>(server);
      });
  return index;
}

Server* ServerOf(const SSL* ssl) {
  return static_cast<Server*>(SSL_get_ex_data(ssl, ConnectionIndex()));
}

int ContextIndex() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

bool HasUri(X509* leaf, const std::string& uri) {
  const internal::GeneralNamesPtr names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(leaf, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_URI) continue;
    const ASN1_IA5STRING* const text = name->d.uniformResourceIdentifier;
    const std::string_view found(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                                 static_cast<size_t>(ASN1_STRING_length(text)));
    if (found == uri) return true;
  }
  return false;
}

bool IsAddress(const std::string& name) {
  ASN1_OCTET_STRING* const address = a2i_IPADDRESS(name.c_str());
  ASN1_OCTET_STRING_free(address);
  ERR_clear_error();
  return address != nullptr;
}

// The last session of each server, the least recently used ones forgotten. Thread-safe.
class Sessions {
 public:
  explicit Sessions(size_t most) : most_(most) {}

  void Put(const std::string& key, SslSessionPtr session) {
    const MutexLock lock(mutex_);
    if (const auto found = places_.find(key); found != places_.end()) Erase(found->second);
    order_.push_front({key, std::move(session)});
    places_[key] = order_.begin();
    if (order_.size() > most_) Erase(std::prev(order_.end()));
  }

  // It stays for the next connection, which may come before this one has got another: that an
  // onlooker can link them (RFC 8446 C.4) tells nothing between a gateway and its endpoints.
  SslSessionPtr Get(const std::string& key) {
    const MutexLock lock(mutex_);
    const auto found = places_.find(key);
    if (found == places_.end()) return nullptr;
    order_.splice(order_.begin(), order_, found->second);
    SSL_SESSION* const session = found->second->session.get();
    if (SSL_SESSION_is_resumable(session) != 1) return nullptr;
    // A copy: OpenSSL makes those of TLS 1.3 useless with their first use.
    return SslSessionPtr(SSL_SESSION_dup(session));
  }

 private:
  struct Entry {
    std::string key;
    SslSessionPtr session;
  };
  using Order = std::list<Entry>;

  void Erase(Order::iterator at) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    places_.erase(at->key);
    order_.erase(at);
  }

  const size_t most_;
  Mutex mutex_;
  Order order_ ABSL_GUARDED_BY(mutex_);
  std::unordered_map<std::string, Order::iterator> places_ ABSL_GUARDED_BY(mutex_);
};

class BuiltClientTls final : public ClientTls {
 public:
  explicit BuiltClientTls(Options options)
      : options_(std::move(options)), sessions_(options_.sessions_max) {}

  absl::Status Build() {
    context_ = internal::NewContext(TLS_client_method());
    SSL_CTX* const raw = context_.get();
    CHECK(SSL_CTX_set_ex_data(raw, ContextIndex(), this) == 1);
    SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_sess_set_new_cb(raw, &BuiltClientTls::OnSession);
    if (options_.trust == nullptr) {
      SSL_CTX_set_verify(raw, SSL_VERIFY_NONE, nullptr);
    } else {
      CHECK(SSL_CTX_set1_verify_cert_store(raw, options_.trust->store()) == 1);
      SSL_CTX_set_verify(raw, SSL_VERIFY_PEER, nullptr);
      SSL_CTX_set_cert_verify_callback(raw, &BuiltClientTls::OnVerify, this);
    }
    if (options_.certificate != nullptr) {
      RETURN_IF_ERROR(internal::UseCertificate(raw, *options_.certificate));
    }
    const std::string wire = internal::ProtocolsOnWire(options_.protocols);
    CHECK(SSL_CTX_set_alpn_protos(raw, reinterpret_cast<const unsigned char*>(wire.data()),
                                  static_cast<unsigned int>(wire.size())) == 0);
    return absl::OkStatus();
  }

  const Options& options() const override { return options_; }
  ssl_ctx_st* context() const override { return context_.get(); }

  void Prepare(ssl_st* ssl, const std::string& session_key,
               const std::string& server_ip) const override {
    CHECK(SSL_set_ex_data(ssl, ConnectionIndex(), new Server{session_key, server_ip}) == 1);
    // An address is no name that may be asked for (RFC 6066 3).
    if (!options_.server_name.empty() && !IsAddress(options_.server_name)) {
      SSL_set_tlsext_host_name(ssl, options_.server_name.c_str());
    }
    const SslSessionPtr session = sessions_.Get(session_key);
    if (session != nullptr) SSL_set_session(ssl, session.get());
  }

 private:
  static int OnSession(SSL* ssl, SSL_SESSION* session) {
    auto* const self =
        static_cast<BuiltClientTls*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), ContextIndex()));
    const Server* const server = ServerOf(ssl);
    if (self == nullptr || server == nullptr) return 0;
    self->sessions_.Put(server->session_key, SslSessionPtr(session));
    return 1;  // it is ours now
  }

  static int OnVerify(X509_STORE_CTX* check, void* self) {
    return static_cast<const BuiltClientTls*>(self)->Verify(check) ? 1 : 0;
  }

  // The chain, and then the names: OpenSSL's own check of names knows no URIs.
  bool Verify(X509_STORE_CTX* check) const {
    if (X509_verify_cert(check) != 1) return false;
    X509* const leaf = X509_STORE_CTX_get0_cert(check);
    const auto has_host = [leaf](const std::string& name) {
      return X509_check_host(leaf, name.data(), name.size(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS,
                             nullptr) == 1 ||
             X509_check_ip_asc(leaf, name.c_str(), 0) == 1;
    };
    if (options_.server_name.empty() && options_.alt_names.empty()) {
      const auto* const ssl = static_cast<const SSL*>(
          X509_STORE_CTX_get_ex_data(check, SSL_get_ex_data_X509_STORE_CTX_idx()));
      if (X509_check_ip_asc(leaf, ServerOf(ssl)->ip.c_str(), 0) == 1) return true;
      X509_STORE_CTX_set_error(check, X509_V_ERR_IP_ADDRESS_MISMATCH);
      return false;
    }
    bool fits = options_.alt_names.empty() && has_host(options_.server_name);
    for (const AltName& name : options_.alt_names) {
      fits |= name.type == AltName::Type::kUri ? HasUri(leaf, name.value) : has_host(name.value);
    }
    if (!fits) X509_STORE_CTX_set_error(check, X509_V_ERR_HOSTNAME_MISMATCH);
    return fits;
  }

  const Options options_;
  SslContextPtr context_;
  mutable Sessions sessions_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<const ClientTls>> ClientTls::New(Options options) {
  auto built = std::make_shared<BuiltClientTls>(std::move(options));
  RETURN_IF_ERROR(built->Build());
  return std::shared_ptr<const ClientTls>(std::move(built));
}

}  // namespace gw
