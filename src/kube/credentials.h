// Credentials: how the gateway proves to an API server who it is, and whom it believes. They
// change while it runs: a projected token is renewed every hour, a plug-in is asked again.
//
// On the thread that asks the API server; Get may read files and run a plug-in, and blocks then.

#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "tls/client_tls.h"

namespace gw::kube {

struct Credential {
  std::string authorization;             // that field: "Bearer ...", "Basic ..."; "": none is sent
  std::shared_ptr<const ClientTls> tls;  // nullptr: plain (http://)
};

class Credentials {
 public:
  virtual ~Credentials() = default;

  // What the next request is sent with. The error names the file or plug-in and what is wrong; the
  // ClientTls is the same object as long as nothing of it has changed, so that connections are
  // reused.
  virtual absl::StatusOr<Credential> Get() = 0;
  // The server answered 401 to what Get gave last: it is read, or asked for, anew.
  virtual void Refused() = 0;
};

}  // namespace gw::kube
