// EndpointAccess: how the endpoints of one pool are spoken to, besides where they are.

#pragma once

#include <memory>
#include <optional>
#include <string>

#include "tls/client_tls.h"

namespace gw {

struct EndpointAccess {
  // A field that everything the gateway asks of them carries: requests, scrapes, probes and
  // questions for their models. It takes the place of the client's own field of that name.
  struct Credential {
    std::string field = "authorization";  // lower case
    std::string value = {};               // never logged or shown

    bool operator==(const Credential&) const = default;
  };

  // True: they are not spoken to at all, since what is wanted for it is missing or wrong.
  bool closed = false;
  std::shared_ptr<const ClientTls> tls = nullptr;  // nullptr: plain HTTP
  std::optional<Credential> credential = {};
  std::string authority = {};    // Host in place of the client's; empty: the client's
  std::string path_prefix = {};  // before every path that is asked for; "" or "/v1beta"

  // Somebody else serves there: it is told nothing of who asks, and of clients' own credentials
  // none beside ours.
  bool elsewhere = false;

  bool operator==(const EndpointAccess&) const = default;
};

// Of two pools, or of one before and after a change.
inline bool SameAccess(const std::shared_ptr<const EndpointAccess>& a,
                       const std::shared_ptr<const EndpointAccess>& b) {
  return a == b || (a != nullptr && b != nullptr && *a == *b);
}

}  // namespace gw
