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

  std::shared_ptr<const ClientTls> tls = nullptr;  // nullptr: plain HTTP
  std::optional<Credential> credential = {};
  std::string authority = {};    // Host in place of the client's; empty: the client's
  std::string path_prefix = {};  // before every path that is asked for; "" or "/v1beta"

  bool operator==(const EndpointAccess&) const = default;
};

}  // namespace gw
