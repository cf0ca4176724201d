// A blocking HTTP request to a running gateway's admin port, for the commands that ask it
// something.

#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/status.h"
#include "net/address.h"
#include "tls/client_tls.h"

namespace gw {

struct AdminAnswer {
  int status = 0;
  std::string content_type;
  std::string body;
};

// Where it is asked, and how.
struct AdminTarget {
  // NOLINTNEXTLINE(google-explicit-constructor): most often it is an address and no more
  AdminTarget(SocketAddress address_in, std::shared_ptr<const ClientTls> tls_in = nullptr,
              std::string token_in = "")
      : address(address_in), tls(std::move(tls_in)), token(std::move(token_in)) {}

  SocketAddress address;
  std::shared_ptr<const ClientTls> tls;  // nullptr: plain
  std::string token;                     // "": none
};

inline constexpr size_t kAdminAnswerBytesMax = 256 << 20;

// Connects, sends "GET target", reads the whole answer, all within `timeout`. Any HTTP status is an
// answer. Errors: Unavailable (no connection, no handshake, or it broke), DeadlineExceeded,
// ResourceExhausted (body over kAdminAnswerBytesMax), Internal (not HTTP).
absl::StatusOr<AdminAnswer> AdminGet(const AdminTarget& where, std::string_view target,
                                     Duration timeout = std::chrono::seconds(10));
// The same with PUT, for what changes something; without a body.
absl::StatusOr<AdminAnswer> AdminPut(const AdminTarget& where, std::string_view target,
                                     Duration timeout = std::chrono::seconds(10));

}  // namespace gw
