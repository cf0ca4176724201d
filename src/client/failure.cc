#include "client/failure.h"

namespace gw {

std::string_view NameOf(ClientFailure failure) {
  switch (failure) {
    case ClientFailure::kConnectRefused:
      return "connect_refused";
    case ClientFailure::kConnectTimeout:
      return "connect_timeout";
    case ClientFailure::kTlsHandshake:
      return "tls_handshake";
    case ClientFailure::kUnreachable:
      return "unreachable";
    case ClientFailure::kLocalResources:
      return "local_resources";
    case ClientFailure::kStaleConnection:
      return "stale_connection";
    case ClientFailure::kClosed:
      return "closed";
    case ClientFailure::kBadResponse:
      return "bad_response";
    case ClientFailure::kTimeout:
      return "timeout";
  }
  return "unknown";
}

}  // namespace gw
