// TlsSource: the TLS that an API server is spoken to with, made anew only when the authorities or
// our own certificate have become others, so that connections are reused until then.
//
// One thread.

#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "tls/client_tls.h"

namespace gw::kube {

// PEM, and what errors call it.
struct NamedPem {
  std::string name;
  std::string pem;

  bool operator==(const NamedPem&) const = default;
};

class TlsSource {
 public:
  struct Texts {
    NamedPem ca;           // "": those that the machine trusts
    NamedPem certificate;  // our own; "": none
    NamedPem key;

    bool operator==(const Texts&) const = default;
  };

  // `insecure`: whatever certificate the server shows.
  TlsSource(std::string server_name, bool insecure);

  // An error if what the texts say is no TLS; but if there was one before, that goes on, with a
  // warning in the log: certificate and key are two files, and are not replaced at once.
  absl::StatusOr<std::shared_ptr<const ClientTls>> Get(const Texts& texts);

 private:
  absl::StatusOr<std::shared_ptr<const ClientTls>> Build(const Texts& texts);
  absl::StatusOr<std::shared_ptr<const Trust>> TrustOf(const NamedPem& ca);

  const std::string server_name_;
  const bool insecure_;
  std::shared_ptr<const Trust> system_;  // read once: the machine's list is hundreds of authorities
  Texts texts_;                          // the last that were tried
  std::shared_ptr<const ClientTls> tls_;
};

}  // namespace gw::kube
