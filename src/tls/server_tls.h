// ServerTls: how TLS is terminated at one address and port: which listener a client means by the
// name it asks for (SNI, RFC 6066 3), and which certificate it is shown. Built once per change of
// certificates or listeners, immutable, shared by all workers; connections keep the one they began
// with.
//
// TLS 1.2 and 1.3, forward secrecy only (ECDHE with AES-GCM or ChaCha20-Poly1305), no compression,
// no renegotiation, no early data. Session tickets (tls/ticket_keys.h).

#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "tls/certificate.h"
#include "tls/ticket_keys.h"
#include "tls/trust.h"

struct ssl_ctx_st;
struct ssl_st;

namespace gw {

// Whether a client has to show a certificate (Gateway API v1.6, spec.tls.frontend).
struct ClientValidation {
  enum class Mode : uint8_t {
    kNone,                   // it is not asked
    kAllowValidOnly,         // it must, and it must lead to `trust`
    kAllowInsecureFallback,  // it is asked; none, or one that does not lead there, goes through
  };
  Mode mode = Mode::kNone;
  std::shared_ptr<const Trust> trust = nullptr;  // unless kNone

  bool operator==(const ClientValidation&) const = default;
};

// One HTTPS listener of a Gateway on that address and port.
struct TlsListener {
  std::string hostname;  // "a.example.com", "*.example.com"; "*" for any
  // At least one. Of those that fit the name (exactly before by a wildcard, else the first) one of
  // each type of key is offered, the first in this order.
  std::vector<std::shared_ptr<const Certificate>> certificates;

  bool operator==(const TlsListener&) const = default;
};

class ServerTls {
 public:
  struct Options {
    std::vector<TlsListener> listeners = {};  // distinct hostnames
    ClientValidation client_validation = {};
    std::vector<std::string> protocols = {"http/1.1"};  // ALPN, best first

    bool operator==(const Options&) const = default;
  };

  // `tickets` outlive it.
  static absl::StatusOr<std::shared_ptr<const ServerTls>> New(Options options, TicketKeys& tickets);
  virtual ~ServerTls() = default;

  virtual const Options& options() const = 0;
  // What a handshake begins with; its callbacks choose by the name the client sends. A name that no
  // listener has ends in the alert unrecognized_name; no name goes to the listener for any, or to
  // the same alert.
  virtual ssl_ctx_st* context() const = 0;
  // Of a connection that was made from the context, once its client has said hello: the name it
  // asks for, lower case; "" if none. OpenSSL's own says that of the session that is resumed.
  static std::string_view NameAskedFor(const ssl_st* ssl);
  // The hostname of the listener that a client with this name gets; nullptr: none.
  virtual const std::string* ListenerFor(std::string_view server_name) const = 0;
};

}  // namespace gw
