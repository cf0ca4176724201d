#include "tls/server_tls.h"

#include <array>
#include <map>
#include <set>
#include <utility>

#include "base/check.h"
#include "tls/contexts.h"
#include "tls/openssl.h"
#include "tls/server_name.h"

namespace gw {
namespace {

using internal::FitsName;
using internal::SslContextPtr;

using Certificates = std::vector<std::shared_ptr<const Certificate>>;

// Of one listener: a context for each name that a certificate of its has, and one for all others.
struct ListenerContexts {
  std::map<std::string, SSL_CTX*, std::less<>> by_name;
  SSL_CTX* otherwise = nullptr;

  SSL_CTX* For(std::string_view name) const {
    if (const auto exact = by_name.find(name); exact != by_name.end()) return exact->second;
    // A certificate's wildcard stands for one label.
    const size_t dot = name.find('.');
    if (dot != name.npos) {
      const auto wildcard = by_name.find("*" + std::string(name.substr(dot)));
      if (wildcard != by_name.end()) return wildcard->second;
    }
    return otherwise;
  }
};

// One of each type of key, the first.
Certificates FirstOfEachType(const Certificates& all) {
  Certificates chosen;
  std::set<Certificate::KeyType> types;
  for (const auto& certificate : all) {
    if (types.insert(certificate->key_type()).second) chosen.push_back(certificate);
  }
  return chosen;
}

// Where a connection keeps the name that its client asks for.
int NameIndex() {
  static const int index = SSL_get_ex_new_index(
      0, nullptr, nullptr, nullptr, [](void*, void* name, CRYPTO_EX_DATA*, int, long, void*) {
        delete static_cast<std::string*>(name);
      });
  return index;
}

class BuiltServerTls final : public ServerTls {
 public:
  explicit BuiltServerTls(Options options)
      : options_(std::move(options)), protocols_(internal::ProtocolsOnWire(options_.protocols)) {}

  absl::Status Build(TicketKeys& tickets) {
    ASSIGN_OR_RETURN(first_, NewContext("", {}, tickets));
    SSL_CTX_set_client_hello_cb(first_.get(), &BuiltServerTls::OnClientHello, this);
    for (const TlsListener& listener : options_.listeners) {
      if (listener.certificates.empty()) {
        return absl::InvalidArgumentError("listener " + listener.hostname + " has no certificate");
      }
      RETURN_IF_ERROR(AddListener(listener, tickets));
    }
    return absl::OkStatus();
  }

  const Options& options() const override { return options_; }
  ssl_ctx_st* context() const override { return first_.get(); }
  const std::string* ListenerFor(std::string_view server_name) const override {
    const TlsListener* listener = Find(server_name);
    return listener == nullptr ? nullptr : &listener->hostname;
  }

 private:
  absl::Status AddListener(const TlsListener& listener, TicketKeys& tickets) {
    ListenerContexts& contexts = by_listener_[&listener];
    std::map<std::string, Certificates> by_name;
    for (const auto& certificate : listener.certificates) {
      for (const std::string& name : certificate->names()) by_name[name].push_back(certificate);
    }
    // Certificates with many names stand behind one context.
    std::map<Certificates, SSL_CTX*> made;
    const auto context_of = [&](const Certificates& certificates) -> absl::StatusOr<SSL_CTX*> {
      const Certificates chosen = FirstOfEachType(certificates);
      SSL_CTX*& context = made[chosen];
      if (context == nullptr) {
        ASSIGN_OR_RETURN(SslContextPtr fresh, NewContext(listener.hostname, chosen, tickets));
        context = contexts_.emplace_back(std::move(fresh)).get();
      }
      return context;
    };
    for (const auto& [name, certificates] : by_name) {
      ASSIGN_OR_RETURN(contexts.by_name[name], context_of(certificates));
    }
    ASSIGN_OR_RETURN(contexts.otherwise, context_of(listener.certificates));
    return absl::OkStatus();
  }

  absl::StatusOr<SslContextPtr> NewContext(const std::string& hostname,
                                           const Certificates& certificates, TicketKeys& tickets) {
    SslContextPtr context = internal::NewContext(TLS_server_method());
    SSL_CTX* const raw = context.get();
    // Sessions are in their tickets, for any worker to read.
    SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(raw, 1);
    tickets.UseIn(raw);
    for (const auto& certificate : certificates) {
      RETURN_IF_ERROR(internal::UseCertificate(raw, *certificate));
    }
    SSL_CTX_set_alpn_select_cb(raw, &BuiltServerTls::OnProtocols, this);
    SetSessionId(raw, hostname);
    SetClientValidation(raw);
    return context;
  }

