// ClientTls: how the gateway speaks TLS to a server: whom it asks for, and what it believes
// (BackendTLSPolicy). Immutable but for the sessions it keeps to resume, which are locked.

#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "tls/certificate.h"
#include "tls/trust.h"

struct ssl_ctx_st;
struct ssl_st;

namespace gw {

class ClientTls {
 public:
  // A name that the server's certificate may carry in place of its hostname.
  struct AltName {
    enum class Type : uint8_t { kHostname, kUri };
    Type type = Type::kHostname;
    std::string value;

    bool operator==(const AltName&) const = default;
  };
  struct Options {
    // SNI, and the name that must be in the certificate. Empty: none is asked for, and the address
    // that was connected to must be in it.
    std::string server_name = {};
    // If there are any, one of these must be in it, and the server_name is SNI alone.
    std::vector<AltName> alt_names = {};
    std::shared_ptr<const Trust> trust = nullptr;  // nullptr: whatever certificate it shows
    std::shared_ptr<const Certificate> certificate = nullptr;  // our own, if the server asks
    std::vector<std::string> protocols = {"http/1.1"};
    size_t sessions_max = 1024;  // servers whose last session is kept

    bool operator==(const Options&) const = default;
  };
  static absl::StatusOr<std::shared_ptr<const ClientTls>> New(Options options);
  virtual ~ClientTls() = default;

  virtual const Options& options() const = 0;
  virtual ssl_ctx_st* context() const = 0;
  // Of a connection that was made from the context, before its handshake: whom it asks for, and
  // the session that it resumes if there is one. `session_key`: what sessions are kept under.
  // `server_ip`: of the other end.
  virtual void Prepare(ssl_st* ssl, const std::string& session_key,
                       const std::string& server_ip) const = 0;
};

}  // namespace gw
