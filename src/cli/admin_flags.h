// The admin port in flags: of the gateway, who is let in; of the commands that ask it, where it is
// and how it is spoken to.

#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "admin/client.h"
#include "base/status.h"
#include "cli/server_url.h"
#include "server/admin_access.h"
#include "server/other_names.h"

namespace gw {

struct AdminFlags {
  std::string address = "127.0.0.1:9909";  // "ADDR:PORT", or with "http://" or "https://" before it
  ServerTrust trust = {};
  std::string token_file = {};
};

// `access`, `names` and `flags` outlive the command.
void AddAdminAccess(CLI::App& serve, AdminAccess& access);
void AddMetricsNames(CLI::App& serve, OtherNames& names);
void AddAdmin(CLI::App& command, AdminFlags& flags);

// Looks the address up and reads the files. The error names the flag.
absl::StatusOr<AdminTarget> TargetOf(const AdminFlags& flags);

}  // namespace gw