  // Who has shown one listener no certificate, or another one, does not resume at this one.
  void SetSessionId(SSL_CTX* context, const std::string& hostname) const {
    const ClientValidation& clients = options_.client_validation;
    const std::string identity = hostname + "\n" + std::to_string(static_cast<int>(clients.mode)) +
                                 "\n" +
                                 (clients.trust == nullptr ? "" : clients.trust->fingerprint());
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
    unsigned int bytes = 0;
    CHECK(EVP_Digest(identity.data(), identity.size(), digest.data(), &bytes, EVP_sha256(),
                     nullptr) == 1);
    CHECK(SSL_CTX_set_session_id_context(context, digest.data(), bytes) == 1);
  }

  void SetClientValidation(SSL_CTX* context) const {
    const ClientValidation& clients = options_.client_validation;
    if (clients.mode == ClientValidation::Mode::kNone) return;
    CHECK(SSL_CTX_set1_verify_cert_store(context, clients.trust->store()) == 1);
    if (clients.mode == ClientValidation::Mode::kAllowValidOnly) {
      SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    } else {
      // Whoever asks later learns from SSL_get_verify_result what it is worth.
      SSL_CTX_set_verify(context, SSL_VERIFY_PEER, [](int, X509_STORE_CTX*) { return 1; });
    }
  }

  // The most specific one that fits. RFC 6066 leaves a client without a name to us.
  const TlsListener* Find(std::string_view name) const {
    const TlsListener* best = nullptr;
    for (const TlsListener& listener : options_.listeners) {
      const bool fits =
          name.empty() ? listener.hostname == "*" : FitsName(listener.hostname, name, true);
      if (!fits) continue;
      if (!listener.hostname.starts_with('*')) return &listener;
      if (best == nullptr || listener.hostname.size() > best->hostname.size()) best = &listener;
    }
    return best;
  }

  static int OnClientHello(SSL* ssl, int* alert, void* self) {
    return static_cast<const BuiltServerTls*>(self)->Choose(ssl, alert);
  }

  // Before anything else of the hello is acted on, a resumed session too.
  int Choose(SSL* ssl, int* alert) const {
    const unsigned char* data = nullptr;
    size_t bytes = 0;
    std::string name;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &data, &bytes) == 1 &&
        !internal::ParseServerName({data, bytes}, &name)) {
      *alert = SSL_AD_DECODE_ERROR;
      return SSL_CLIENT_HELLO_ERROR;
    }
    const TlsListener* const listener = Find(name);
    if (listener == nullptr) {
      *alert = SSL_AD_UNRECOGNIZED_NAME;
      return SSL_CLIENT_HELLO_ERROR;
    }
    SSL_CTX* const context = by_listener_.at(listener).For(name);
    CHECK(SSL_set_ex_data(ssl, NameIndex(), new std::string(std::move(name))) == 1);
    // What the first context was asked about clients stands in the connection already.
    return SSL_set_SSL_CTX(ssl, context) == context ? SSL_CLIENT_HELLO_SUCCESS
                                                    : SSL_CLIENT_HELLO_ERROR;
  }

  static int OnProtocols(SSL*, const unsigned char** chosen, unsigned char* chosen_bytes,
                         const unsigned char* offered, unsigned int offered_bytes, void* self) {
    const std::string& ours = static_cast<const BuiltServerTls*>(self)->protocols_;
    unsigned char* found = nullptr;
    const int result = SSL_select_next_proto(
        &found, chosen_bytes, reinterpret_cast<const unsigned char*>(ours.data()),
        static_cast<unsigned int>(ours.size()), offered, offered_bytes);
    if (result != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
    *chosen = found;
    return SSL_TLSEXT_ERR_OK;
  }

  const Options options_;
  const std::string protocols_;  // as ALPN has them
  SslContextPtr first_;          // without a certificate: the hello chooses another one
  std::vector<SslContextPtr> contexts_;
  std::map<const TlsListener*, ListenerContexts> by_listener_;
};

}  // namespace

std::string_view ServerTls::NameAskedFor(const ssl_st* ssl) {
  const auto* const name = static_cast<const std::string*>(SSL_get_ex_data(ssl, NameIndex()));
  return name == nullptr ? std::string_view() : std::string_view(*name);
}

absl::StatusOr<std::shared_ptr<const ServerTls>> ServerTls::New(Options options,
                                                                TicketKeys& tickets) {
  auto built = std::make_shared<BuiltServerTls>(std::move(options));
  RETURN_IF_ERROR(built->Build(tickets));
  return std::shared_ptr<const ServerTls>(std::move(built));
}

}  // namespace gw
