// Who is let in at the admin port, as flags say it.

#pragma once

#include <string>

#include "admin/admin_server.h"
#include "base/status.h"
#include "net/address.h"
#include "tls/ticket_keys.h"

namespace gw {

// Files: empty ones are not given.
struct AdminAccess {
  std::string certificate_file = {};  // --admin-tls-cert
  std::string key_file = {};          // --admin-tls-key
  std::string token_file = {};        // --admin-token-file
  bool metrics_token = false;         // --metrics-token

  bool any() const { return !certificate_file.empty() || !token_file.empty(); }
};

// Reads the files. The error names the flag, and no byte of what is secret. `tickets` outlive what
// it gives.
absl::StatusOr<AdminGuard> ReadAdminGuard(const AdminAccess& access, TicketKeys& tickets);

// The token in a file: its text without the white space around it, 16 visible ASCII characters or
// more.
absl::StatusOr<std::string> ReadToken(const std::string& path);

// What others lack who reach that address: "TLS and a token", "a token", "TLS"; "" if it is one of
// this machine's own, or all is there.
std::string MissingGuard(const SocketAddress& address, const AdminGuard& guard);

}  // namespace gw
