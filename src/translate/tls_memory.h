// TlsMemory: what of TLS outlives one translation. Certificates and authorities are parsed once per
// content; of each the last good one stays, so that a renewal that went wrong takes no listener
// down; and the ServerTls of an address and port, and the ClientTls of what endpoints are spoken to
// by, are the same ones while nothing of them changes: connections and sessions stay.

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "api/core.h"
#include "base/status.h"
#include "snapshot/snapshot.h"
#include "tls/certificate.h"
#include "tls/client_tls.h"
#include "tls/server_tls.h"
#include "tls/trust.h"
#include "translate/translate.h"

namespace gw::internal {

// What a certificate is made of, and what its owner has against it before anybody looks inside.
struct CertificateText {
  std::string chain_pem;
  std::string key_pem;
  std::string fault;

  bool operator==(const CertificateText&) const = default;
};

// One thread at a time.
class TlsMemory {
 public:
  struct CertificateRead {
    std::shared_ptr<const Certificate> served;  // the newest or, if that is bad, the last good one
    std::string fault;                          // of the newest; "": it is the one that is served
  };
  // `source` names where it comes from: "Secret default/cert". One that is served already goes on
  // being served when it expires. `now_unix_s`: 0 if dates are not looked at.
  CertificateRead ReadCertificate(const std::string& source, const CertificateText& text,
                                  int64_t now_unix_s);

  struct AuthoritiesRead {
    std::string pem;    // the newest or the last good; "": there is none
    std::string fault;  // of the newest
  };
  AuthoritiesRead ReadAuthorities(const std::string& source, const std::string& pem);
  // REQUIRES: made of what ReadAuthorities gave, one behind the other
  std::shared_ptr<const Trust> TrustOf(const std::string& pem);

  // The authorities that the machine trusts, read at the first call; one that fails is made again.
  absl::StatusOr<std::shared_ptr<const Trust>> SystemTrust(const TranslateOptions& options);

  // `key`: whose it is, such as "BackendTLSPolicy default/tls". REQUIRES: nobody else has that key
  absl::StatusOr<std::shared_ptr<const ClientTls>> ClientOf(const std::string& key,
                                                            ClientTls::Options options);
  absl::StatusOr<std::shared_ptr<const ServerTls>> ServerOf(const ListenerKey& key,
                                                            ServerTls::Options options,
                                                            TicketKeys& tickets);

  // The next time after `now_unix_s` at which some certificate begins or ceases to be valid; 0:
  // there is none.
  int64_t NextChangeAfter(int64_t now_unix_s) const;
  // Forgets what nobody asked for since the last call: what was deleted has no last good version.
  void ForgetUnused();

 private:
  struct CertificateEntry {
    CertificateText text;
    std::shared_ptr<const Certificate> newest;  // nullptr: bad
    std::string fault;                          // why it is bad
    std::shared_ptr<const Certificate> last_good;
    bool used = false;
  };
  struct AuthoritiesEntry {
    std::string newest;
    std::string fault;
    std::string last_good;
    bool used = false;
  };
  template <typename T>
  struct Kept {
    std::shared_ptr<const T> value;
    bool used = false;
  };

  std::map<std::string, CertificateEntry> certificates_;
  std::map<std::string, AuthoritiesEntry> authorities_;
  std::map<std::string, Kept<Trust>> trusts_;  // by their PEM
  std::shared_ptr<const Trust> system_trust_;
  std::map<std::string, Kept<ClientTls>> clients_;
  std::map<ListenerKey, Kept<ServerTls>> servers_;
};

}  // namespace gw::internal
