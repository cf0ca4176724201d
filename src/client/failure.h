// Why a request to a server came to no whole answer, by name, whatever the protocol.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gw {

enum class ClientFailure : uint8_t {
  kConnectRefused,   // nobody listens there
  kConnectTimeout,   // no answer to the attempt to connect, or to the handshake behind it
  kTlsHandshake,     // no terms were agreed on, or its certificate is not believed
  kUnreachable,      // no way there from this machine: nothing against the server
  kLocalResources,   // no descriptor, port or memory for a connection here
  kStaleConnection,  // a kept-alive connection was closed as it was used again
  kClosed,           // closed or reset before the answer was complete
  kBadResponse,      // not HTTP, or over a limit of its head
  kTimeout,          // no first byte of the body, or later no further one, in time
};
std::string_view NameOf(ClientFailure failure);  // "connect_refused"

struct ClientError {
  ClientFailure failure;
  // Every byte of the request was handed to the connection, so that whoever is at its other end may
  // have acted on it.
  bool sent_whole = false;
  int error_number = 0;     // errno behind it, or 0
  std::string detail = {};  // of kTlsHandshake: what OpenSSL says of it
};

}  // namespace gw
